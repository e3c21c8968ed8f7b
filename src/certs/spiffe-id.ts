/** Names of workloads (SPIFFE-ID specification, section 2). */

/** Whether the text is a SPIFFE ID with a path, in the domain of a cluster. */
export function isOfTrustDomain(spiffeId: string, trustDomain: string): boolean {
  const prefix = `spiffe://${trustDomain}/`;
  return spiffeId.startsWith(prefix) && /^[A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+)*$/.test(spiffeId.slice(prefix.length));
}
