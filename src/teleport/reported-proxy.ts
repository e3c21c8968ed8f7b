/** The Proxy that an Auth Service reports: it alone knows the addresses that some files name. */
import type { Retries } from '../effects/retry.ts';
import { MachineIdError } from '../errors.ts';
import { type Address, formatAddress } from '../net/address.ts';
import type { Network } from '../net/network.ts';
import type { WireTrace } from '../net/trace.ts';
import type { WebTrust } from '../net/trust.ts';
import { openWebApi } from '../net/web.ts';
import type { Upgrades } from './connection-upgrade.ts';
import { type ClusterFacts, discover } from './ping.ts';

export interface ReportedProxyOptions {
  readonly network: Network;
  readonly upgrades: Upgrades;
  readonly trust: WebTrust;
  readonly retries: Retries;
  readonly signal: AbortSignal;
  readonly trace?: WireTrace | undefined;
}

/**
 * The connections of later steps depend on whether a load balancer is in front of that Proxy.
 * @param address as the Auth Service reports it
 * @throws MachineIdError CLUSTER_UNSUPPORTED if it reports none, or as `discover` does
 */
export async function askReportedProxy(
  options: ReportedProxyOptions,
  address: Address | undefined,
): Promise<ClusterFacts> {
  if (address === undefined) throw noProxy();
  const { retries, signal, upgrades } = options;
  const web = openWebApi({ ...options, address });
  try {
    const facts = await discover(web, retries);
    if (facts.tlsRouting) await upgrades.needed(facts.sshAddress, signal);
    return facts;
  } catch (error) {
    throw error instanceof MachineIdError ? unreachableProxy(address, error) : error;
  } finally {
    web.close();
  }
}

const WITHOUT_SSH = 'An identity output needs no Proxy with "ssh_config: off".';

function noProxy(): MachineIdError {
  return new MachineIdError(
    'CLUSTER_UNSUPPORTED',
    'the files name addresses of the Proxy, but the Auth Service reports no public address of a Proxy',
    { hint: `Set public_addr under proxy_service of the Proxy, or join through it: set proxy_server. ${WITHOUT_SSH}` },
  );
}

function unreachableProxy(address: Address, error: MachineIdError): MachineIdError {
  const { cause, code, hint, likelyCauses, message, unreached } = error;
  return new MachineIdError(
    code,
    `the files name addresses that only the Proxy reports, which is at ${formatAddress(address)} according to the Auth Service: ${message}`,
    { hint: `${hint} ${WITHOUT_SSH}`, cause, likelyCauses, unreached },
  );
}
