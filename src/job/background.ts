/**
 * Processes of a job that outlive the step that starts them: starts, lists and stops them. `background-work.ts` is the side of
 * the process itself.
 */
import type { DetachedProcess } from '../effects/detached.ts';
import { fileErrorText } from '../effects/file-error.ts';
import type { Processes } from '../effects/processes.ts';
import { BACKGROUND_COMMAND, type World } from '../effects/world.ts';
import { MachineIdError } from '../errors.ts';
import {
  type BackgroundName,
  type BackgroundPaths,
  createBackgroundFiles,
  logTail,
  type Payload,
  readStatus,
  type Status,
} from './background-files.ts';
import { STOP_GRACE_MS } from './background-work.ts';
import { failureOfAnswer, readAnswer } from './background-report.ts';
import { type BackgroundEntry, readManifests, type StoredManifest } from './manifest.ts';

export interface BackgroundStart extends BackgroundName {
  /** The command of this program and its flags; they contain no secrets, because other processes can see them. */
  readonly args: readonly string[];
  readonly readyTimeoutMs: number;
}

/**
 * Starts this program again with `args`, detached from the step, and waits until its work calls `ready`. The command must call
 * `runBackground` with the same kind and name. A process of the same kind and name that still runs is stopped first.
 *
 * If it is not ready in time, ends before, or this process is interrupted, it is killed and its last log lines are printed.
 * @returns the payload of `ready`
 * @throws MachineIdError BACKGROUND_NOT_STARTED; the error of the process, if that failed; the reason of `world.signal`
 */
export async function startBackground(world: World, start: BackgroundStart): Promise<Payload> {
  const { bundlePath, environment, nodePath } = world;
  requireBackground(world, start.kind);
  await stopEarlier(world, start);
  const paths = await filesFor(world, start);
  let child: DetachedProcess;
  try {
    const options = { environment, logPath: paths.log };
    child = await world.startDetached(nodePath, [bundlePath, BACKGROUND_COMMAND, ...start.args], options);
  } catch (cause) {
    throw notStarted(start, `could not be started: ${fileErrorText(cause)}`, cause);
  }
  try {
    await child.pipe.write(JSON.stringify({ kind: start.kind, name: start.name, ...paths }));
    return await answerOf(child, start, world);
  } catch (error) {
    await end(child, world);
    await printTail(paths.log, start, world);
    throw error;
  } finally {
    child.release();
  }
}

/** @throws MachineIdError BACKGROUND_NOT_STARTED where processes cannot run in the background */
export function requireBackground({ files }: Pick<World, 'files'>, kind: BackgroundName['kind']): void {
  if (files.platform !== 'win32') return;
  throw new MachineIdError('BACKGROUND_NOT_STARTED', `a ${kind} cannot run in the background on Windows`, {
    hint: 'Use a Linux or macOS executor for this job.',
  });
}

async function stopEarlier(world: World, start: BackgroundName): Promise<void> {
  const earlier = await listBackground(world);
  for (const one of earlier.filter(({ kind, name }) => kind === start.kind && name === start.name)) {
    const failure = await stopBackground(world, one);
    if (failure !== undefined) throw notStarted(start, `replaces process ${one.processId}, which ${failure}`);
  }
}

async function filesFor({ environment, files }: World, start: BackgroundName): Promise<BackgroundPaths> {
  try {
    return await createBackgroundFiles(files, environment, start);
  } catch (cause) {
    throw notStarted(start, `has no directory for its log: ${fileErrorText(cause)}`, cause);
  }
}

async function answerOf(child: DetachedProcess, start: BackgroundStart, world: World): Promise<Payload> {
  const first = await within(child.pipe.read(), start.readyTimeoutMs, world);
  if (first === LATE) throw notStarted(start, `was not ready within ${start.readyTimeoutMs / 1000} s`);
  const answer = readAnswer(first);
  if (answer === undefined) {
    const how = await within(child.ended, CLOSE_TO_EXIT_MS, world);
    throw notStarted(start, `${how === LATE ? 'closed its pipe' : how} before it was ready`);
  }
  if ('failed' in answer) throw failureOfAnswer(answer);
  return answer.ready;
}

const CLOSE_TO_EXIT_MS = 1000;

/** The child is not waited for elsewhere, so its id cannot belong to another process. */
async function end(child: DetachedProcess, { clock }: World): Promise<void> {
  const context = { clock, signal: new AbortController().signal };
  child.signal('SIGTERM');
  if ((await within(child.ended, STOP_GRACE_MS, context)) !== LATE) return;
  child.signal('SIGKILL');
  await within(child.ended, CLOSE_TO_EXIT_MS, context);
}

const LATE: unique symbol = Symbol('late');

