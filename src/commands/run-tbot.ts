/** `run --engine tbot`: the tbot that is installed joins and writes. */
import { produceByTbot } from '../produce/by-tbot.ts';
import { refuseRemovedKeys } from '../config/supported.ts';
import { sortResults } from '../produce/outputs.ts';
import type { RunContext } from '../produce/context.ts';
import type { RunEnd } from '../produce/result.ts';
import type { TbotSettings } from '../produce/tbot-program.ts';
import { checkTbotVersion, readTbotVersion } from '../produce/tbot-version.ts';
import { clockDifference, discover } from '../teleport/discovery.ts';
import type { WebTrust } from '../teleport/trust.ts';
import { openWebApi } from '../teleport/web.ts';

/** @throws MachineIdError TBOT_MISSING, TBOT_UNSUITABLE, CLUSTER_UNSUITABLE, TBOT_FAILED, or what asking the Proxy throws */
export async function runByTbot(run: RunContext, trust: WebTrust, settings: TbotSettings): Promise<RunEnd> {
  const { cluster, tbot } = await look(run, trust);
  const { clusterName, serverVersion } = cluster;
  const difference = clockDifference(cluster, run.world.clock.nowMs());
  if (difference !== undefined) run.log.warn(difference);
  run.account.learn({ cluster: clusterName, clusterVersion: serverVersion.text });
  const warning = checkTbotVersion(tbot, cluster);
  if (warning !== undefined) run.log.warn(warning);
  refuseRemovedKeys(run.plan, serverVersion, `the cluster ${clusterName} runs`);
  if (tbot !== undefined) refuseRemovedKeys(run.plan, tbot, 'the tbot on PATH is');
  run.progress.done('discovery', `cluster ${clusterName}, Teleport ${serverVersion.text}`);
  const { bot, failure, results } = await produceByTbot(run, settings);
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
async function look(run: RunContext, trust: WebTrust) {
  const [cluster, tbot] = await Promise.allSettled([
    run.account.during('cluster', 'Discovery', () => askProxy(run, trust)),
    readTbotVersion(run.world),
  ]);
  if (cluster.status === 'rejected') throw cluster.reason;
  if (tbot.status === 'rejected') throw tbot.reason;
  return { cluster: cluster.value, tbot: tbot.value };
}

/** tbot does not report what later steps need to know about the cluster; and an invalid address fails before tbot starts. */
async function askProxy({ plan, retries, trace, world }: RunContext, trust: WebTrust) {
  const web = openWebApi({ address: plan.address, trust, retries, signal: world.signal, trace });
  try {
    return await discover(web, retries);
  } finally {
    web.close();
  }
}
