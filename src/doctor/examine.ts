/** Every check, in the order in which a person looks for a fault; those that need nothing of each other run at once. */
import type { Plan } from '../config/plan.ts';
import { refuseRemovedKeys } from '../config/supported.ts';
import { createLog } from '../effects/log.ts';
import { startRetries } from '../effects/retry.ts';
import type { World } from '../effects/world.ts';
import { asMachineIdError } from '../errors.ts';
import { checkTbotVersion, readTbotVersion } from '../produce/tbot-version.ts';
import type { ClusterFacts } from '../teleport/ping.ts';
import { openWebApi } from '../teleport/web.ts';
import { startWireTrace } from '../teleport/wire-trace.ts';
import { type Check, check } from './check.ts';
import { clusterChecks, withoutJoin } from './cluster-checks.ts';
import { type ConfigFindings, configChecks, type Settings } from './config-checks.ts';
import { type NetworkFindings, networkChecks, withoutAddress } from './network-checks.ts';
import { placeChecks, type Places } from './place-checks.ts';
import { programChecks } from './program-checks.ts';
import { proxyChecks } from './proxy-checks.ts';
import { type TokenFindings, tokenChecks } from './token-checks.ts';

export interface Examination extends Settings, Omit<Places, 'outputs'> {
  /** Of this program. */
  readonly version: string;
  readonly timeoutMs: number;
  readonly deadlineMs: number;
}

/** Never rejects but for the signal of the world: what goes wrong is a check that failed. */
export async function examine(examination: Examination, world: World): Promise<readonly Check[]> {
  const { timeoutMs, version } = examination;
  const [program, config, token] = await Promise.all([
    programChecks(world, version),
    configChecks(examination, world),
    tokenChecks(examination.oidcToken, world),
  ]);
  const places = await placeChecks({ ...examination, outputs: config.outputs }, world);
  const way = config.address === undefined ? undefined : { ...config, address: config.address, timeoutMs };
  const network = way === undefined ? withoutAddress() : await networkChecks(way, world);
  world.signal.throwIfAborted();
  const rest = await clusterFindings(examination, { config, network, token }, world);
  world.signal.throwIfAborted();
  return [...program, ...token.checks, ...config.checks, ...places, ...network.checks, ...rest];
}

interface Findings {
  readonly config: ConfigFindings;
  readonly network: NetworkFindings;
  readonly token: TokenFindings;
}

async function clusterFindings(
  { deadlineMs, engine, timeoutMs }: Examination,
  { config, network, token: { token } }: Findings,
  world: World,
): Promise<readonly Check[]> {
  const { address = NOWHERE, obstacle, outputs, plan, trust } = config;
  const { clock, random, signal } = world;
  const { debug = false, logFormat: format = 'text' } = plan ?? {};
  const log = createLog(world.stderr, { format, debug, nowMs: () => clock.nowMs() });
  const trace = debug ? startWireTrace(log, clock) : undefined;
  const retries = startRetries({ timeoutMs, deadlineMs, clock, random, log, signal });
  const web = openWebApi({ address, trust, retries, signal, trace });
  const skip = (reason: string) => [check('join', 'Join').skip(reason), ...withoutJoin(outputs, 'there was no join')];
  try {
    const { checks: found, cluster } = await proxyChecks({ web, retries, obstacle: network.obstacle }, world);
    const checks = [...found];
    if (engine === 'tbot') checks.push(await tbotCheck(plan, cluster, world));
    if (cluster === undefined) return [...checks, ...skip(network.obstacle ?? 'the Proxy did not answer as one')];
    if (plan === undefined || obstacle !== undefined) return [...checks, ...skip(obstacle ?? 'there is no plan')];
    if (token === undefined) return [...checks, ...skip('there is no OIDC token that could be accepted')];
    const removed = removedKeysCheck(plan, cluster);
    if (removed !== undefined) return [...checks, removed, ...skip('the cluster does not allow this configuration')];
    const ground = { plan, outputs, token, trust, web, retries, log, trace };
    return [...checks, ...(await clusterChecks(ground, world))];
  } finally {
    web.close();
  }
}

/** As a run would end with it. */
function removedKeysCheck(plan: Plan, { clusterName, serverVersion }: ClusterFacts): Check | undefined {
  try {
    refuseRemovedKeys(plan, serverVersion, `the cluster ${clusterName} runs`);
    return undefined;
  } catch (error) {
    return check('removed-keys', 'Removed keys').failed(asMachineIdError(error));
  }
}

/** The join is tried by this program all the same, which shows whether token and rules fit. */
async function tbotCheck(plan: Plan | undefined, cluster: ClusterFacts | undefined, world: World): Promise<Check> {
  const one = check('tbot', 'tbot');
  try {
    const version = await readTbotVersion(world);
    const warning = cluster && checkTbotVersion(version, cluster);
    if (plan !== undefined && version !== undefined) refuseRemovedKeys(plan, version, 'the tbot on PATH is');
    const detail = version === undefined ? 'on PATH' : `version ${version.text}`;
    return warning === undefined ? one.pass(detail) : one.warn([detail, warning], 'Install the tbot of the cluster.');
  } catch (error) {
    return one.failed(asMachineIdError(error));
  }
}

/** Asked for nothing while there is no address. */
const NOWHERE = { host: 'localhost', port: 1 };