/** @throws the reason of the signal */
async function within<T>(
  work: Promise<T>,
  timeoutMs: number,
  { clock, signal }: Pick<World, 'clock' | 'signal'>,
): Promise<T | typeof LATE> {
  const waiting = new AbortController();
  const onSignal = () => {
    waiting.abort(signal.reason);
  };
  if (signal.aborted) onSignal();
  signal.addEventListener('abort', onSignal, { once: true });
  const late = clock.sleep(timeoutMs, waiting.signal).then(
    (): typeof LATE => LATE,
    (): typeof LATE => LATE,
  );
  try {
    const first = await Promise.race([work, late]);
    signal.throwIfAborted();
    return first;
  } finally {
    signal.removeEventListener('abort', onSignal);
    waiting.abort();
  }
}

async function printTail(log: string, { kind, name }: BackgroundName, { files, mask, stderr }: World): Promise<void> {
  const lines = await logTail(files, log);
  if (lines.length === 0) return;
  stderr(
    mask.apply(`The last lines of the log of the ${kind} ${name}:\n${lines.map((line) => `  ${line}\n`).join('')}`),
  );
}

function notStarted({ kind, name }: BackgroundName, problem: string, cause?: unknown): MachineIdError {
  return new MachineIdError('BACKGROUND_NOT_STARTED', `the ${kind} ${name} ${problem}`, {
    hint: 'Read the log lines above, if there are any, and run the step again.',
    cause,
  });
}

// What is running.

/** A process of this job, as it is now. */
export interface BackgroundProcess extends BackgroundName {
  /** `died`: it ended without reporting why. `unseen`: its processes are not visible from here. */
  readonly state: Status['state'] | 'died' | 'unseen';
  /** When it entered the state; if it died, when it last reported. Undefined if it never reported anything. */
  readonly sinceMs: number | undefined;
  readonly processId: string;
  /** What it last reported. */
  readonly payload: Payload;
  readonly problem: string | undefined;
  readonly entry: BackgroundEntry;
}

/**
 * Every background process of this job that runs, and those that have ended, the latest of each kind and name.
 * @throws MachineIdError CLEANUP_FAILED if the job's manifest cannot be read
 */
export async function listBackground(world: World): Promise<readonly BackgroundProcess[]> {
  return backgroundIn(await readManifests(world.files, world.environment), world);
}

/** The same for other manifests. Of those that have ended, only the latest of a kind and name. */
export async function backgroundIn(
  manifests: readonly StoredManifest[],
  { files, listProcesses }: Pick<World, 'files' | 'listProcesses'>,
): Promise<readonly BackgroundProcess[]> {
  const entries = manifests.flatMap((manifest) =>
    manifest.entries.flatMap((one) => ('background' in one ? [one] : [])),
  );
  if (entries.length === 0) return [];
  const processes = await listProcesses();
  const latest = new Map(entries.map((entry) => [`${entry.background} ${entry.name}`, entry]));
  const shown = entries.filter(
    (one) => latest.get(`${one.background} ${one.name}`) === one || isRunning(one, processes),
  );
  return Promise.all(shown.map((entry) => stateOf(entry, files, processes)));
}

function isRunning({ processName, scope }: BackgroundEntry, processes: Processes | undefined): boolean {
  return processes?.scope === scope && processes.isRunning(processName);
}

async function stateOf(
  entry: BackgroundEntry,
  files: World['files'],
  processes: Processes | undefined,
): Promise<BackgroundProcess> {
  const status = await readStatus(files, entry.status);
  return {
    kind: entry.background,
    name: entry.name,
    state: liveState(entry, status, processes),
    sinceMs: status?.sinceMs,
    processId: entry.processName.split(' ', 1)[0] ?? '',
    payload: status?.payload ?? {},
    problem: status?.problem,
    entry,
  };
}

function liveState(
  entry: BackgroundEntry,
  status: Status | undefined,
  processes: Processes | undefined,
): BackgroundProcess['state'] {
  if (status?.state === 'stopped' || status?.state === 'failed') return status.state;
  if (processes?.scope !== entry.scope) return 'unseen';
  if (!isRunning(entry, processes)) return 'died';
  return status?.state ?? 'starting';
}

const POLL_MS = 50;

/**
 * Stops the process: SIGTERM, after `STOP_GRACE_MS` SIGKILL. Verifies that it is gone; never signals another process with the
 * same id.
 * @returns undefined if it is gone, otherwise why not, as the end of a sentence about it
 */
export async function stopBackground(
  { clock, listProcesses }: Pick<World, 'clock' | 'listProcesses'>,
  { entry, state }: BackgroundProcess,
): Promise<string | undefined> {
  if (state === 'died') return undefined;
  const processes = await listProcesses();
  if (processes?.scope !== entry.scope) {
    return state === 'stopped' || state === 'failed' ? undefined : 'is not visible from here';
  }
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    (await listProcesses())?.send(entry.processName, signal);
    for (let waitedMs = 0; waitedMs < STOP_GRACE_MS; waitedMs += POLL_MS) {
      if ((await listProcesses())?.isRunning(entry.processName) === false) return undefined;
      await clock.sleep(POLL_MS);
    }
  }
  return 'is still running';
}
