/** `run`: from the job's OIDC token to credentials on disk. */
import { dirname } from 'node:path';
import { stderrStyle } from '../cli/print.ts';
import { refuseScopes } from '../config/checks.ts';
import { loadPlan } from '../config/load.ts';
import type { Plan, PlannedRun } from '../config/plan.ts';
import { createLog } from '../effects/log.ts';
import { startRetries } from '../effects/retry.ts';
import type { World } from '../effects/world.ts';
import { asMachineIdError, MachineIdError, pluralize } from '../errors.ts';
import { appendLines, exportLines, openBashEnv } from '../job/bash-env.ts';
import { findLeftovers } from '../job/left-over.ts';
import { type Manifest, openManifest, type Writer } from '../job/manifest.ts';
import { tokenNotices } from '../job/oidc-check.ts';
import { obtainOidcToken, type OidcToken } from '../job/oidc-token.ts';
import { joinCluster, type Joined } from '../join/join.ts';
import { formatAddress } from '../net/address.ts';
import { startWireTrace } from '../net/trace.ts';
import { type WebTrust, webTrust } from '../net/trust.ts';
import { openWebApi } from '../net/web.ts';
import { type Account, openAccount, type RunEnd, type RunResult, startProgress } from '../outputs/journal.ts';
import { failureOfOutputs, makeKeys, prepareOutputs, writeOutputs } from '../outputs/outputs.ts';
import { refuseRemovedKeys, supportedOutputs } from '../outputs/supported.ts';
import { configuredOutput, type SupportedOutput } from '../outputs/types.ts';
import type { OutputKeys } from '../outputs/work.ts';
import { caFilePaths, unexpandedPath } from '../schema/unexpanded.ts';
import { clockDifference } from '../teleport/ping.ts';
import { exportedVariables, exportWarnings } from './exports.ts';
import { readRunArguments, type RunArguments } from './run-flags.ts';
import { headline, joinPathText, resultJson, resultObject, summaryText } from './run-result.ts';
import type { runWithTbot } from './run-with-tbot.ts';
import { beginTelemetry } from './telemetry.ts';

const MAX_INPUT_BYTES = 1024 * 1024;

/** @throws MachineIdError: wrong input before anything is contacted, everything else as it happens */
export async function run(args: readonly string[], world: World): Promise<void> {
  const given = readRunArguments(args);
  const account = openAccount(world.clock);
  const work = () => runToEnd(given, account, world);
  const { engine, report } = given;
  // A report with a path that will be refused has no place to go to.
  if (report === undefined || unexpandedPath(report) !== undefined) return work();
  const { withReport } = await import('./run-page.ts');
  return withReport(report, { account, engine }, world, work);
}

async function runToEnd(given: RunArguments, account: Account, world: World): Promise<void> {
  const { plan, outputs, trust, log } = await account.during('job', 'Configuration', () =>
    readInputs(given, account, world),
  );
  const progress = startProgress(log, world.clock, account.startMs);
  const trace = plan.debug ? startWireTrace(log, world.clock) : undefined;
  const { timeoutMs, deadlineMs } = given;
  const { clock, random, signal } = world;
  const retries = startRetries({ timeoutMs, deadlineMs, clock, random, log, signal });
  const writer = await writerOf(outputs, world);
  const manifest = openManifest(
    world.files,
    world.environment,
    (message) => {
      log.warn(message);
    },
    writer,
  );
  const current: PlannedRun = {
    world,
    log,
    progress,
    account,
    plan,
    outputs,
    retries,
    trace,
    record: manifest,
  };
  for (const warning of plan.warnings) log.warn(warning);
  await warnAboutLeftovers(current);
  progress.done('config', `configuration read: ${pluralize(outputs.length, 'output')}, Proxy ${plan.address.value}`);
  const token = await account.during('job', 'OIDC token', () => findToken(current, given.oidcToken));
  const exportPath = given.exportVariables ? await openBashEnv(world.files, world.environment) : undefined;
  await account.during('job', 'Destinations', () => prepareOutputs(current));
  const { failure, ...facts } =
    given.engine === 'tbot'
      ? await useTbot(current, trust, { jwt: token.jwt, caFile: given.caFile })
      : await withTelemetry(current, () => joinAndWrite(current, token, trust));
  const result: RunResult = {
    proxy: formatAddress(plan.address),
    ...facts,
    exported: [],
    spans: account.spans(),
    timingsMs: progress.timingsMs(),
  };
  world.signal.throwIfAborted();
  if (failure !== undefined) {
    // The failure counts, whether or not the rest can be shown.
    await printResult(result, given, current).catch(() => undefined);
    throw failure;
  }
  const exported = exportPath === undefined ? [] : await exportTo(exportPath, result, current, manifest);
  await printResult({ ...result, exported }, given, current);
}

