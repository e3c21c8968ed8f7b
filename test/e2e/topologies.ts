/**
 * The matrix of topologies: one scene for every two values of a front, an address, a state of the authorities, a proxy of
 * the network and a version of Teleport.
 */
import { z } from 'zod';
import { type Case, pairwise } from './pairwise.ts';

/** `nginx` and `haproxy` are real load balancers, the first with HTTP/2, the second without ALPN. */
const Front = z.enum([
  'plain',
  'cloud',
  'sni-firewall',
  'nginx',
  'haproxy',
  'separate',
  'separate, no web route to Auth',
]);
export type Front = z.infer<typeof Front>;

/** `other public`: ping reports another address than the user gives. */
const Place = z.enum(['as given', 'other public', 'IPv6 only']);

/** Phases of a rotation (`rollback` shows clients the same as `init`); `hsm`: of two active user keys, the second signs. */
const Authorities = z.enum(['stable', 'init', 'update_clients', 'update_servers', 'hsm']);

/** `none`: HTTPS_PROXY names a proxy that does not exist, and NO_PROXY the cluster. */
const Egress = z.enum(['none', 'http', 'https', 'socks5', 'socks5h']);
export type Egress = z.infer<typeof Egress>;

const Teleport = z.enum(['15.3.7', '17.7.1', '18.6.0', '19.0.0']);

const Scene = z.object({ front: Front, place: Place, authorities: Authorities, egress: Egress, teleport: Teleport });
export type Scene = z.infer<typeof Scene>;

export const DIMENSIONS = {
  front: Front.options,
  authorities: Authorities.options,
  egress: Egress.options,
  teleport: Teleport.options,
  place: Place.options,
};

/**
 * Squid knows a name for ::1 alone. The SOCKS proxies have the names of this machine, which has none, and without a proxy
 * the address itself is given, while Teleport Cloud and the certificates of the load balancers have names.
 */
export function isPossible({ egress, front, place }: Case): boolean {
  if (place !== 'IPv6 only') return true;
  if (egress === 'none') return front !== 'cloud' && front !== 'nginx' && front !== 'haproxy';
  return egress !== 'socks5' && egress !== 'socks5h';
}

export const SCENES: readonly Scene[] = pairwise(DIMENSIONS, isPossible).map((one) => Scene.parse(one));

/** Terminates TLS, so that no client certificate reaches the Proxy. */
export function isBalancer(front: Front): front is 'nginx' | 'haproxy' {
  return front === 'nginx' || front === 'haproxy';
}
