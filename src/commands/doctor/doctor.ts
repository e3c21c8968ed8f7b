/** `doctor`: checks everything that a run needs, without changing anything, and suggests fixes. */
import type { Plan } from '../../config/plan.ts';
import { createLog } from '../../effects/log.ts';
import { startRetries } from '../../effects/retry.ts';
import { type Style, styleFor } from '../../effects/terminal.ts';
import { VERSION, type World } from '../../effects/world.ts';
import { asMachineIdError, MachineIdError, printableJson } from '../../errors.ts';
import { startWireTrace } from '../../net/trace.ts';
import { openWebApi } from '../../net/web.ts';
import { refuseRemovedKeys } from '../../outputs/output.ts';
import { checkTbotVersion, readTbotVersion } from '../../tbot/program.ts';
import type { ClusterFacts } from '../../teleport/ping.ts';
import { type Check, check, type CheckState } from './check.ts';
import { clusterChecks, withoutJoin } from './cluster-checks.ts';
import { configChecks, type ConfigFindings, programChecks, type Settings } from './config-checks.ts';
import { reportEgress } from './egress.ts';
import { readDoctorArguments } from './flags.ts';
import { writeJunit } from './junit.ts';
import { networkChecks, type NetworkFindings, proxyChecks, withoutAddress } from './network-checks.ts';
import { writeTargetChecks, type WriteTargets } from './place-checks.ts';
import { tokenChecks, type TokenFindings } from './token-checks.ts';

/** @throws MachineIdError DOCTOR_FAILED when a check failed; USAGE_INVALID, DESTINATION_UNWRITABLE */
export async function doctor(args: readonly string[], world: World): Promise<void> {
  const { egress, junit, json, mirrors, ...given } = readDoctorArguments(args);
  if (egress) {
    await reportEgress({ ...given, mirrors, junit, json }, world);
    return;
  }
  const { mask } = world;
  const checks = (await runChecks({ ...given, version: VERSION }, world)).map((one) => masked(one, mask));
  if (junit !== undefined) await writeJunit(junit, checks, world);
  await (json
    ? world.result(`${printableJson({ version: VERSION, ...counts(checks), checks })}\n`)
    : world.stdout(checkList(checks, styleFor(world.stdoutIsTerminal, world.environment))));
  const { failed } = counts(checks);
  if (failed > 0) {
    throw new MachineIdError('DOCTOR_FAILED', `${failed} of ${checks.length} checks failed`, {
      hint: 'Fix the first one, whose fix is printed beside it; others may follow from it.',
    });
  }
}

function masked({ fix, detail, ...one }: Check, mask: World['mask']): Check {
  return {
    ...one,
    detail: mask.apply(detail),
    ...(fix === undefined ? {} : { fix: mask.apply(fix) }),
  };
}

function counts(checks: readonly Check[]): Readonly<Record<'passed' | 'warned' | 'failed' | 'skipped', number>> {
  const count = (state: CheckState) => checks.filter((one) => one.state === state).length;
  return { passed: count('pass'), warned: count('warn'), failed: count('fail'), skipped: count('skip') };
}

const STATE_STYLES = { pass: 'good', warn: 'doubtful', fail: 'bad', skip: 'faint' } as const;

function checkList(checks: readonly Check[], style: Style): string {
  const width = Math.max(...checks.map(({ title }) => title.length));
  const lines = checks.flatMap(({ fix, detail, state, title }) => {
    const [first = '', ...more] = detail.split('\n');
    const indent = ' '.repeat(6 + width + 2);
    return [
      `${style[STATE_STYLES[state]](state)}  ${title.padEnd(width)}  ${first}`,
      ...more.map((line) => `${indent}${line}`),
      ...(fix === undefined ? [] : [`${indent}${style.strong('fix:')} ${fix}`]),
    ];
  });
  const { failed, passed, skipped, warned } = counts(checks);
  return `${lines.join('\n')}\n\n${passed} passed, ${warned} warned, ${failed} failed, ${skipped} skipped\n`;
}

// Every check, in the order in which a person looks for a problem; those that need nothing of each other run at once.

interface DoctorOptions extends Settings, Omit<WriteTargets, 'outputs'> {
  /** Of this program. */
  readonly version: string;
  readonly timeoutMs: number;
  readonly deadlineMs: number;
}

/** Never rejects but for the signal of the world: what goes wrong is a check that failed. */
async function runChecks(examination: DoctorOptions, world: World): Promise<readonly Check[]> {
  const { timeoutMs, version } = examination;
  const [program, config, token] = await Promise.all([
    programChecks(world, version),
    configChecks(examination, world),
    tokenChecks(examination.oidcToken, world),
  ]);
  const places = await writeTargetChecks({ ...examination, outputs: config.outputs }, world);
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
  { deadlineMs, engine, timeoutMs }: DoctorOptions,
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
