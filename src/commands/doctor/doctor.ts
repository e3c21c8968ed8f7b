/** `doctor`: checks everything `run` needs, without changing anything, and suggests fixes. */
import type { Plan } from '../../config/plan.ts';
import { createLog, type Log } from '../../effects/log.ts';
import { type Retries, startRetries } from '../../effects/retry.ts';
import { type Style, styleFor } from '../../effects/terminal.ts';
import { VERSION, type World } from '../../effects/world.ts';
import { asMachineIdError, MachineIdError, printableJson } from '../../errors.ts';
import type { JoinedCluster } from '../../join/join.ts';
import { type Network, openNetwork } from '../../net/network.ts';
import { startWireTrace, type WireTrace } from '../../net/trace.ts';
import { openUpgrades, type Upgrades } from '../../teleport/connection-upgrade.ts';
import { openWebApi } from '../../net/web.ts';
import { refuseRemovedKeys } from '../../outputs/supported.ts';
import { checkTbotVersion, readTbotVersion } from '../../tbot/program.ts';
import { guardCluster, guardJob } from '../guards.ts';
import { readTokenFile, type TokenFile } from '../token-verdict.ts';
import { type Check, check, type CheckState } from './check.ts';
import { type AuthServerFindings, authServerChecks } from './auth-server-checks.ts';
import { clusterChecks, withoutJoin } from './cluster-checks.ts';
import { configChecks, type ConfigFindings, type Settings } from './config-checks.ts';
import { reportEgress } from './egress.ts';
import { readDoctorArguments } from './flags.ts';
import { writeJunit } from './junit.ts';
import { networkChecks, type NetworkFindings, withInvalidProxy, withoutAddress } from './network-checks.ts';
import { programChecks } from './program-checks.ts';
import { proxyChecks } from './proxy-checks.ts';
import { tokenChecks, type TokenFindings } from './token-checks.ts';
import { writeTargetChecks, type WriteTargets } from './write-target-checks.ts';

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
      hint: 'Apply the fix printed below the first one; the other failures may be consequences of it.',
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

const STATE_STYLES = { pass: 'success', warn: 'warning', fail: 'failure', skip: 'dim' } as const;

function checkList(checks: readonly Check[], style: Style): string {
  const width = Math.max(...checks.map(({ title }) => title.length));
  const lines = checks.flatMap(({ fix, detail, state, title }) => {
    const [first = '', ...more] = detail.split('\n');
    const indent = ' '.repeat(6 + width + 2);
    return [
      `${style[STATE_STYLES[state]](state)}  ${title.padEnd(width)}  ${first}`,
      ...more.map((line) => `${indent}${line}`),
      ...(fix === undefined ? [] : [`${indent}${style.bold('fix:')} ${fix}`]),
    ];
  });
  const { failed, passed, skipped, warned } = counts(checks);
  return `${lines.join('\n')}\n\n${passed} passed, ${warned} warned, ${failed} failed, ${skipped} skipped\n`;
}

interface DoctorOptions extends Settings, Omit<WriteTargets, 'outputs'> {
  readonly tokenFile: string | undefined;
  /** The version of this program. */
  readonly version: string;
  readonly timeoutMs: number;
  readonly deadlineMs: number;
}

/**
 * Every check, in the order in which a person looks for a problem. Independent checks run concurrently. A problem becomes
 * a failed check; rejects only when the signal of the world is aborted.
 */
async function runChecks(options: DoctorOptions, world: World): Promise<readonly Check[]> {
  const { version } = options;
  const [program, config] = await Promise.all([programChecks(world, version), configChecks(options, world)]);
  const token = await tokenChecks(options.oidcToken, config.plan?.tokenRequest ?? { joinMethod: 'circleci' }, world);
  const writeTargets = await writeTargetChecks({ ...options, outputs: config.outputs }, world);
  const onNetwork = await networkFindings(config, options, world);
  world.signal.throwIfAborted();
  const rest = await clusterFindings(options, { config, onNetwork, token }, world);
  world.signal.throwIfAborted();
  return [...program, ...token.checks, ...config.checks, ...writeTargets, ...onNetwork.checks, ...rest];
}

type OnNetwork = NetworkFindings & {
  /** What is at the address of `auth_server`; undefined if the address is that of a Proxy. */
  readonly server?: AuthServerFindings;
  readonly network: Network;
  readonly upgrades: Upgrades;
  readonly retries: Retries;
  readonly log: Log;
  readonly trace: WireTrace | undefined;
};

async function networkFindings(config: ConfigFindings, options: DoctorOptions, world: World): Promise<OnNetwork> {
  const { address, plan, trust } = config;
  const { timeoutMs } = options;
  const { clock, environment } = world;
  const { debug = false, logFormat: format = 'text' } = plan ?? {};
  const log = createLog(world.stderr, { format, debug, nowMs: () => clock.nowMs() });
  const trace = debug ? startWireTrace(log, clock) : undefined;
  const over = (network: Network) => {
    const upgrades = openUpgrades({ network, trust: () => Promise.resolve(trust), environment, trace });
    const retries = startRetries({ ...options, ...world, log });
    return { network, upgrades, retries, log, trace };
  };
  let network: Network;
  try {
    network = openNetwork({ ...world, authorities: () => Promise.resolve(trust.elsewhere?.()), timeoutMs });
  } catch (error) {
    // The obstacle keeps the other checks from using the network.
    return { ...withInvalidProxy(asMachineIdError(error)), ...over(openNetwork({ environment: {} })) };
  }
  const on = over(network);
  if (address === undefined) return { ...withoutAddress(), ...on };
  if (address.kind === 'proxy') return { ...(await networkChecks({ address, timeoutMs, trust, ...on }, world)), ...on };
  const server = await authServerChecks({ ...config, ...on, address, timeoutMs }, world);
  if (server.kind === 'auth') return { ...server, server, ...on };
  const { checks, obstacle } = await networkChecks({ address, timeoutMs, trust, ...on }, world);
  return { checks: [...server.checks, ...checks], obstacle, ...on };
}

