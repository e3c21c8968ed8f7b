/** `run --engine tbot`: the installed tbot joins and writes. */
import type { PlannedRun } from '../config/plan.ts';
import { openWebApi } from '../net/web.ts';
import type { WebTrust } from '../net/trust.ts';
import type { RunEnd } from '../outputs/journal.ts';
import { sortResults } from '../outputs/outputs.ts';
import { refuseRemovedKeys } from '../outputs/supported.ts';
import { produceWithTbot } from '../tbot/engine.ts';
import { checkTbotVersion, readTbotVersion, type TbotSettings } from '../tbot/program.ts';
import { clockDifference, discover } from '../teleport/ping.ts';
import { TBOT_HELPER_VARIABLES } from './telemetry.ts';

/** @throws MachineIdError TBOT_MISSING, TBOT_INCOMPATIBLE, CLUSTER_UNSUPPORTED, TBOT_FAILED, or what asking the Proxy throws */
export async function runWithTbot(
  run: PlannedRun,
  trust: WebTrust,
  settings: Omit<TbotSettings, 'helper'>,
): Promise<RunEnd> {
  const { cluster, tbot } = await checkTbot(run, trust);
  const { clusterName, serverVersion } = cluster;
  const difference = clockDifference(cluster, run.world.clock.nowMs());
  if (difference !== undefined) run.log.warn(difference);
  run.account.learn({ cluster: clusterName, clusterVersion: serverVersion.text });
  const warning = checkTbotVersion(tbot, cluster);
  if (warning !== undefined) run.log.warn(warning);
  refuseRemovedKeys(run.plan, serverVersion, `the cluster ${clusterName} runs`);
  if (tbot !== undefined) refuseRemovedKeys(run.plan, tbot, 'the tbot on PATH is');
  run.progress.done('discovery', `cluster ${clusterName}, Teleport ${serverVersion.text}`);
  const { bot, failure, results } = await produceWithTbot(run, { ...settings, helper: TBOT_HELPER_VARIABLES });
  run.account.learn({ bot, results });
  return {
    engine: 'tbot',
    cluster: clusterName,
    clusterVersion: serverVersion.text,
    bot,
    joinPath: undefined,
    ...sortResults(run.outputs, results),
    failure,
  };
}

/** Both are looked at while the other answers; neither is left behind running. */
async function checkTbot(run: PlannedRun, trust: WebTrust) {
  const [cluster, tbot] = await Promise.allSettled([
    run.account.during('cluster', 'Discovery', () => askProxy(run, trust)),
    readTbotVersion(run.world),
  ]);
  if (cluster.status === 'rejected') throw cluster.reason;
  if (tbot.status === 'rejected') throw tbot.reason;
  return { cluster: cluster.value, tbot: tbot.value };
}

/** tbot does not report what later steps need to know about the cluster; and an invalid address fails before tbot starts. */
async function askProxy({ plan, retries, trace, world }: PlannedRun, trust: WebTrust) {
  const web = openWebApi({ address: plan.address, trust, retries, signal: world.signal, trace });
  try {
    return await discover(web, retries);
  } finally {
    web.close();
  }
}
