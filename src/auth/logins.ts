/** The Unix users that an SSH certificate allows to log in as, and what to do if there is none. */

/**
 * Teleport adds internal names, or has only those: `-teleport-internal-join`, `-teleport-nologin-<UUID>`. No Unix user
 * name begins with a hyphen, and OpenSSH rejects such names.
 */
export function usableLogins(principals: readonly string[]): readonly string[] {
  return principals.filter((name) => name !== '' && !name.startsWith('-'));
}

export interface Holder {
  readonly roles: readonly string[];
  /** Undefined when the certificate does not name it. */
  readonly botName: string | undefined;
}

/** Sentences for the summary, or undefined when the certificate allows at least one login. */
export function noLoginNotice(logins: readonly string[], { botName = 'NAME', roles }: Holder): string | undefined {
  if (logins.length > 0) return undefined;
  const [role = 'NAME'] = roles;
  return [
    `ssh will be refused: the certificate allows no Unix login (roles: ${roles.join(', ') || 'none'}).`,
    `Set spec.allow.logins of a role ("tctl edit role/${role}"),`,
    `or, where a role has '{{internal.logins}}' there, set the trait "logins" of the bot ("tctl bots update ${botName} --add-logins=USER").`,
    'If the job does not use ssh, set "ssh_config: off" for the output',
  ].join(' ');
}
