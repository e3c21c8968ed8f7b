/** `run`: from the job's OIDC token to credentials on disk. */
import { stderrStyle } from '../cli/print.ts';
import type { PlannedRun } from '../config/plan.ts';
import { createLog } from '../effects/log.ts';
import type { World } from '../effects/world.ts';
import { MachineIdError, pluralize } from '../errors.ts';
import { appendLines, exportedToLaterSteps, exportLines, openBashEnv } from '../job/bash-env.ts';
import { tokenNotices } from '../job/oidc-check.ts';
import { obtainOidcToken } from '../job/oidc-token.ts';
import type { OidcToken, TokenRequest } from '../job/token-request.ts';
import { type Journal, openJournal } from '../outputs/journal.ts';
import type { RunEnd, RunResult } from '../outputs/result.ts';
import { prepareOutputs } from '../outputs/produce.ts';
import { unexpandedPath } from '../schema/unexpanded.ts';
import { exportedVariables, exportWarnings } from './exports.ts';
import { guardJob, hasGuardOfCluster } from './guards.ts';
import { readConfiguration } from './run-configuration.ts';
import { readRunArguments, type RunArguments } from './run-flags.ts';
import type { TokenFile } from './token-verdict.ts';
import { staleVariableWarning } from './stale-variables.ts';
import { headline, resultJson, resultObject, summaryText } from './run-result.ts';

/** @throws MachineIdError; invalid input is reported before anything is contacted */
export async function run(args: readonly string[], world: World): Promise<void> {
  const given = readRunArguments(args);
  const journal = openRunJournal(world);
  const { engine, report } = given;
  // No report is written to a path that will be rejected.
  if (report === undefined || unexpandedPath(report) !== undefined) return runToEnd(given, journal, world);
  const { withReport } = await import('./run-page.ts');
  return withReport(report, { journal, engine }, world, () => runToEnd(given, journal, world));
}

async function runToEnd(given: RunArguments, journal: Journal, world: World): Promise<void> {
  if (given.refresh) (await import('./start-keeper.ts')).requireKeeper(world);
  const run = await readConfiguration(given, journal, world);
  const tokenFile = await readTokenFile(given, run);
  const token = await findToken(given, run);
  const exportPath = given.exportVariables ? await openBashEnv(world.files, world.environment) : undefined;
  const { failure, ...end } = await prepareAndWrite(given, { run, token, tokenFile });
  const result = { ...end, exported: [] };
  world.signal.throwIfAborted();
  if (failure !== undefined) {
    // The run ends with this failure, whether or not the rest can be printed.
    await printResult(result, given, run).catch(() => undefined);
    throw failure;
  }
  await warnAboutStaleVariables(result, run, exportPath !== undefined);
  const exported = exportPath === undefined ? [] : await exportTo(exportPath, result, run);
  await printResult({ ...result, exported }, given, run);
  if (given.refresh) await (await import('./start-keeper.ts')).startKeeper(given, result.outputs, run, exportPath);
}

/** From the OIDC token to the outputs. @throws MachineIdError as the engines do; outputs that fail are in the result */
export async function prepareAndWrite(given: RunArguments, found: Explanation): Promise<RunEnd> {
  const { run, token } = found;
  const prepare = () => run.journal.step('destinations', () => prepareOutputs(run));
  const isGuarded = hasGuardOfCluster(run.plan);
  // Otherwise a destination that cannot be written is reported before the join.
  if (!isGuarded) await prepare();
  return explained(() => joinAndWrite(given, run, token, isGuarded ? prepare : nothing), found);
}

const nothing = () => Promise.resolve();

/** The configuration says how to log; until it is read, lines are plain text. */
export function openRunJournal(world: World): Journal {
  const { clock, stderr } = world;
  return openJournal(clock, (plan) =>
    createLog(stderr, {
      format: plan?.logFormat ?? 'text',
      debug: plan?.debug ?? false,
      nowMs: () => clock.nowMs(),
      style: stderrStyle(world),
    }),
  );
}

