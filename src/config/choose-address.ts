/** Decides where the cluster is, of all the sources that say so. */
import { formatAddress } from '../teleport/address.ts';
import { readGivenAddress } from './address.ts';
import { first } from './choose.ts';
import type { Findings } from './findings.ts';
import type { ClusterAddress } from './plan.ts';
import type { Setting, Settings } from './settings.ts';
import { nameOf } from './settings.ts';

export interface AddressSources {
  readonly flags: readonly Settings[];
  readonly environment: Settings;
  /** Whether the variables are no more than what an earlier run left for Teleport's clients. */
  readonly environmentExported: boolean;
  readonly file: readonly Settings[];
}

type Candidate = Setting<{ readonly kind: ClusterAddress['kind']; readonly text: string }>;

/** `undefined` when nobody names an address, or the one that counts is not valid; only the latter is in `findings`. */
export function chooseAddress(sources: AddressSources, findings: Findings): Candidate | undefined {
  const { flags, environment, environmentExported, file } = sources;
  const given = [...flags, environment, ...file].map((layer) => candidateOf(layer, layer !== environment, findings));
  if (!environmentExported) return first(given, findings);
  // Otherwise a second run with another file would join the cluster of the first.
  const exported = given[flags.length];
  return (
    first(
      given.filter((candidate) => candidate !== exported),
      findings,
    ) ?? exported
  );
}

/** The address that a source names. A person who writes both names means one of them; an environment often has both. */
function candidateOf(layer: Settings, refuseBoth: boolean, findings: Findings): Candidate | undefined {
  const { proxyServer, authServer } = layer;
  if (proxyServer !== undefined && authServer !== undefined && refuseBoth) {
    findings.refuse(authServer.origin, `is set beside ${nameOf(proxyServer.origin)}; keep only the Proxy's address`);
  }
  if (proxyServer !== undefined)
    return { value: { kind: 'proxy', text: proxyServer.value }, origin: proxyServer.origin };
  if (authServer !== undefined) return { value: { kind: 'auth', text: authServer.value }, origin: authServer.origin };
  return undefined;
}

/** Reads the chosen address; what is wrong with it goes to `findings`. */
export function readAddress(
  { value: { kind, text }, origin }: Candidate,
  findings: Findings,
): ClusterAddress | undefined {
  const address = readGivenAddress(text);
  if (typeof address === 'string') {
    findings.refuse(origin, address);
    return undefined;
  }
  const value = formatAddress(address);
  if (!address.portGiven) findings.warn(`${nameOf(origin)} names no port, so that ${value} is used`);
  return { kind, value, host: address.host, port: address.port, origin: origin.label };
}
