/** Starts the attempt at each connection, once for all rows that are the same on the network. */
import { lookUp, probe, type ProbeTarget } from '../teleport/probe.ts';
import type { Endpoint } from './egress-endpoints.ts';

type Probe = ReturnType<typeof probe>;

export type Authorities = Readonly<Record<NonNullable<Endpoint['certificate']>, ProbeTarget['tls']['ca']>>;

export interface Prober {
  /** Begins what has not begun yet. Endpoints that cannot be tried have no probe. */
  begin(endpoints: readonly Endpoint[], authorities: Authorities): ReadonlyMap<Endpoint, Probe>;
}

export function startProber(limitMs: number, signal: AbortSignal): Prober {
  const lookUps = new Map<string, Promise<readonly string[]>>();
  const begun = new Map<string, Probe>();

  function addressesOf(host: string): Promise<readonly string[]> {
    const addresses = lookUps.get(host) ?? lookUp(host);
    addresses.catch(() => undefined); // each attempt awaits it within its own limit
    lookUps.set(host, addresses);
    return addresses;
  }

  function probeOf(endpoint: Endpoint, authorities: Authorities): Probe | undefined {
    const target = targetOf(endpoint, authorities);
    if (target === undefined) return undefined;
    const { alpn, certificate, certificateName, host = '', port, protocol, sni } = endpoint;
    const isVerified = target.tls.ca !== undefined;
    const key = JSON.stringify([host, port, protocol, sni, alpn, certificate, certificateName, isVerified]);
    const addresses = addressesOf(host);
    const attempt = begun.get(key) ?? probe({ ...target, addresses }, { signal, timeoutMs: limitMs });
    attempt.catch(() => undefined); // rejects when the run is interrupted, perhaps before anything awaits it
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

/** Node looks up four names at a time, and names of downloads may go unanswered where mirrors take their place. */
function neededFirst(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const isSpare = ({ need }: Endpoint) => need === 'sometimes';
  return [...endpoints.filter((one) => !isSpare(one)), ...endpoints.filter(isSpare)];
}

function targetOf(endpoint: Endpoint, authorities: Authorities): Omit<ProbeTarget, 'addresses'> | undefined {
  const { alpn, certificate, certificateName, host, port, protocol, sni, untried } = endpoint;
  if (untried !== undefined || host === undefined || port === undefined || protocol === undefined) return undefined;
  const ca = certificate === undefined ? undefined : authorities[certificate];
  const tls = { alpn, serverName: sni, certificateName: certificateName ?? host, ca };
  return { address: { host, port }, protocol, tls };
}
