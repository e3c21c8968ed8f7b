/** `run --engine tbot`: the installed tbot joins and writes. */
import type { PlannedRun } from '../config/plan.ts';
import { openWebApi } from '../net/web.ts';
import type { RunEnd } from '../outputs/result.ts';
import { useOf } from '../outputs/outputs.ts';
import { sortResults, warnAboutLostCertificates } from '../outputs/produce.ts';
import { refuseRemovedKeys } from '../outputs/supported.ts';
import { produceWithTbot } from '../tbot/engine.ts';
import { checkTbotVersion, readTbotVersion, type TbotSettings } from '../tbot/program.ts';
import { clockDifference, type ClusterFacts, discover } from '../teleport/ping.ts';
import { TBOT_HELPER_VARIABLES } from './telemetry.ts';

/** @throws MachineIdError TBOT_MISSING, TBOT_INCOMPATIBLE, CLUSTER_UNSUPPORTED, TBOT_FAILED, or what asking the Proxy throws */
export async function runWithTbot(run: PlannedRun, settings: Omit<TbotSettings, 'helper'>): Promise<RunEnd> {
  const facts = await checkTbot(run);
  const { clusterName: cluster, serverVersion } = facts;
  const tested = testForBalancer(run);
  const { bot, failure, results } = await produceWithTbot(run, { ...settings, helper: TBOT_HELPER_VARIABLES });
  run.journal.note({ bot, results });
  const sorted = sortResults(run.outputs, results);
  await tested;
  await warnAboutLostCertificates(run, { address: run.plan.address, facts }, sorted.outputs);
  return {
    engine: 'tbot',
    proxy: run.plan.address.value,
    cluster,
    clusterVersion: serverVersion.text,
    bot,
    joinMethod: run.plan.tokenRequest.joinMethod,
    joinPath: undefined,
    ...sorted,
    failure,
  };
}

/** tbot finds out for itself, and reports nothing. Only needed for the warning about such a load balancer. */
async function testForBalancer({ outputs, plan, upgrades, world }: PlannedRun): Promise<void> {
  const isUsedByOthers = outputs.some((output) =>
    ['kubernetes', 'database', 'application'].includes(useOf(output)?.kind ?? ''),
  );
  if (isUsedByOthers) await upgrades.needed(plan.address, world.signal).catch(() => undefined);
}

/** Before tbot starts: whether the Proxy responds, and whether this tbot fits the cluster and the file. */
async function checkTbot(run: PlannedRun): Promise<ClusterFacts> {
  const { journal, plan, world } = run;
  const [discovered, version] = await Promise.allSettled([discoverCluster(run), readTbotVersion(world)]);
  // Awaited together, so that neither is left behind running.
  if (discovered.status === 'rejected') throw discovered.reason;
  if (version.status === 'rejected') throw version.reason;
  const [cluster, tbot] = [discovered.value, version.value];
  const difference = clockDifference(cluster, world.clock.nowMs());
  const mismatch = checkTbotVersion(tbot, cluster, plan.tokenRequest.joinMethod);
  for (const warning of [difference, mismatch]) if (warning !== undefined) journal.warn(warning);
  refuseRemovedKeys(plan, cluster.serverVersion, `the cluster ${cluster.clusterName} runs`);
  if (tbot !== undefined) refuseRemovedKeys(plan, tbot, 'the tbot on PATH is');
  return cluster;
}

/** tbot does not report the facts of the cluster that later steps need. */
function discoverCluster({ journal, network, plan, retries, trace, trust, world }: PlannedRun): Promise<ClusterFacts> {
  return journal.step(
    'discovery',
    async () => {
      const web = openWebApi({ address: plan.address, network, trust, retries, signal: world.signal, trace });
      try {
        return await discover(web, retries);
      } finally {
        web.close();
      }
    },
    ({ clusterName: cluster, serverVersion: { text: clusterVersion } }) => ({
      facts: { cluster, clusterVersion },
      message: `cluster ${cluster}, Teleport ${clusterVersion}`,
    }),
  );
}
