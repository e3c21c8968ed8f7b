/** Outputs for programs whose client certificate does not pass a load balancer that terminates TLS. */
import { type Address, formatAddress, parseAddress } from '../net/address.ts';
import type { Upgrades } from '../teleport/connection-upgrade.ts';
import { databaseListener } from '../teleport/database-endpoint.ts';
import { kubeEndpoint } from '../teleport/kube-endpoint.ts';
import type { ClusterFacts } from '../teleport/ping.ts';
import type { RunPlan } from './journal.ts';
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

/**
 * This program's own connections are upgraded to pass such a load balancer; kubectl, curl and clients of databases know no
 * upgrade. Tests further addresses only if there is one at the Proxy's.
 */
export async function lostCertificates(
  outputs: readonly WrittenOutput[],
  cluster: ClusterFacts,
  { plan, signal, upgrades }: Network,
): Promise<readonly LostCertificate[]> {
  if (upgrades.known(plan.address) !== true) return [];
  const webAddress = plan.useProxyAddr ? plan.address : cluster.webAddress;
  const lost = await Promise.all(
    outputs.map(async (output) => {
      const place = placeOf(output, { ...cluster, webAddress });
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
      fix: `${LAYER_4}, or run kubectl through a local proxy of Teleport's own programs, such as "tbot proxy kube".`,
    };
  }
  const client = access?.kind === 'database' ? 'database clients' : 'HTTP clients such as curl';
  return {
    path,
    text: `${balancer}: ${client} cannot present the certificate of this output to the Proxy`,
    fix: `${LAYER_4}.`,
  };
}
