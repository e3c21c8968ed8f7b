/** Names by which Teleport's TLS listeners know a cluster. */

/**
 * Whether a name may go into file names, host patterns and commands: letters, digits and `.`, `_`, `-`, `:`, beginning
 * with a letter or digit. Teleport's own rule is narrower. No longer than what fits into a file name (255 bytes) with
 * `.known_hosts` behind it.
 */
export function isClusterName(text: string): boolean {
  return Buffer.byteLength(text) <= 243 && /^[\p{L}\p{N}][\p{L}\p{N}._:-]*$/u.test(text);
}

/** The DNS name in every certificate of an Auth Service (`APIDomain`). */
export const API_DOMAIN = 'teleport.cluster.local';

/** Lower-case hex of the cluster's name in UTF-8, below `teleport.cluster.local`. */
export function encodedClusterName(clusterName: string): string {
  return `${Buffer.from(clusterName, 'utf8').toString('hex')}.${API_DOMAIN}`;
}

/** The ALPN value on which a Proxy with TLS routing hands a connection on to that cluster's Auth Service. */
export function authAlpn(clusterName: string): string {
  return `teleport-auth@${encodedClusterName(clusterName)}`;
}

// Scopes of Teleport: bots and join tokens that exist inside one, which this program does not support.

/** Wherever such a bot or token is found. */
export const SCOPES_HINT =
  'Use a bot and a join token without a scope (kind: token). Or use --engine tbot (orb parameter engine), with a tbot and a cluster that support scopes for the join method circleci.';

/** Separates the scope from the name. */
const SEPARATOR = '::';

/** Whether the name is `<scope>::<name>`. Every scope is a path from the root: `/staging/west`, or `/` alone. */
export function isScopeQualified(name: string): boolean {
  const at = name.indexOf(SEPARATOR);
  return name.startsWith('/') && at > 0 && at + SEPARATOR.length < name.length;
}

/**
 * Whether newer clusters read the name as scope-qualified. They look only for the separator, and then for a scoped token
 * alone; older ones know a token of any name, so that they must be asked.
 */
export function mayBeScopeQualified(name: string): boolean {
  const at = name.indexOf(SEPARATOR);
  return at > 0 && at + SEPARATOR.length < name.length;
}

/** Whether a refusal in the server's words is about scopes, for example `scoped identities not supported`. */
export function mentionsScopes(text: string): boolean {
  return /\bscop(?:ed|ing)\b|\b(?:bot|agent|assigned)_scope\b|\bscope(?:-qualified|-pinned| pin| "| of )/i.test(text);
}

/** Extensions of an SSH certificate: the scope in plain text (since 2026-07), and the scope with its roles, encoded. */
const BOT_SCOPE = 'bot-scope@goteleport.com';
const SCOPE_PIN = 'scope-pin@goteleport.com';

/** What binds the holder of an SSH certificate to a scope, in words for a message; undefined when nothing does. */
export function scopeOf(extensions: ReadonlyMap<string, string>): string | undefined {
  const scope = extensions.get(BOT_SCOPE) ?? '';
  if (scope !== '') return `the scope ${JSON.stringify(scope)}`;
  return extensions.has(SCOPE_PIN) ? 'a scope' : undefined;
}
