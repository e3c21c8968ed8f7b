/** Checks what the Proxy reports about its cluster, and the clock. */
import type { Plan } from '../../config/plan.ts';
import type { Retries } from '../../effects/retry.ts';
import type { World } from '../../effects/world.ts';
import { pluralize } from '../../errors.ts';
import { type Address, formatAddress, parseAddress } from '../../net/address.ts';
import type { Network } from '../../net/network.ts';
import type { WebApi } from '../../net/web.ts';
import type { Upgrades } from '../../teleport/connection-upgrade.ts';
import { type GivenAddresses, withGivenAddresses } from '../../teleport/given-address.ts';
import { type ClusterFacts, NEWEST_TESTED, OLDEST_TESTED, ping, TUNNEL_PORT } from '../../teleport/ping.ts';
import { type Check, check, type NamedCheck } from './check.ts';
import { routeLines, topologyText } from './topology.ts';

interface ProxyFindings {
  readonly checks: readonly Check[];
  readonly cluster: ClusterFacts | undefined;
}

/** Allows for the Date header's whole seconds and for network latency. */
const SKEW_MS = 30_000;

interface ProxyCheckOptions {
  /** Undefined if the configuration cannot be read. */
  readonly plan: Plan | undefined;
  readonly web: WebApi;
  readonly network: Network;
  readonly upgrades: Upgrades;
  readonly retries: Retries;
  /** Why the Proxy cannot be contacted; undefined when it can. */
  readonly obstacle: string | undefined;
}

export async function proxyChecks(
  { web, network, plan, retries, obstacle, upgrades }: ProxyCheckOptions,
  { clock, environment }: Pick<World, 'clock' | 'environment'>,
): Promise<ProxyFindings> {
  const [proxy, skew, routing] = [check('proxy', 'Proxy'), check('clock', 'Clock'), check('topology', 'Topology')];
  const unknown = (reason: string) => [skew.skipped(reason), routing.skipped(reason)];
  if (obstacle !== undefined) return { cluster: undefined, checks: [proxy.skipped(obstacle), ...unknown(obstacle)] };
  try {
    const { cluster, sentMs } = await retries.run(() => ping(web));
    const checks = [clusterCheck(proxy, cluster), clockCheck(clock.nowMs() - sentMs), topologyCheck(cluster)];
    return { cluster, checks };
  } catch (error) {
    return {
      cluster: undefined,
      checks: [proxy.networkFailed(error, { environment }), ...unknown('there is no valid response from the Proxy')],
    };
  }

  function topologyCheck(advertised: ClusterFacts): Check {
    const { address } = web;
    const given = givenAddresses(address, plan);
    const cluster = withGivenAddresses(advertised, given);
    const own = formatAddress(advertised.webAddress);
    const whose = given.useProxyAddr ? 'TBOT_USE_PROXY_ADDR replaces' : 'later steps use';
    return routing.pass([
      topologyText(cluster, upgrades.finding(address)),
      ...(own === formatAddress(address) ? [] : [`the Proxy advertises ${own}, which ${whose}`]),
      ...(given.tunnelAddress === undefined
        ? []
        : [`TELEPORT_TUNNEL_PUBLIC_ADDR is ${formatAddress(given.tunnelAddress)}: Teleport's own programs use it`]),
      ...routeLines(address, cluster, network),
    ]);
  }
}

/** What the environment says about the addresses of the Proxy. */
export function givenAddresses(address: Address, plan: Plan | undefined): GivenAddresses {
  const { settings, useProxyAddr = false } = plan ?? {};
  return { address, useProxyAddr, tunnelAddress: parseAddress(settings?.tunnelPublicAddr ?? '', TUNNEL_PORT) };
}

/** What a cluster reports before the join, and whether this program was tested with its version. */
export function clusterCheck(one: NamedCheck, { clusterName, release, serverVersion, suite }: ReportedCluster): Check {
  const edition = `${release?.enterprise === true ? ', Enterprise' : ''}${release?.fips === true ? ', FIPS' : ''}`;
  const detail = `cluster ${clusterName}, Teleport ${serverVersion.text}${edition}, signature algorithm suite ${suite}`;
  if (serverVersion.major < OLDEST_TESTED.major) {
    return one.warn(detail, `Upgrade the cluster: versions before ${OLDEST_TESTED.text} are not tested.`);
  }
  if (!isNewerThanTested(serverVersion)) return one.pass(detail);
  return one.warn(
    `${detail}; newer than tested (${NEWEST_TESTED.text})`,
    'Ignore this if the other checks pass; otherwise look for a newer version of the orb.',
  );
}

type ReportedCluster = Pick<ClusterFacts, 'clusterName' | 'serverVersion' | 'suite'> & {
  /** An Auth Service does not report it. */
  readonly release?: ClusterFacts['release'];
};

/** A pre-release of the newest tested version counts as newer: the release may differ from what was tested. */
function isNewerThanTested({ major, text }: ClusterFacts['serverVersion']): boolean {
  return major > NEWEST_TESTED.major || (major === NEWEST_TESTED.major && text.includes('-'));
}

/** @param aheadMs how far this machine's clock is ahead; NaN when the response has no time */
function clockCheck(aheadMs: number): Check {
  const one = check('clock', 'Clock');
  if (Number.isNaN(aheadMs)) return one.skipped('the response of the Proxy has no time');
  const seconds = Math.round(Math.abs(aheadMs) / 1000);
  if (Math.abs(aheadMs) < SKEW_MS) return one.pass('matches the clock of the Proxy');
  return one.warn(
    `this machine is ${pluralize(seconds, 'second')} ${aheadMs > 0 ? 'ahead of' : 'behind'} the Proxy`,
    'Synchronize the clocks with NTP: tokens and certificates are rejected outside their validity period.',
  );
}