/** @returns the names of the variables */
async function exportTo(
  path: string,
  result: RunResult,
  { account, log, world }: PlannedRun,
  manifest: Manifest,
): Promise<readonly string[]> {
  const { platform } = world.files;
  const variables = exportedVariables(result, platform);
  for (const warning of exportWarnings(result, platform)) log.warn(warning);
  const lines = exportLines(variables);
  await manifest.exports(path, lines);
  await appendLines(world.files, path, lines);
  const exported = [...variables.keys()];
  account.learn({ exported });
  return exported;
}

async function printResult(result: RunResult, { json }: RunArguments, { log, plan, world }: PlannedRun): Promise<void> {
  if (json) {
    for (const { notices, path } of result.outputs) {
      for (const notice of notices) log.warn(`${path}: ${notice}`);
    }
    await world.result(resultJson(result));
  } else if (plan.logFormat === 'json') log.info(headline(result), { result: resultObject(result) });
  else world.stderr(summaryText(result, { style: stderrStyle(world), debug: plan.debug }));
}

/** Credentials are asked for later in the run, and live from then on. */
const SLACK_MS = 10 * 60 * 1000;

async function writerOf(outputs: readonly SupportedOutput[], { clock, listProcesses }: World): Promise<Writer> {
  const processes = await listProcesses();
  const lifetimesMs = outputs.map((output) =>
    Math.max(output.ttlMs, 'sessionDurationMs' in output ? output.sessionDurationMs : 0),
  );
  return {
    scope: processes?.scope ?? '',
    processes: processes?.ancestors ?? [],
    endsMs: clock.nowMs() + Math.max(0, ...lifetimesMs) + SLACK_MS,
  };
}

/** A run does not fail because of what others have left. */
async function warnAboutLeftovers({ log, world }: PlannedRun): Promise<void> {
  const found = await findLeftovers({ ...world, nowMs: world.clock.nowMs() }).catch((error: unknown) => {
    log.debug(`what jobs before have left cannot be read: ${asMachineIdError(error).message}`);
    return [];
  });
  for (const { ended, files, job, reason } of found) {
    const folders = [...new Set(files.map((path) => dirname(path)))].join(', ');
    if (!ended) log.debug(`credentials of the job ${job} in ${folders} are left alone: ${reason}`);
    else {
      log.warn(
        `credentials of the job ${job}, which has ended (${reason}), are still in ${folders}: remove them with "cleanup --left-over" (orb parameter left_over)`,
      );
    }
  }
}

/** tbot reports its runs itself. */
async function withTelemetry<T>({ log, outputs, trace, world }: PlannedRun, work: () => Promise<T>): Promise<T> {
  const telemetry = await beginTelemetry(world, outputs, log, trace);
  try {
    return await work();
  } finally {
    telemetry.end();
  }
}

async function useTbot(...args: Parameters<typeof runWithTbot>): Promise<RunEnd> {
  return (await import('./run-with-tbot.ts')).runWithTbot(...args);
}

async function joinAndWrite(run: PlannedRun, token: OidcToken, trust: WebTrust): Promise<RunEnd> {
  const { joined, keys } = await join(run, token, trust);
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
}

