/** Runs the text of one step in a new shell. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { constants } from 'node:os';

export interface ShellRun {
  /** The shell and its options, such as `/bin/bash -eo pipefail`. */
  readonly shell: string;
  readonly body: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  /** Without an end if undefined. */
  readonly timeoutMs: number | undefined;
  /** Ends the step, and everything that it started. */
  readonly signal?: AbortSignal;
  readonly onOutput: (text: string, stream: 'stdout' | 'stderr') => void;
}

export interface ShellResult {
  /** For a shell that was ended by a signal, 128 plus the signal's number; 124 after the timeout. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** As on CircleCI, the body is passed as one `-c` argument, so the kernel's limit for an argument applies. */
export function runShell(run: ShellRun): Promise<ShellResult> {
  const [program = '/bin/sh', ...options] = run.shell.split(/\s+/);
  const child = spawn(program, [...options, '-c', run.body], {
    cwd: run.workingDirectory,
    env: run.environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    // Its own process group, so that a timeout also ends what the step started.
    detached: true,
  });
  const collected = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      collected[stream] += text;
      run.onOutput(text, stream);
    });
  }
  return new Promise((resolve, reject) => {
    let timedOut = false;
    const expire = (): void => {
      timedOut = true;
      endGroup(child);
    };
    const timer = run.timeoutMs === undefined ? undefined : setTimeout(expire, run.timeoutMs);
    const onAbort = (): void => {
      endGroup(child);
    };
    run.signal?.addEventListener('abort', onAbort);
    child.once('exit', () => run.signal?.removeEventListener('abort', onAbort));
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ exitCode: timedOut ? 124 : (code ?? signalExitCode(signal)), ...collected });
    });
  });
}

function endGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // The group ended between the timer and this line.
  }
}

function signalExitCode(signal: NodeJS.Signals | null): number {
  return 128 + (signal === null ? 0 : constants.signals[signal]);
}
