/**
 * The side of a process that works in the background of a job: it records itself before it does anything, reports its status,
 * and ends with the job.
 */
import { sharedController } from '../effects/time.ts';
import type { Processes } from '../effects/processes.ts';
import type { World } from '../effects/world.ts';
import { asMachineIdError, failureOf, MachineIdError } from '../errors.ts';
import {
  type BackgroundName,
  type BackgroundPaths,
  type BoundedLog,
  boundedLog,
  createBackgroundFiles,
  type Payload,
  processIdPath,
  type Status,
  writeStatus,
} from './background-files.ts';
import { failureAnswer, readInstruction } from './background-report.ts';
import { jobProcess, untilEnded } from './job-end.ts';
import { MAX_JOB_MS, recordBackground } from './manifest.ts';

/** What the work of such a process is given. */
export interface Background {
  /**
   * The world to work with. Its `stderr` writes to the log; in the foreground of a step, to this process's own stderr. Its
   * `signal` is aborted with a MachineIdError on SIGTERM, SIGINT and SIGHUP, when the job ends, and if the process that
   * started this one ends before `ready`. Then finish soon: after `STOP_GRACE_MS`, `cleanup` sends SIGKILL.
   */
  readonly world: World;
  /** Path of the status file. */
  readonly status: string;
  /** Replaces the payload of the status; `problem` says what does not work at present. Never rejects. */
  readonly report: (payload: Payload, problem?: string) => Promise<void>;
  /** Also lets the step that started the process end: `startBackground` returns this payload. Call it once. */
  readonly ready: (payload: Payload) => Promise<void>;
}

/** How long a process may take to stop. */
export const STOP_GRACE_MS = 5000;

/**
 * Does `work` as a process of the job, either in the process that `startBackground` has started or in the foreground of a step.
 * In both cases `listBackground` lists it and `cleanup` stops it.
 *
 * Resolves when the work is done, and when it was told to stop, whatever it throws then. If it fails before it is ready, the
 * process that started it fails with the same error.
 * @throws MachineIdError BACKGROUND_NOT_STARTED if the process cannot be recorded; what `work` throws
 */
export async function runBackground(
  world: World,
  { kind, name }: BackgroundName,
  work: (background: Background) => Promise<void>,
): Promise<void> {
  const paths = await pathsOf(world, { kind, name });
  const log = paths.log === '' ? undefined : boundedLog(world.files, paths.log, world.mask);
  const end = openEnd(world);
  const inside = { ...world, ...stderrOf(log, world), signal: end.signal };
  const reporter = openReporter(inside, paths.status);
  try {
    const processes = await world.listProcesses();
    await record({ kind, name }, paths, processes, inside);
    await reporter.change({ state: 'starting' });
    watchJob(processes, inside, end);
    await work({ ...backgroundOf(inside, reporter, end), status: paths.status });
    await reporter.change({ state: 'stopped' });
  } catch (cause) {
    const error = failureOf(cause, end.signal);
    const wasStopped = end.signal.aborted;
    await reporter.change({ state: wasStopped ? 'stopped' : 'failed', problem: error.message });
    inside.stderr(`${wasStopped ? 'Stopped' : 'Failed'}: ${error.message}\n`);
    await world.starter?.write(JSON.stringify(failureAnswer(error)));
    if (!wasStopped) throw error;
  } finally {
    end.finish();
    world.starter?.close();
    await log?.flush();
  }
}

/** From the process that started this one; in the foreground, only the status is new. */
async function pathsOf({ environment, files, starter }: World, name: BackgroundName): Promise<BackgroundPaths> {
  if (starter !== undefined) {
    const instruction = readInstruction(await starter.read());
    if (instruction?.kind === name.kind && instruction.name === name.name) return instruction;
    throw notRecorded('the process that started it gave it no valid instruction');
  }
  try {
    const paths = await createBackgroundFiles(files, environment, name);
    await files.remove(paths.log);
    return { ...paths, log: '' };
  } catch (cause) {
    throw notRecorded(asMachineIdError(cause).message);
  }
}

