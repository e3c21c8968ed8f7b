/** `run` with its own engine: this program joins the cluster and writes the outputs. */
import type { Plan, PlannedRun } from '../config/plan.ts';
import { MachineIdError } from '../errors.ts';
import type { OidcToken } from '../job/oidc-token.ts';
import { joinCluster, type Joined } from '../join/join.ts';
import { openWebApi, type WebApi } from '../net/web.ts';
import type { RunEnd } from '../outputs/result.ts';
import { refuseRemovedKeys } from '../outputs/supported.ts';
import { failureOfOutputs, makeKeys, writeOutputs } from '../outputs/produce.ts';
import type { OutputKeys } from '../outputs/work.ts';
import { clockDifference, type ClusterFacts, discover } from '../teleport/ping.ts';
import { joinPathText } from './run-result.ts';
import { beginTelemetry } from './telemetry.ts';

/** @throws MachineIdError as the join and the connection to the Auth Service do; outputs that fail are in the result */
export async function runNatively(run: PlannedRun, token: OidcToken): Promise<RunEnd> {
  const telemetry = await beginTelemetry({ ...run, log: run.journal });
  try {
    const { joined, keys } = await join(run, token);
    const results = await writeOutputs(run, joined, keys);
    const { bot, cluster, path: joinPath } = joined;
    return {
      cluster: cluster.clusterName,
      clusterVersion: cluster.serverVersion.text,
      bot: bot.botName,
      engine: 'native',
      joinPath,
      ...results,
      failure: failureOfOutputs(results),
    };
  } finally {
    telemetry.end();
  }
}

/** The keys of the outputs are generated during the join; discovery determines their type. */
async function join(
  run: PlannedRun,
  token: OidcToken,
): Promise<{ readonly joined: Joined; readonly keys: readonly OutputKeys[] }> {
  const { journal, network, plan, retries, trace, trust, upgrades, world } = run;
  const { clock, signal } = world;
  const web = openWebApi({ address: plan.address, network, trust, retries, signal, trace });
  const cluster = discoverCluster(run, web);
  const keys = cluster.then(({ suite }) => beginKeys(run, suite));
  keys.catch(() => undefined); // without a cluster, the join fails for the same reason
  const facts = { ...token.claims, tokenName: plan.token, proxy: plan.address.value, checkedAtMs: clock.nowMs() };
  const options = { web, network, upgrades, trust, facts, jwt: token.jwt, ttlMs: plan.certificateTtlMs, cluster };
  try {
    const joined = await journal.step(
      'join',
      () => joinCluster({ ...options, retries, clock, log: journal, signal, trace }),
      ({ bot: { botName: bot }, path: joinPath }) => ({
        facts: { bot, joinPath },
        message: `joined as bot ${bot} by ${joinPathText(joinPath)}`,
      }),
    );
    return { joined, keys: await keys };
  } catch (error) {
    throw plan.address.kind === 'auth' ? explainAuthAddress(error, plan.address) : error;
  } finally {
    web.close();
  }
}

async function discoverCluster({ journal, plan, retries, world }: PlannedRun, web: WebApi): Promise<ClusterFacts> {
  const found = await journal.step(
    'discovery',
    () => discover(web, retries),
    ({ clusterName: cluster, serverVersion: { text: clusterVersion } }) => ({
      facts: { cluster, clusterVersion },
      message: `cluster ${cluster}, Teleport ${clusterVersion}`,
    }),
  );
  refuseRemovedKeys(plan, found.serverVersion, `the cluster ${found.clusterName} runs`);
  const difference = clockDifference(found, world.clock.nowMs());
  if (difference !== undefined) journal.warn(difference);
  return found;
}

function beginKeys({ journal, outputs }: PlannedRun, suite: string): readonly OutputKeys[] {
  const keys = makeKeys(outputs, suite);
  const made = keys.flatMap(({ routed, unrouted }) => [unrouted, routed]);
  // A key that cannot be generated fails its output.
  if (made.length > 0) journal.step('keys', () => Promise.all(made)).catch(() => undefined);
  return keys;
}

/** `auth_server` of older files usually names a Proxy; when it really is an Auth Service, its port does not speak HTTPS. */
function explainAuthAddress(error: unknown, { value, origin }: Plan['address']): unknown {
  const codes: readonly string[] = ['PROXY_NOT_TELEPORT', 'PROXY_UNREACHABLE', 'PROXY_UNTRUSTED'];
  if (!(error instanceof MachineIdError) || !codes.includes(error.code)) return error;
  return new MachineIdError(error.code, `${error.message} (the address ${value} is from ${origin})`, {
    hint: 'This program joins through the Proxy: set proxy_server (or --proxy-server) to the web address of the Proxy, not of the Auth Service.',
    cause: error,
  });
}
