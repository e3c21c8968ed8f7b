/** Tries the connections of a job: each distinct one once, by the route that the job takes. */
import type { EgressRoute, Purpose } from '../../net/egress-proxy.ts';
import type { Network } from '../../net/network.ts';
import { probe, type ProbeTarget, resolveHost } from '../../net/probe.ts';
import type { Upgrades } from '../../teleport/connection-upgrade.ts';
import type { Endpoint } from './egress-endpoints.ts';

type Probe = ReturnType<typeof probe>;

export type Authorities = Readonly<Record<NonNullable<Endpoint['certificate']>, ProbeTarget['tls']['ca']>>;

/** Probes each distinct connection once, for all rows that are the same on the network. */
export interface Prober {
  /** Starts the probes that have not been started yet. The result has no endpoints that cannot be tried. */
  begin(endpoints: readonly Endpoint[], authorities: Authorities): ReadonlyMap<Endpoint, Probe>;
}

interface ProberOptions {
  readonly network: Network;
  readonly upgrades: Upgrades;
  readonly limitMs: number;
  readonly signal: AbortSignal;
}

export function startProber({ limitMs, network, signal, upgrades }: ProberOptions): Prober {
  const lookUps = new Map<string, Promise<readonly string[]>>();
  const begun = new Map<string, Probe>();

  /** Without a proxy, which resolves names itself. */
  function addressesOf(endpoint: Endpoint): Promise<readonly string[]> {
    const { host = '' } = endpoint;
    if (routeOf(endpoint, network)?.kind === 'proxy') return Promise.resolve([]);
    const addresses = lookUps.get(host) ?? resolveHost(host);
    addresses.catch(() => undefined); // each probe awaits it and handles the error
    lookUps.set(host, addresses);
    return addresses;
  }

  function probeOf(endpoint: Endpoint, authorities: Authorities): Probe | undefined {
    const target = targetOf(endpoint, authorities);
    if (target === undefined) return undefined;
    const { alpn, certificate, certificateName, host = '', port, protocol, sni } = endpoint;
    const purpose = purposeOf(endpoint);
    const isVerified = target.tls.ca !== undefined;
    const names = [host, port, protocol, sni, alpn, certificate, certificateName];
    const isInside = isUpgraded(endpoint);
    const key = JSON.stringify([...names, isVerified, purpose, isInside]);
    const addresses = addressesOf(endpoint);
    const openInside = isInside ? (until: AbortSignal) => upgrades.open(target.address, { signal: until }) : undefined;
    const attempt =
      begun.get(key) ?? probe({ ...target, addresses, purpose, openInside }, { network, signal, timeoutMs: limitMs });
    attempt.catch(() => undefined); // an interruption may reject it before anything awaits it
    begun.set(key, attempt);
    return attempt;
  }

  return {
    begin: (endpoints, authorities) => {
      const probes = neededFirst(endpoints).map((endpoint) => [endpoint, probeOf(endpoint, authorities)] as const);
      return new Map(probes.flatMap(([endpoint, attempt]) => (attempt === undefined ? [] : [[endpoint, attempt]])));
    },
  };
}

/** Node resolves four names at a time, and the names of downloads may never resolve where mirrors replace them. */
function neededFirst(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const isOptional = ({ need }: Endpoint) => need === 'sometimes';
  return [...endpoints.filter((one) => !isOptional(one)), ...endpoints.filter(isOptional)];
}

function targetOf(
  endpoint: Endpoint,
  authorities: Authorities,
): Omit<ProbeTarget, 'addresses' | 'purpose'> | undefined {
  const { alpn, certificate, certificateName, host, port, protocol, sni, untried } = endpoint;
  if (untried !== undefined || host === undefined || port === undefined || protocol === undefined) return undefined;
  const ca = certificate === undefined ? undefined : authorities[certificate];
  const tls = { alpn, serverName: sni, certificateName: certificateName ?? host, ca };
  return { address: { host, port }, protocol, tls };
}

/** Clients of databases, such as psql, connect directly; others than Teleport's read the variables as curl does. */
export function purposeOf({ by, certificate, id }: Endpoint): Purpose {
  switch (by) {
    case 'database client':
      return 'direct';
    case 'other program':
      return 'https';
    case 'kubectl':
    case 'teleport':
      return by;
    case undefined:
      return certificate === 'download' || certificate === 'aws' || id === 'telemetry' ? 'https' : 'cluster';
    default:
      return by satisfies never;
  }
}

/** Undefined for what is not connected to, or where is unknown. */
export function routeOf(endpoint: Endpoint, network: Network): EgressRoute | undefined {
  const { host, port } = endpoint;
  return host === undefined || port === undefined ? undefined : network.route({ host, port }, purposeOf(endpoint));
}

/** Whether it goes inside a connection upgrade. */
export function isUpgraded({ atBalancer, isBehindBalancer }: Endpoint): boolean {
  return isBehindBalancer && atBalancer === 'upgraded';
}
