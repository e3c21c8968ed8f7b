/** Outputs for programs whose client certificate does not pass a load balancer that terminates TLS. */
import { type Address, formatAddress, parseAddress } from '../net/address.ts';
import type { Upgrades } from '../teleport/connection-upgrade.ts';
import { databaseListener } from '../teleport/database-endpoint.ts';
import { withGivenAddresses } from '../teleport/given-address.ts';
import { kubeEndpoint } from '../teleport/kube-endpoint.ts';
import type { ClusterFacts } from '../teleport/ping.ts';
import type { Joined } from '../join/join.ts';
import type { RunPlan } from './journal.ts';
import { needsProxy, type SupportedOutput } from './outputs.ts';
import type { WrittenOutput } from './result.ts';

export interface LostCertificate {
  /** Of the output. */
  readonly path: string;
  /** What happens, as a sentence. */
  readonly text: string;
  readonly fix: string;
}

interface Network {
  readonly plan: Pick<RunPlan, 'address' | 'useProxyAddr'>;
  readonly upgrades: Upgrades;
  readonly signal: AbortSignal;
}

/** A Proxy that has reported its addresses. */
export interface AskedProxy {
  /** Which a load balancer was looked for at. */
  readonly address: Address;
  readonly facts: ClusterFacts;
}

/** The Proxy of the run; undefined if it joined at the Auth Service, and no output has asked a Proxy. */
export async function askedProxy(
  { contact, proxy }: Pick<Joined, 'contact' | 'proxy'>,
  { address }: Pick<RunPlan, 'address'>,
  outputs: readonly SupportedOutput[],
): Promise<AskedProxy | undefined> {
  if (contact.kind === 'proxy') return { address, facts: contact.facts };
  if (!needsProxy(outputs)) return undefined;
  // If it cannot be asked, the outputs that need it have failed.
  const facts = await proxy().catch(() => undefined);
  return facts && { address: facts.sshAddress, facts };
}

/**
 * This program's own connections are upgraded to pass such a load balancer; kubectl, curl and clients of databases know no
 * upgrade. Tests further addresses only if there is one at the Proxy's.
 */
export async function lostCertificates(
  outputs: readonly WrittenOutput[],
  { address, facts }: AskedProxy,
  { plan, signal, upgrades }: Network,
): Promise<readonly LostCertificate[]> {
  if (upgrades.known(address) !== true) return [];
  const used = withGivenAddresses(facts, plan);
  const lost = await Promise.all(
    outputs.map(async (output) => {
      const place = placeOf(output, used);
      return place !== undefined && (await upgrades.needed(place, signal)) ? [explain(output, place)] : [];
    }),
  );
  return lost.flat();
}

/** Where the program for the output connects to, if a balancer there matters. */
function placeOf({ access, kubeconfig }: WrittenOutput, cluster: ClusterFacts): Address | undefined {
  const { databases, tlsRouting, webAddress } = cluster;
  if (kubeconfig !== undefined) return tlsRouting ? kubeEndpoint(cluster)?.address : undefined;
  switch (access?.kind) {
    case 'application':
      return parseAddress(access.address, webAddress.port);
    case 'database':
      return databaseListener(access.protocol, databases) === undefined ? webAddress : undefined;
    case 'aws':
    case undefined:
      return undefined;
    default:
      return access satisfies never;
  }
}

const LAYER_4 = 'Let the load balancer pass TLS through to the Proxy (layer 4)';

function explain({ access, kubeconfig, path }: WrittenOutput, place: Address): LostCertificate {
  const balancer = `the load balancer at ${formatAddress(place)} terminates TLS`;
  if (kubeconfig !== undefined) {
    return {
      path,
      text: `${balancer}: kubectl does not trust its certificate, and could not present the one in kubeconfig.yaml to the Proxy`,
      fix: `${LAYER_4}, or run kubectl through "tbot proxy kube", which needs tbot and tsh and the folder of this output (--destination-dir).`,
    };
  }
  const client = access?.kind === 'database' ? 'database clients' : 'HTTP clients such as curl';
  return {
    path,
    text: `${balancer}: ${client} cannot present the certificate of this output to the Proxy`,
    fix: `${LAYER_4}.`,
  };
}
