/** `run --engine tbot`: the tbot that is installed joins and writes. */
import { produceByTbot } from '../produce/by-tbot.ts';
import { refuseRemovedKeys } from '../config/supported.ts';
import type { RunContext } from '../produce/context.ts';
import type { RunResult } from '../produce/result.ts';
import type { TbotSettings } from '../produce/tbot-program.ts';
import { clockDifference, discover } from '../teleport/discovery.ts';
import type { WebTrust } from '../teleport/trust.ts';
import { openWebApi } from '../teleport/web.ts';

type TbotFacts = Omit<RunResult, 'proxy' | 'exportedTo' | 'timingsMs' | 'spans'>;

/** @throws MachineIdError TBOT_MISSING, TBOT_FAILED, or what asking the Proxy throws */
export async function runByTbot(run: RunContext, trust: WebTrust, settings: TbotSettings): Promise<TbotFacts> {
  const cluster = await run.account.during('cluster', 'Discovery', () => askProxy(run, trust));
  const { clusterName, serverVersion } = cluster;
  const difference = clockDifference(cluster, run.world.clock.nowMs());
  if (difference !== undefined) run.log.warn(difference);
  run.account.learn({ cluster: clusterName, clusterVersion: serverVersion.text });
  refuseRemovedKeys(run.plan, serverVersion, `the cluster ${clusterName}`);
  run.progress.done('discovery', `cluster ${clusterName}, Teleport ${serverVersion.text}`);
  const { bot, outputs } = await produceByTbot(run, settings);
  run.account.learn({ bot, results: outputs.map((value) => ({ status: 'fulfilled', value })) });
  return {
    engine: 'tbot',
    cluster: clusterName,
    clusterVersion: serverVersion.text,
    bot,
    joinPath: undefined,
    outputs,
  };
}

/** What later steps are told of the cluster, tbot tells nobody; and an address that is none shows before tbot starts. */
async function askProxy({ plan, retries, trace, world }: RunContext, trust: WebTrust) {
  const web = openWebApi({ address: plan.address, trust, retries, signal: world.signal, trace });
  try {
    return await discover(web, retries);
  } finally {
    web.close();
  }
}