/** @throws MachineIdError as `obtainOidcToken` does */
export function findToken(
  { oidcToken: variable }: Pick<RunArguments, 'oidcToken'>,
  { journal, plan, world }: PlannedRun,
): Promise<OidcToken> {
  const { tokenRequest: request } = plan;
  warnAboutReplacedSource(variable, request, journal);
  return journal.step(
    'oidcToken',
    async () => {
      const token = await obtainOidcToken({ ...world, variable, request });
      guardJob(plan, token.claims, world);
      for (const notice of tokenNotices(token, world.clock.nowMs(), request)) journal.warn(notice);
      return token;
    },
    ({ claims, source }) => ({
      facts: { claims },
      message: `OIDC token from ${source}: project ${claims.projectId ?? 'unknown'}, ${pluralize(claims.contextIds.length, 'context')}`,
    }),
  );
}

function warnAboutReplacedSource(variable: string | undefined, request: TokenRequest, journal: Journal): void {
  if (variable === undefined || request.joinMethod === 'circleci' || request.source === undefined) return;
  journal.warn(`--oidc-token replaces ${request.source.setting}`);
}

/** The rules of join tokens are loaded only if a file is given. */
export async function readTokenFile(
  { tokenFile }: RunArguments,
  { plan, world }: PlannedRun,
): Promise<TokenFile | undefined> {
  if (tokenFile === undefined) return undefined;
  return (await import('./token-verdict.ts')).readTokenFile(tokenFile, plan, world);
}

interface Explanation {
  readonly run: PlannedRun;
  readonly token: OidcToken;
  readonly tokenFile: TokenFile | undefined;
}

/** Adds what the join token in the file decides about the job, if the cluster refuses it. */
async function explained<T>(work: () => Promise<T>, { run, token, tokenFile }: Explanation): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (tokenFile === undefined || !(error instanceof MachineIdError)) throw error;
    const { withVerdict } = await import('./token-verdict.ts');
    throw withVerdict(error, tokenFile, token, run.world.clock.nowMs());
  }
}

/** Only the engine that is used is loaded. */
async function joinAndWrite(
  { caFile, engine }: RunArguments,
  run: PlannedRun,
  token: OidcToken,
  onAllowed: () => Promise<void>,
): Promise<RunEnd> {
  switch (engine) {
    case 'native':
      return (await import('./run-natively.ts')).runNatively(run, token, onAllowed);
    case 'tbot':
      return (await import('./run-with-tbot.ts')).runWithTbot(run, { jwt: token.jwt, caFile }, onAllowed);
    default:
      return engine satisfies never;
  }
}

export type UntimedResult = Omit<RunResult, 'spans' | 'timingsMs'>;

/** Before this run exports anything, so that what earlier ones exported can be told apart. */
export async function warnAboutStaleVariables(
  result: UntimedResult,
  { journal, world: { environment, files } }: PlannedRun,
  exports: boolean,
): Promise<void> {
  const described = exportedVariables(result, files.platform);
  const earlier = await exportedToLaterSteps(files, environment);
  const later = { described, exported: exports ? described : NO_VARIABLES, earlier };
  const warning = staleVariableWarning(result, later, environment);
  if (warning !== undefined) journal.warn(warning);
}

const NO_VARIABLES: ReadonlyMap<string, string> = new Map();

/** @returns the names of the variables */
async function exportTo(
  path: string,
  result: UntimedResult,
  { journal, record, world: { files } }: PlannedRun,
): Promise<readonly string[]> {
  const variables = exportedVariables(result, files.platform);
  for (const warning of exportWarnings(result, files.platform)) journal.warn(warning);
  const lines = exportLines(variables);
  await record.exports(path, lines);
  await appendLines(files, path, lines);
  const exported = [...variables.keys()];
  journal.note({ exported });
  return exported;
}

async function printResult(
  untimed: UntimedResult,
  { json }: RunArguments,
  { journal, plan, world }: PlannedRun,
): Promise<void> {
  const result = { ...untimed, spans: journal.spans(), timingsMs: journal.timingsMs() };
  if (json) {
    for (const { notices, path } of result.outputs) {
      for (const notice of notices) journal.warn(`${path}: ${notice}`);
    }
    await world.result(resultJson(result));
  } else if (plan.logFormat === 'json') journal.info(headline(result), { result: resultObject(result) });
  else world.stderr(summaryText(result, { style: stderrStyle(world), debug: plan.debug }));
}
