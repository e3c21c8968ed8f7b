/** The roles that a join token may give: those of Teleport's own services, not of users. */
import { nearest } from '../config/nearest.ts';

const SYSTEM_ROLES = [
  ...['Auth', 'Proxy', 'Node', 'App', 'Db', 'Kube', 'WindowsDesktop', 'Bot', 'Discovery', 'MDM', 'Okta', 'Nop'],
  ...['Instance', 'Admin', 'ProvisionToken', 'Signup', 'RemoteProxy', 'Trusted_cluster'],
  ...['AccessPlugin', 'AccessGraphPlugin', 'Assist', 'UpdaterAgent', 'Relay'],
];

/** Other ways to write them that Teleport takes. */
const OTHER_NAMES: readonly (readonly [string, string])[] = [
  ['trustedcluster', 'Trusted_cluster'],
  ['remote_proxy', 'RemoteProxy'],
  ['windows_desktop', 'WindowsDesktop'],
];

const BY_LOWER_CASE: ReadonlyMap<string, string> = new Map([
  ...SYSTEM_ROLES.map((role) => [role.toLowerCase(), role] as const),
  ...OTHER_NAMES,
]);

/** The role as Teleport stores it, which takes it in any letters; undefined for one that it does not know. */
export function systemRole(written: string): string | undefined {
  return BY_LOWER_CASE.get(written.trim().toLowerCase());
}

export function roleAdvice(role: string): string {
  const meant = nearest(role, SYSTEM_ROLES);
  return meant === undefined
    ? '; here stands "Bot", and the roles of users go into the bot itself'
    : `; did you mean "${meant}"?`;
}
