/** Runs another program in a process group of its own, so that ending it also ends what it has started. */
import { type ChildProcess, spawn } from 'node:child_process';
import { errorCode } from './file-error.ts';

export interface ProgramOptions {
  /** The program's whole environment; this process's own when undefined. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  readonly timeoutMs: number;
  /** How long the program may take to end by itself after SIGTERM; then its group gets SIGKILL. */
  readonly graceMs: number;
  /** Ends the program. */
  readonly signal?: AbortSignal | undefined;
  readonly onStdout: (chunk: Buffer) => void;
  readonly onStderr: (chunk: Buffer) => void;
  /** Called when both streams have ended or were closed. */
  readonly onClose?: () => void;
}

export type Ended =
  | { readonly outcome: 'exited'; readonly exitCode: number }
  | { readonly outcome: 'killed'; readonly by: string }
  | { readonly outcome: 'late' }
  /** `reason` is Node's code, such as ENOENT. */
  | { readonly outcome: 'not started'; readonly reason: string };

/** How long output is read after the program has ended: a program that it started may hold the pipes open forever. */
const DRAIN_MS = 1000;

const running = new Set<ChildProcess>();

/** Runs `file` found on `PATH` without a shell and with an empty stdin. Never rejects. */
export function runChild(file: string, args: readonly string[], options: ProgramOptions): Promise<Ended> {
  try {
    return watch(start(file, args, options.environment), options);
  } catch (error) {
    return Promise.resolve({ outcome: 'not started', reason: reasonOf(error) });
  }
}

/** @throws what Node does not report by the event `error`, such as E2BIG */
function start(file: string, args: readonly string[], environment: ProgramOptions['environment']): ChildProcess {
  return spawn(file, [...args], {
    ...(environment === undefined ? {} : { env: { ...environment } }),
    stdio: ['ignore', 'pipe', 'pipe'],
    windowsHide: true,
    // On Windows this would open a console window, and there are no process groups to signal.
    detached: process.platform !== 'win32',
  });
}

function watch(child: ChildProcess, options: ProgramOptions): Promise<Ended> {
  const { graceMs, onClose, onStderr, onStdout, signal, timeoutMs } = options;
  return new Promise((resolve) => {
    running.add(child);
    // There are no streams when the program could not be started for want of file descriptors.
    child.stdout?.on('data', onStdout);
    child.stderr?.on('data', onStderr);
    // What was read until then counts; the exit says how the program ended.
    for (const stream of [child.stdout, child.stderr]) stream?.on('error', () => undefined);
    let ending = false;
    let late = false;
    const timers: NodeJS.Timeout[] = [];
    const after = (delayMs: number, work: () => void) => timers.push(setTimeout(work, delayMs));
    const closeStreams = () => {
      child.stdout?.destroy();
      child.stderr?.destroy();
    };
    const settle = (ended: Ended) => {
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
        // A process that the kernel cannot end (uninterruptible I/O) must not hold the run.
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
      // What is left of the group would hold the pipes, and perhaps what this program waits for.
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

/** For a process that is about to exit: what it has started must not outlive it. */
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