/** Everything that can be wrong with the input, before anything is contacted or written. */
async function readInputs({ flags, caFile, engine, report }: RunArguments, account: Account, world: World) {
  const { environment, workingDirectory, files, stderr, clock, signal } = world;
  const readText = (path: string) => files.readInput(path, { maxBytes: MAX_INPUT_BYTES, signal });
  const otherPaths = { ...caFilePaths(caFile, environment), '--report': report };
  const plan = await loadPlan({ flags, environment, otherPaths, workingDirectory, readFile: readText });
  account.learn({ plan });
  if (engine === 'native') refuseScopes(plan);
  const outputs = supportedOutputs(plan);
  account.learn({ outputs: outputs.map((output) => configuredOutput(output)) });
  const trust = await webTrust({ ...world, caFile, insecure: plan.insecure, readText });
  const log = createLog(stderr, {
    format: plan.logFormat,
    debug: plan.debug,
    nowMs: () => clock.nowMs(),
    style: stderrStyle(world),
  });
  if (plan.insecure) log.warn('insecure: the web certificate of the Proxy is not checked');
  return { plan, outputs, trust, log };
}

async function findToken({ account, log, progress, world }: PlannedRun, variable?: string): Promise<OidcToken> {
  const token = await obtainOidcToken({ ...world, variable });
  for (const notice of tokenNotices(token, world.clock.nowMs())) log.warn(notice);
  account.learn({ claims: token.claims });
  const { projectId, contextIds } = token.claims;
  progress.done(
    'oidcToken',
    `OIDC token from ${token.source}: project ${projectId ?? 'unknown'}, ${pluralize(contextIds.length, 'context')}`,
  );
  return token;
}

/** The keys of the outputs are made while the join is under way: their kind is known from discovery on. */
async function join(
  { world, log, progress, account, plan, outputs, retries, trace }: PlannedRun,
  token: OidcToken,
  trust: WebTrust,
): Promise<{ joined: Joined; keys: readonly OutputKeys[] }> {
  const { clock, signal } = world;
  const web = openWebApi({ address: plan.address, trust, retries, signal, trace });
  let keys: readonly OutputKeys[] = [];
  const discovered = account.begin('cluster', 'Discovery');
  try {
    const joined = await account.during('cluster', 'Join', () =>
      joinCluster({
        web,
        trust,
        facts: {
          ...token.claims,
          tokenName: plan.token,
          proxy: plan.address.value,
          checkedAtMs: clock.nowMs(),
        },
        jwt: token.jwt,
        ttlMs: plan.certificateTtlMs,
        retries,
        clock,
        log,
        signal,
        trace,
        onDiscovered: (cluster) => {
          discovered();
          account.learn({ cluster: cluster.clusterName, clusterVersion: cluster.serverVersion.text });
          refuseRemovedKeys(plan, cluster.serverVersion, `the cluster ${cluster.clusterName} runs`);
          keys = makeKeys(outputs, cluster.suite);
          const made = keys.flatMap(({ routed, unrouted }) => [unrouted, routed]);
          if (made.length > 0) void Promise.all(made).then(account.begin('job', 'Keys'), () => undefined);
          const difference = clockDifference(cluster, clock.nowMs());
          if (difference !== undefined) log.warn(difference);
          progress.done('discovery', `cluster ${cluster.clusterName}, Teleport ${cluster.serverVersion.text}`);
        },
      }),
    );
    account.learn({ bot: joined.bot.botName, joinPath: joined.path });
    progress.done('join', `joined as bot ${joined.bot.botName} by ${joinPathText(joined.path)}`);
    return { joined, keys };
  } catch (error) {
    throw plan.address.kind === 'auth' ? explainAuthAddress(error, plan.address) : error;
  } finally {
    web.close();
  }
}

/** `auth_server` of older files usually names a Proxy; when it really is an Auth Service, its port does not speak HTTPS. */
function explainAuthAddress(error: unknown, { value, origin }: Plan['address']): unknown {
  const codes: readonly string[] = ['PROXY_NOT_TELEPORT', 'PROXY_UNREACHABLE', 'PROXY_UNTRUSTED'];
  if (!(error instanceof MachineIdError) || !codes.includes(error.code)) return error;
  return new MachineIdError(error.code, `${error.message} (the address ${value} is from ${origin})`, {
    hint: "This program joins through the Proxy: set proxy_server (or --proxy-server) to the web address of the Proxy in place of the Auth Service's.",
    cause: error,
  });
}
