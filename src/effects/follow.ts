/** Runs another program for as long as it takes, and hands on what it prints while it runs. */
import { spawn } from 'node:child_process';
import { errorCode } from './files.ts';
import { createLines } from './lines.ts';

export interface FollowOptions {
  /** The program's whole environment; its `PATH` is where the program is looked for. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs: number;
  /** Ends the program. */
  readonly signal: AbortSignal;
  /** Each line of stdout and stderr, without its line break. */
  readonly onLine: (line: string) => void;
}

export type Ended =
  | { readonly outcome: 'exited'; readonly exitCode: number }
  | { readonly outcome: 'killed'; readonly by: string }
  | { readonly outcome: 'late' }
  /** `reason` is Node's code, such as ENOENT. */
  | { readonly outcome: 'not started'; readonly reason: string };

/** Runs `file` found on `PATH` without a shell. Never rejects. */
export type Follow = (file: string, args: readonly string[], options: FollowOptions) => Promise<Ended>;

/** For a program to end by itself once it was asked to. */
const GRACE_MS = 5000;
/** For what stands in the pipes still; a program that it has started may hold them open for ever. */
const DRAIN_MS = 1000;

export const followProgram: Follow = (file, args, { environment, onLine, signal, timeoutMs }) =>
  new Promise((resolve) => {
    const child = spawn(file, [...args], {
      env: { ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
    });
    const streams = [child.stdout, child.stderr];
    for (const stream of streams) handOn(stream, onLine);
    let late = false;
    let grace: NodeJS.Timeout | undefined;
    const end = () => {
      child.kill('SIGTERM');
      grace ??= setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
    };
    const limit = setTimeout(() => {
      late = true;
      end();
    }, timeoutMs);
    const settle = (ended: Ended) => {
      clearTimeout(limit);
      clearTimeout(grace);
      signal.removeEventListener('abort', end);
      resolve(late ? { outcome: 'late' } : ended);
    };
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    child.once('error', (error) => {
      if (child.pid === undefined) settle({ outcome: 'not started', reason: errorCode(error) ?? error.message });
    });
    child.once('exit', () => {
      setTimeout(() => {
        for (const stream of streams) stream.destroy();
      }, DRAIN_MS).unref();
    });
    child.once('close', (exitCode, by) => {
      settle(exitCode === null ? { outcome: 'killed', by: by ?? 'a signal' } : { outcome: 'exited', exitCode });
    });
  });

function handOn(stream: NodeJS.ReadableStream, onLine: (line: string) => void): void {
  const lines = createLines(onLine);
  stream.setEncoding('utf8').on('data', (text: string) => {
    lines.push(text);
  });
  stream.once('close', () => {
    lines.end();
  });
}
