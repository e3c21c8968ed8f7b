/** `run --engine tbot`: the installed tbot joins and writes. */
import type { ClusterAddress, PlannedRun } from '../config/plan.ts';
import { formatAddress } from '../net/address.ts';
import { openWebApi } from '../net/web.ts';
import type { RunEnd } from '../outputs/result.ts';
import type { AskedProxy } from '../outputs/lost-certificates.ts';
import { useOf } from '../outputs/outputs.ts';
import { sortResults, warnAboutLostCertificates } from '../outputs/produce.ts';
import { refuseRemovedKeys } from '../outputs/supported.ts';
import { produceWithTbot } from '../tbot/engine.ts';
import { checkTbotVersion, readTbotVersion, type TbotSettings } from '../tbot/program.ts';
import { type AuthReport, reportOfAuthServer } from '../teleport/auth-ping.ts';
import { findAuthServer } from '../teleport/auth-server.ts';
import { clockDifference, type ClusterFacts, discover, proxyHosts } from '../teleport/ping.ts';
import { askReportedProxy } from '../teleport/reported-proxy.ts';
import { guardCluster } from './guards.ts';
import { TBOT_HELPER_VARIABLES } from './telemetry.ts';

/**
 * @param onAllowed called once no guard refuses, before anything is written
 * @throws MachineIdError TBOT_MISSING, TBOT_INCOMPATIBLE, CLUSTER_UNSUPPORTED, TBOT_FAILED, or what asking the server throws
 */
export async function runWithTbot(
  run: PlannedRun,
  settings: Omit<TbotSettings, 'helper' | 'server'>,
  onAllowed: () => Promise<void>,
): Promise<RunEnd> {
  const found = await checkTbot(run);
  await onAllowed();
  const asked = askProxy(run, found);
  const helper = TBOT_HELPER_VARIABLES;
  const { bot, failure, results } = await produceWithTbot(run, { ...settings, server: found.kind, helper });
  run.journal.note({ bot, results });
  const sorted = sortResults(run.outputs, results);
  const proxy = await asked;
  if (proxy !== undefined) await warnAboutLostCertificates(run, proxy, sorted.outputs);
  return {
    engine: 'tbot',
    ...serverOf(found, run.plan.address),
    cluster: found.cluster.clusterName,
    clusterVersion: found.cluster.serverVersion.text,
    bot,
    joinMethod: run.plan.tokenRequest.joinMethod,
    joinPath: undefined,
    ...sorted,
    failure,
  };
}

/** The server at the address, and what it reports. */
type Found = { readonly kind: 'proxy'; readonly cluster: ClusterFacts } | ({ readonly kind: 'auth' } & AuthReport);

function serverOf(found: Found, { host, value }: ClusterAddress): Pick<RunEnd, 'auth' | 'proxy' | 'proxyHosts'> {
  if (found.kind === 'proxy') return { proxy: value, proxyHosts: [host, ...proxyHosts(found.cluster)] };
  return { auth: value, proxy: found.proxyAddress && formatAddress(found.proxyAddress) };
}

/**
 * Looks for a load balancer that terminates TLS: tbot finds out for itself, and reports nothing. Undefined if there is no
 * need, or no Proxy can be asked.
 */
async function askProxy(
  { network, outputs, plan, retries, trace, trust, upgrades, world: { signal } }: PlannedRun,
  found: Found,
): Promise<AskedProxy | undefined> {
  const usedByOthers = ['kubernetes', 'database', 'application'];
  if (!outputs.some((output) => usedByOthers.includes(useOf(output)?.kind ?? ''))) return undefined;
  try {
    if (found.kind === 'proxy') {
      await upgrades.needed(plan.address, signal);
      return { address: plan.address, facts: found.cluster };
    }
    const facts = await askReportedProxy({ network, upgrades, trust, retries, signal, trace }, found.proxyAddress);
    return { address: facts.sshAddress, facts };
  } catch {
    // Only a warning depends on it.
    return undefined;
  }
}

/** Before tbot starts: whether the server responds, and whether this tbot fits the cluster and the file. */
async function checkTbot(run: PlannedRun): Promise<Found> {
  const { journal, plan, world } = run;
  const [discovered, version] = await Promise.allSettled([discoverServer(run), readTbotVersion(world)]);
  // Awaited together, so that neither is left behind running.
  if (discovered.status === 'rejected') throw discovered.reason;
  if (version.status === 'rejected') throw version.reason;
  const [found, tbot] = [discovered.value, version.value];
  const { cluster } = found;
  const difference = found.kind === 'proxy' ? clockDifference(found.cluster, world.clock.nowMs()) : undefined;
  const mismatch = checkTbotVersion(tbot, cluster, plan.tokenRequest.joinMethod);
  for (const warning of [difference, mismatch]) if (warning !== undefined) journal.warn(warning);
  guardCluster(plan, cluster.clusterName);
  refuseRemovedKeys(plan, cluster.serverVersion, `the cluster ${cluster.clusterName} runs`);
  if (tbot !== undefined) refuseRemovedKeys(plan, tbot, 'the tbot on PATH is');
  return found;
}

/** tbot does not report the facts of the cluster that later steps need, and would join an Auth Service that nothing identifies. */
function discoverServer(run: PlannedRun): Promise<Found> {
  const { authTrust, journal, network, plan, retries, trace, trust, world } = run;
  const { clock, signal } = world;
  const { address } = plan;
  return journal.step(
    'discovery',
    async (): Promise<Found> => {
      const web = openWebApi({ address, network, trust, retries, signal, trace });
      try {
        const search = { address, network, web, retries, clock, log: journal, signal, trace };
        const verification = authTrust && (await findAuthServer({ ...search, trust: authTrust }));
        if (verification === undefined) return { kind: 'proxy', cluster: await discover(web, retries) };
        const report = await retries.run(() => reportOfAuthServer({ ...search, verification }));
        return { kind: 'auth', ...report };
      } finally {
        web.close();
      }
    },
    ({ cluster: { clusterName: cluster, serverVersion } }) => ({
      facts: { cluster, clusterVersion: serverVersion.text },
      message: `cluster ${cluster}, Teleport ${serverVersion.text}`,
    }),
  );
}