interface Findings {
  readonly config: ConfigFindings;
  readonly onNetwork: OnNetwork;
  readonly token: TokenFindings;
}

async function clusterFindings(
  { engine, tokenFile: path }: DoctorOptions,
  { config, onNetwork, token: { token } }: Findings,
  world: World,
): Promise<readonly Check[]> {
  const { log, network, obstacle: unreachable, server, trace, upgrades } = onNetwork;
  const retries = onNetwork.retries.withNewDeadline();
  const { address = PLACEHOLDER, obstacle, outputs, plan, trust } = config;
  const web = openWebApi({ address, network, trust, retries, signal: world.signal, trace });
  const skipped = (reason: string) => [
    check('join', 'Join').skipped(reason),
    ...withoutJoin(outputs, 'there was no join'),
  ];
  try {
    const auth = server?.kind === 'auth' ? server.found : undefined;
    const { checks: found, cluster } =
      server?.kind === 'auth'
        ? { checks: [], cluster: auth?.cluster }
        : await proxyChecks({ web, network, plan, upgrades, retries, obstacle: unreachable }, world);
    const { checks: ofFile, tokenFile } = await tokenFileCheck(path, plan, world);
    const checks = [...found, ...ofFile];
    if (engine === 'tbot') checks.push(await tbotCheck(plan, cluster, world));
    if (cluster === undefined)
      return [...checks, ...skipped(unreachable ?? 'there is no valid response from the Proxy')];
    if (plan === undefined || obstacle !== undefined)
      return [...checks, ...skipped(obstacle ?? 'the configuration is invalid')];
    if (token === undefined) return [...checks, ...skipped('there is no valid OIDC token')];
    const refusal = guardRefusal(() => {
      guardJob(plan, token.claims, world);
      guardCluster(plan, cluster.clusterName);
    });
    if (refusal !== undefined) return [...checks, refusal, ...skipped('a guard refused this job')];
    const removed = removedKeysCheck(plan, cluster);
    if (removed !== undefined)
      return [...checks, removed, ...skipped('the cluster does not support this configuration')];
    const trial = { plan, outputs, token, network, upgrades, trust, web, retries, log, trace, tokenFile };
    return [...checks, ...(await clusterChecks({ ...trial, verification: auth?.verification }, world))];
  } finally {
    web.close();
  }
}
/** Without a file, or with one that cannot be read, a refusal is not compared with it. */
async function tokenFileCheck(
  path: string | undefined,
  plan: Plan | undefined,
  world: World,
): Promise<{ readonly checks: readonly Check[]; readonly tokenFile: TokenFile | undefined }> {
  if (path === undefined || plan === undefined) return { checks: [], tokenFile: undefined };
  const one = check('token-file', 'Token file');
  try {
    const tokenFile = await readTokenFile(path, plan, world);
    return { checks: [one.pass(`join token "${tokenFile.token.name}" in ${path}`)], tokenFile };
  } catch (error) {
    return { checks: [one.failed(asMachineIdError(error))], tokenFile: undefined };
  }
}

/** The error that `run` would fail with. */
function guardRefusal(guard: () => void): Check | undefined {
  try {
    guard();
    return undefined;
  } catch (error) {
    return check('guards', 'Guards').failed(asMachineIdError(error));
  }
}

/** The error that `run` would fail with. */
function removedKeysCheck(plan: Plan, { clusterName, serverVersion }: JoinedCluster): Check | undefined {
  try {
    refuseRemovedKeys(plan, serverVersion, `the cluster ${clusterName} runs`);
    return undefined;
  } catch (error) {
    return check('removed-keys', 'Removed keys').failed(asMachineIdError(error));
  }
}

/** Checks tbot alone. This program still tries the join itself, to show whether the token matches the rules. */
async function tbotCheck(plan: Plan | undefined, cluster: JoinedCluster | undefined, world: World): Promise<Check> {
  const one = check('tbot', 'tbot');
  try {
    const version = await readTbotVersion(world);
    const warning = cluster && checkTbotVersion(version, cluster, plan?.tokenRequest.joinMethod ?? 'circleci');
    if (plan !== undefined && version !== undefined) refuseRemovedKeys(plan, version, 'the tbot on PATH is');
    const detail = version === undefined ? 'on PATH' : `version ${version.text}`;
    return warning === undefined
      ? one.pass(detail)
      : one.warn([detail, warning], 'Install the tbot version of the cluster.');
  } catch (error) {
    return one.failed(asMachineIdError(error));
  }
}

/** Stands in for a missing address; never contacted. */
const PLACEHOLDER = { host: 'localhost', port: 1 };
