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
