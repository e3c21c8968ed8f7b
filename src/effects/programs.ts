/** Runs other programs, with a deadline and a limit on their output. */
import { type ChildProcess, spawn } from 'node:child_process';
import { errorCode } from './file-error.ts';

export interface CommandResult {
  /** The exit code; undefined if the program could not be started, was killed, or printed too much. */
  readonly exitCode: number | undefined;
  /** True if the program is not on `PATH`. */
  readonly missing?: boolean;
  /** Why it was terminated: it took too long, or printed too much. */
  readonly stoppedFor?: 'time' | 'output';
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandLimits {
  readonly timeoutMs: number;
  /** Limit for each stream; a program that prints more is terminated. */
  readonly maxBytes: number;
  /** Terminates the program. */
  readonly signal?: AbortSignal;
  /** Where it runs, and where relative paths start; by default the working directory of this process. */
  readonly directory?: string;
}

export interface Commands {
  /**
   * Runs `file` from `PATH` without a shell. Terminating it also terminates the programs that it has started. Never rejects:
   * a missing program has no exit code.
   */
  run(file: string, args: readonly string[], limits: CommandLimits): Promise<CommandResult>;
}

const GRACE_MS = 500;

export const systemCommands: Commands = { run };

async function run(
  file: string,
  args: readonly string[],
  { directory, timeoutMs, maxBytes, signal }: CommandLimits,
): Promise<CommandResult> {
  // Not AbortSignal.any, which Node 18 lacks.
  const end = new AbortController();
  const onAbort = () => {
    end.abort();
  };
  if (signal?.aborted === true) onAbort();
  signal?.addEventListener('abort', onAbort, { once: true });
  const [stdout, stderr] = [collector(maxBytes, onAbort), collector(maxBytes, onAbort)];
  const ended = await runChild(file, args, {
    directory,
    timeoutMs,
    graceMs: GRACE_MS,
    signal: end.signal,
    onStdout: stdout.add,
    onStderr: stderr.add,
  });
  signal?.removeEventListener('abort', onAbort);
  const exitCode = ended.outcome === 'exited' && !end.signal.aborted ? ended.exitCode : undefined;
  const missing = ended.outcome === 'not started' && ended.reason === 'ENOENT';
  const stoppedFor =
    stdout.isExceeded() || stderr.isExceeded() ? 'output' : ended.outcome === 'late' ? 'time' : undefined;
  return {
    exitCode,
    ...(missing ? { missing } : {}),
    ...(stoppedFor === undefined ? {} : { stoppedFor }),
    stdout: stdout.text(),
    stderr: stderr.text(),
  };
}

/** Keeps the first `maxBytes` bytes, and calls `onExcess` if there are more. */
function collector(maxBytes: number, onExcess: () => void) {
  const chunks: Buffer[] = [];
  let bytes = 0;
  return {
    add: (chunk: Buffer) => {
      chunks.push(chunk.subarray(0, Math.max(0, maxBytes - bytes)));
      bytes += chunk.length;
      if (bytes > maxBytes) onExcess();
    },
    isExceeded: () => bytes > maxBytes,
    text: () => Buffer.concat(chunks).toString('utf8'),
  };
}

// Long-running programs, whose output is passed on line by line while they run.

export interface FollowOptions {
  /** The program's whole environment; its `PATH` is searched for the program. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs: number;
  /** Terminates the program. */
  readonly signal: AbortSignal;
  /** Called with each line of stdout and stderr, without its newline. */
  readonly onLine: (line: string) => void;
}

/** Runs `file` from `PATH` without a shell. Terminating it also terminates the programs that it has started. Never rejects. */
export type Follow = (file: string, args: readonly string[], options: FollowOptions) => Promise<ProgramExit>;

/** How long a program may take to exit after SIGTERM. */
const FOLLOW_GRACE_MS = 5000;

export const followProgram: Follow = (file, args, { environment, onLine, signal, timeoutMs }) => {
  const streams = [lineReader(onLine), lineReader(onLine)] as const;
  return runChild(file, args, {
    environment,
    timeoutMs,
    graceMs: FOLLOW_GRACE_MS,
    signal,
    onStdout: streams[0].add,
    onStderr: streams[1].add,
    onClose: () => {
      for (const stream of streams) stream.end();
    },
  });
};

/** A character may be split between two chunks. */
function lineReader(onLine: (line: string) => void) {
  const decoder = new TextDecoder();
  const lines = createLines(onLine);
  return {
    add: (chunk: Buffer) => {
      lines.push(decoder.decode(chunk, { stream: true }));
    },
    end: () => {
      lines.push(decoder.decode());
      lines.end();
    },
  };
}

// Each program runs in its own process group, so that terminating it also terminates what it has started.

interface ProgramOptions {
  /** The program's whole environment; undefined passes on that of this process. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  readonly directory?: string | undefined;
  readonly timeoutMs: number;
  /** How long the program may take to exit after SIGTERM, before its group gets SIGKILL. */
  readonly graceMs: number;
  /** Terminates the program. */
  readonly signal?: AbortSignal | undefined;
  readonly onStdout: (chunk: Buffer) => void;
  readonly onStderr: (chunk: Buffer) => void;
  /** Called once both streams have ended or were closed. */
  readonly onClose?: () => void;
}

export type ProgramExit =
  | { readonly outcome: 'exited'; readonly exitCode: number }
  | { readonly outcome: 'killed'; readonly by: string }
  | { readonly outcome: 'late' }
  /** `reason` is Node's code, such as ENOENT. */
  | { readonly outcome: 'not started'; readonly reason: string };

/** How long to read output after the program has exited: one of its children may hold the pipes open forever. */
const DRAIN_MS = 1000;

const running = new Set<ChildProcess>();

/** Runs `file` from `PATH` without a shell and with an empty stdin. Never rejects. */
function runChild(file: string, args: readonly string[], options: ProgramOptions): Promise<ProgramExit> {
  try {
    return watch(start(file, args, options), options);
  } catch (error) {
    return Promise.resolve({ outcome: 'not started', reason: reasonOf(error) });
  }
}

/** @throws errors that Node does not report by the event `error`, such as E2BIG */
function start(
  file: string,
  args: readonly string[],
  { directory, environment }: Pick<ProgramOptions, 'directory' | 'environment'>,
): ChildProcess {
  return spawn(file, [...args], {
    ...(environment === undefined ? {} : { env: { ...environment } }),
    ...(directory === undefined ? {} : { cwd: directory }),
    stdio: ['ignore', 'pipe', 'pipe'],
    windowsHide: true,
    // On Windows this would open a console window, and there are no process groups to signal.
    detached: process.platform !== 'win32',
  });
}

function watch(child: ChildProcess, options: ProgramOptions): Promise<ProgramExit> {
  const { graceMs, onClose, onStderr, onStdout, signal, timeoutMs } = options;
  return new Promise((resolve) => {
    running.add(child);
    // There are no streams if the program could not be started because of too few file descriptors.
    child.stdout?.on('data', onStdout);
    child.stderr?.on('data', onStderr);
    // Output read so far counts; the exit event reports how the program ended.
    for (const stream of [child.stdout, child.stderr]) stream?.on('error', () => undefined);
    let ending = false;
    let late = false;
    const timers: NodeJS.Timeout[] = [];
    const after = (delayMs: number, work: () => void) => timers.push(setTimeout(work, delayMs));
    const closeStreams = () => {
      child.stdout?.destroy();
      child.stderr?.destroy();
    };
    const settle = (ended: ProgramExit) => {
      running.delete(child);
      for (const timer of timers) clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      closeStreams();
      onClose?.();
      resolve(late ? { outcome: 'late' } : ended);
    };
    const end = () => {
      if (ending) return;
      ending = true;
      signalGroup(child, 'SIGTERM');
      after(graceMs, () => {
        signalGroup(child, 'SIGKILL');
        // A process that the kernel cannot kill (uninterruptible I/O) must not block the run.
        after(DRAIN_MS, () => {
          settle({ outcome: 'killed', by: 'SIGKILL' });
        });
      });
    };
    after(timeoutMs, () => {
      late = true;
      end();
    });
    signal?.addEventListener('abort', end, { once: true });
    if (signal?.aborted === true) end();
    child.once('error', (error) => {
      if (child.pid === undefined) settle({ outcome: 'not started', reason: reasonOf(error) });
    });
    child.once('exit', () => {
      // The rest of the group would hold the pipes open, and perhaps resources that this program waits for.
      if (ending) signalGroup(child, 'SIGKILL');
      after(DRAIN_MS, closeStreams);
    });
    child.once('close', (exitCode, by) => {
      settle(exitCode === null ? { outcome: 'killed', by: by ?? 'a signal' } : { outcome: 'exited', exitCode });
    });
  });
}

function reasonOf(error: unknown): string {
  return errorCode(error) ?? String(error);
}

/** Call it before the process exits: running children must not outlive it. */
export function killRunningChildren(): void {
  for (const child of running) signalGroup(child, 'SIGKILL');
}

function signalGroup(child: ChildProcess, name: 'SIGTERM' | 'SIGKILL'): void {
  if (child.pid === undefined) return;
  if (process.platform === 'win32') {
    child.kill(name);
    return;
  }
  try {
    process.kill(-child.pid, name);
  } catch (error) {
    // ESRCH: the whole group has ended. EPERM: macOS reports it for a group of zombies, and nothing else can be done.
    if (!['ESRCH', 'EPERM'].includes(errorCode(error) ?? '')) throw error;
  }
}

// Splits chunks of text into whole lines: a mask cannot recognize a part of a secret.

interface Lines {
  push(text: string): void;
  /** Passes on the text after the last newline. */
  end(): void;
}

/** A longer line is passed on in parts instead of being buffered. */
const MAX_LINE_CHARS = 1024 * 1024;

/** @param onLine called with each line, without its newline */
export function createLines(onLine: (line: string) => void): Lines {
  let rest = '';
  return {
    push: (text) => {
      const lines = (rest + text).split(/\r?\n/);
      rest = lines.pop() ?? '';
      for (const line of lines) onLine(line);
      if (rest.length < MAX_LINE_CHARS) return;
      onLine(rest);
      rest = '';
    },
    end: () => {
      if (rest !== '') onLine(rest);
      rest = '';
    },
  };
}
