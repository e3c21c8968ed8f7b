/** What is between a job and its cluster, in plain words: ports, a load balancer, and the proxy of each connection. */
import type { Purpose } from '../../net/egress-proxy.ts';
import { type Address, formatAddress } from '../../net/address.ts';
import { routeText } from '../../net/egress-cause.ts';
import type { Network } from '../../net/network.ts';
import type { UpgradeFinding } from '../../teleport/connection-upgrade.ts';
import { kubeEndpoint } from '../../teleport/kube-endpoint.ts';
import type { ClusterFacts } from '../../teleport/ping.ts';

/** @param balancer what is known about the Proxy's address */
export function topologyText(cluster: ClusterFacts, balancer: UpgradeFinding | undefined): string {
  const { tlsRouting, webAddress } = cluster;
  const ports = tlsRouting
    ? `one port: all connections go to ${formatAddress(webAddress)} (TLS routing)`
    : `separate ports: ${listeners(cluster).join(', ')}`;
  return `${ports}${balancer?.isNeeded === true ? `; ${balancerText(balancer)}` : ''}`;
}

/** For an Auth Service that is reached without a Proxy. */
export function directText(address: Address): string {
  return `the Auth Service is reached directly at ${formatAddress(address)}`;
}

function balancerText({ by, seen }: UpgradeFinding): string {
  return by === 'variable'
    ? `connections are upgraded, because ${seen}`
    : 'behind a load balancer that terminates TLS: connections must be upgraded to pass it';
}

function listeners(cluster: ClusterFacts): readonly string[] {
  const { databases, sshAddress, tunnelAddress, webAddress } = cluster;
  const kube = kubeEndpoint(cluster)?.address;
  return [
    `web ${formatAddress(webAddress)}`,
    `SSH ${formatAddress(sshAddress)}`,
    `reverse tunnel ${formatAddress(tunnelAddress)}`,
    `Kubernetes ${kube === undefined ? 'none' : formatAddress(kube)}`,
    ...[...databases].map(([protocol, address]) => `${protocol} ${formatAddress(address)}`),
  ];
}

/**
 * The route of each kind of connection; empty without a proxy in the environment.
 * @param asked the address that was given
 */
export function routeLines(asked: Address, cluster: ClusterFacts, network: Pick<Network, 'route'>): readonly string[] {
  const { sshAddress, tlsRouting } = cluster;
  const kube = kubeEndpoint(cluster)?.address;
  const dials: readonly Dial[] = [
    ['Proxy', asked, 'cluster'],
    ...(tlsRouting ? [] : [['SSH port', sshAddress, 'cluster'] as const]),
    ['tsh, tctl and tbot', cluster.tunnelAddress, 'teleport'],
    ['kubectl', kube, 'kubectl'],
    ['other HTTPS servers', ELSEWHERE, 'https'],
  ];
  return linesOf(dials, network);
}

type Dial = readonly [what: string, address: Address | undefined, purpose: Purpose];

/** The same where the Auth Service is reached directly. */
export function directRouteLines(
  auth: Address,
  proxy: Address | undefined,
  network: Pick<Network, 'route'>,
): readonly string[] {
  return linesOf(
    [
      ['Auth Service', auth, 'cluster'],
      ['Proxy', proxy, 'cluster'],
      ['tctl and tbot', auth, 'teleport'],
      ['other HTTPS servers', ELSEWHERE, 'https'],
    ],
    network,
  );
}

function linesOf(dials: readonly Dial[], network: Pick<Network, 'route'>): readonly string[] {
  const routes = dials.flatMap(([what, address, purpose]) =>
    address === undefined ? [] : [{ what, route: network.route(address, purpose) }],
  );
  if (routes.every((one) => one.route.kind === 'direct' && one.route.because === undefined)) return [];
  return routes.map((one) => `${one.what}: ${routeText(one.route)}`);
}

/** Stands for a server that NO_PROXY does not name. */
const ELSEWHERE = { host: 'other.invalid', port: 443 };