function stderrOf(log: BoundedLog | undefined, world: World): Pick<World, 'stderr' | 'stderrIsTerminal'> {
  if (log === undefined) return world;
  return {
    stderr: (text) => {
      log.write(text);
    },
    stderrIsTerminal: false,
  };
}

/** Without a record, `cleanup` would not know of the process. */
async function record(
  name: BackgroundName,
  { log, status }: BackgroundPaths,
  processes: Processes | undefined,
  { clock, environment, files }: World,
): Promise<void> {
  const { ancestors = [], scope = '', self = '' } = processes ?? {};
  await files.createFile(processIdPath(status), `${self.split(' ', 1)[0] ?? ''}\n`);
  const failure = await recordBackground(
    files,
    environment,
    { background: name.kind, name: name.name, scope, processName: self, status, log },
    { scope, processes: ancestors, endsMs: clock.nowMs() + MAX_JOB_MS },
  );
  if (failure !== undefined) throw notRecorded(failure);
}

function notRecorded(reason: string): MachineIdError {
  return new MachineIdError('BACKGROUND_NOT_STARTED', `the process cannot be recorded for "cleanup": ${reason}`, {
    hint: 'Check that the home directory or the temporary directory belongs to this user, that no other user may write there, and that the disk has space.',
  });
}

// The end.

interface End {
  readonly signal: AbortSignal;
  readonly stop: (reason: string) => void;
  /** No longer listens to anything. */
  readonly finish: () => void;
}

function openEnd({ signal }: World): End {
  const controller = sharedController();
  const onSignal = () => {
    controller.abort(signal.reason);
  };
  if (signal.aborted) onSignal();
  signal.addEventListener('abort', onSignal, { once: true });
  const stop = (reason: string) => {
    controller.abort(new MachineIdError('INTERRUPTED', reason, { hint: 'Nothing needs to be done.' }));
  };
  return {
    signal: controller.signal,
    stop,
    finish: () => {
      signal.removeEventListener('abort', onSignal);
      stop('the work is done');
    },
  };
}

function watchJob(processes: Processes | undefined, world: World, { signal, stop }: End): void {
  const name = processes && jobProcess(processes, world.environment);
  if (name === undefined) {
    world.stderr(
      'What starts the steps of the job is not visible: this process ends with the container, or when cleanup stops it.\n',
    );
    return;
  }
  untilEnded(name, world, signal).then(
    () => {
      stop('the job has ended');
    },
    () => undefined, // it ends for another reason
  );
}

// Status and readiness.

interface Reporter {
  /** What is not given stays, except the problem. Never rejects. */
  readonly change: (change: Partial<Pick<Status, 'state' | 'payload' | 'problem'>>) => Promise<void>;
}

function openReporter({ clock, files, stderr }: World, path: string): Reporter {
  let status: Status = { state: 'starting', sinceMs: clock.nowMs(), updatedMs: clock.nowMs(), payload: {} };
  let last = Promise.resolve();
  const write = async (next: Status) => {
    try {
      await writeStatus(files, path, next);
    } catch (error) {
      stderr(`The status cannot be written: ${asMachineIdError(error).message}\n`);
    }
  };
  return {
    change: ({ payload = status.payload, problem, state = status.state }) => {
      const nowMs = clock.nowMs();
      const sinceMs = state === status.state ? status.sinceMs : nowMs;
      status = { state, sinceMs, updatedMs: nowMs, payload, ...(problem === undefined ? {} : { problem }) };
      const next = status;
      last = last.then(() => write(next));
      return last;
    },
  };
}

function backgroundOf(world: World, { change }: Reporter, { stop }: End): Omit<Background, 'status'> {
  const { starter } = world;
  let isReady = false;
  void starter?.read().then(() => {
    if (!isReady) stop('the process that started it ended before it was ready');
  });
  return {
    world,
    report: (payload, problem) => change({ payload, ...(problem === undefined ? {} : { problem }) }),
    ready: async (payload) => {
      await change({ state: 'ready', payload });
      isReady = true;
      await starter?.write(JSON.stringify({ ready: payload }));
      starter?.close();
    },
  };
}
