/** Which of the addresses that a Proxy advertises the environment replaces, as in Teleport's own programs (protocol reference 1.3). */
import type { Address } from '../net/address.ts';
import type { ClusterFacts } from './ping.ts';

export interface GivenAddresses {
  /** Of the Proxy, as configured. */
  readonly address: Address;
  /** `TBOT_USE_PROXY_ADDR`: replaces the web address. It is the SSH address too only with TLS routing. */
  readonly useProxyAddr: boolean;
  /** `TELEPORT_TUNNEL_PUBLIC_ADDR`, which only Teleport's own programs dial. */
  readonly tunnelAddress?: Address | undefined;
}

type Advertised = Pick<ClusterFacts, 'tlsRouting' | 'webAddress' | 'sshAddress' | 'tunnelAddress'>;

export function withGivenAddresses<T extends Advertised>(cluster: T, given: GivenAddresses): T {
  const { address, tunnelAddress = cluster.tunnelAddress, useProxyAddr } = given;
  if (!useProxyAddr) return { ...cluster, tunnelAddress };
  return {
    ...cluster,
    tunnelAddress,
    webAddress: address,
    sshAddress: cluster.tlsRouting ? address : cluster.sshAddress,
  };
}
