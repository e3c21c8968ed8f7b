/** Names in Teleport: clusters in TLS, and scopes in the names of bots and tokens. */

/**
 * Whether a name is safe in file names, host patterns and commands: letters, digits and `.`, `_`, `-`, `:`, starting with a
 * letter or digit. Teleport's own rule is narrower. At most 243 bytes, so that `<name>.known_hosts` fits into a file name
 * (255 bytes).
 */
export function isClusterName(text: string): boolean {
  if (Buffer.byteLength(text) > 243) return false;
  // Not a literal: Node would read the tables of Unicode for it when it compiles this file, which takes a millisecond.
  return /^[A-Za-z0-9][\w.:-]*$/.test(text) || new RegExp(String.raw`^[\p{L}\p{N}][\p{L}\p{N}._:-]*$`, 'u').test(text);
}

/** The DNS name in every certificate of an Auth Service (`APIDomain`). */
export const API_DOMAIN = 'teleport.cluster.local';

/** Lowercase hex of the cluster's name in UTF-8, below `teleport.cluster.local`. */
export function encodedClusterName(clusterName: string): string {
  return `${Buffer.from(clusterName, 'utf8').toString('hex')}.${API_DOMAIN}`;
}

/** The ALPN value that a Proxy routes to that cluster's Auth Service. */
export function authAlpn(clusterName: string): string {
  return `teleport-auth@${encodedClusterName(clusterName)}`;
}

// Scopes: this program does not support bots and join tokens that exist inside one.

/** The hint wherever a scoped bot or token is found. */
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
 * Whether newer clusters read the name as scope-qualified. They check only for the separator, and then look only for a
 * scoped token. Older clusters accept any name for a token, so only the cluster can decide.
 */
export function mayBeScopeQualified(name: string): boolean {
  const at = name.indexOf(SEPARATOR);
  return at > 0 && at + SEPARATOR.length < name.length;
}

/** Whether the server's error text is about scopes, for example `scoped identities not supported`. */
export function mentionsScopes(text: string): boolean {
  return /\bscop(?:ed|ing)\b|\b(?:bot|agent|assigned)_scope\b|\bscope(?:-qualified|-pinned| pin| "| of )/i.test(text);
}

/** Extensions of an SSH certificate: the scope in plain text (since 2026-07), and the scope with its roles, encoded. */
const BOT_SCOPE = 'bot-scope@goteleport.com';
const SCOPE_PIN = 'scope-pin@goteleport.com';

/** The scope that an SSH certificate is bound to, worded for a message; undefined if none. */
export function scopeOf(extensions: ReadonlyMap<string, string>): string | undefined {
  const scope = extensions.get(BOT_SCOPE) ?? '';
  if (scope !== '') return `the scope ${JSON.stringify(scope)}`;
  return extensions.has(SCOPE_PIN) ? 'a scope' : undefined;
}
