/** Looks at what the Proxy says of its cluster, and at the clock. */
import { counted } from '../errors.ts';
import type { Retries } from '../effects/retry.ts';
import type { World } from '../effects/world.ts';
import { formatAddress } from '../teleport/address.ts';
import { ask } from '../teleport/discovery.ts';
import type { ClusterFacts } from '../teleport/ping.ts';
import type { WebApi } from '../teleport/web.ts';
import { NEWEST_TESTED, OLDEST_TESTED } from '../teleport/version.ts';
import { type Check, check } from './check.ts';

export interface ProxyFindings {
  readonly checks: readonly Check[];
  readonly cluster: ClusterFacts | undefined;
}

/** The header counts whole seconds, and travels. */
const SKEW_MS = 30_000;

interface ProxyQuestion {
  readonly web: WebApi;
  readonly retries: Retries;
  /** Why the Proxy is not asked. */
  readonly obstacle: string | undefined;
}

export async function proxyChecks(
  { web, retries, obstacle }: ProxyQuestion,
  { clock, environment }: Pick<World, 'clock' | 'environment'>,
): Promise<ProxyFindings> {
  const [proxy, skew, routing] = [
    check('proxy', 'Proxy'),
    check('clock', 'Clock'),
    check('tls-routing', 'TLS routing'),
  ];
  const unknown = (reason: string) => [skew.skip(reason), routing.skip(reason)];
  if (obstacle !== undefined) return { cluster: undefined, checks: [proxy.skip(obstacle), ...unknown(obstacle)] };
  try {
    const { cluster, sentMs } = await retries.run(() => ask(web));
    const checks = [proxyCheck(cluster), clockCheck(clock.nowMs() - sentMs), routingCheck(cluster)];
    return { cluster, checks };
  } catch (error) {
    return {
      cluster: undefined,
      checks: [proxy.unreached(error, { environment }), ...unknown('the Proxy did not answer')],
    };
  }
}

function proxyCheck({ clusterName, release, serverVersion, suite }: ClusterFacts): Check {
  const one = check('proxy', 'Proxy');
  const edition = `${release.enterprise ? ', Enterprise' : ''}${release.fips ? ', FIPS' : ''}`;
  const detail = `cluster ${clusterName}, Teleport ${serverVersion.text}${edition}, keys by the suite ${suite}`;
  if (serverVersion.major < OLDEST_TESTED.major) {
    return one.warn(detail, `Versions before ${OLDEST_TESTED.text} have not been tried: update the cluster.`);
  }
  if (!isNewerThanTested(serverVersion)) return one.pass(detail);
  return one.warn(
    `${detail}; newer than tested (${NEWEST_TESTED.text})`,
    'Nothing, if the other checks pass. Otherwise look for a newer version of the orb.',
  );
}

/** Of a pre-release of the newest version, or of a later one, nobody can know what the release will be. */
function isNewerThanTested({ major, text }: ClusterFacts['serverVersion']): boolean {
  return major > NEWEST_TESTED.major || (major === NEWEST_TESTED.major && text.includes('-'));
}

/** @param aheadMs of this machine's clock; NaN when the answer has no time */
function clockCheck(aheadMs: number): Check {
  const one = check('clock', 'Clock');
  if (Number.isNaN(aheadMs)) return one.skip('the Proxy did not say what time it is');
  const seconds = Math.round(Math.abs(aheadMs) / 1000);
  if (Math.abs(aheadMs) < SKEW_MS) return one.pass('agrees with that of the Proxy');
  return one.warn(
    `this machine is ${counted(seconds, 'second')} ${aheadMs > 0 ? 'ahead of' : 'behind'} the Proxy`,
    'Set the clocks by NTP: tokens and certificates are refused before and after their time.',
  );
}

function routingCheck({ kube, sshAddress, tlsRouting, webAddress }: ClusterFacts): Check {
  const one = check('tls-routing', 'TLS routing');
  if (tlsRouting) return one.pass(`on: everything goes to ${formatAddress(webAddress)}`);
  const { port, publicAddress } = kube;
  const kubernetes =
    publicAddress === undefined ? (port === undefined ? 'nowhere' : `port ${port}`) : formatAddress(publicAddress);
  return one.pass(`off: SSH at ${formatAddress(sshAddress)}, Kubernetes at ${kubernetes}`);
}
