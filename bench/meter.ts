/** What a process costs: its wall time, and the CPU time that the system charges it and all of its threads with. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { benchEnvironment } from './bundle.ts';

export interface Cost {
  readonly wallMs: number;
  readonly cpuMs: number;
}

export interface Measured {
  /** A program and its arguments. */
  readonly command: readonly string[];
  /** The OIDC token, if the program needs one. */
  readonly token?: string;
  /**
   * The program is killed at the first byte that it prints, or at the first byte that it sends, which resolves the promise.
   * Otherwise it has to end with exit code 0.
   */
  readonly until?: 'printed' | Promise<unknown>;
}

/** Bash reports what a program that it waits for has used, to the millisecond, and adds nothing to the program itself. */
const SCRIPT = 'TIMEFORMAT="%U %S"; "$@" >&4 2>&5 & echo "$!" >&3; time wait "$!"';
const DEADLINE_MS = 60_000;

export async function costOf({ command, token = '', until }: Measured): Promise<Cost> {
  const child = spawn('bash', ['-c', SCRIPT, 'bash', ...command], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
    env: benchEnvironment(token),
    timeout: DEADLINE_MS,
  });
  const exited = once(child, 'exit');
  const [times, printed, said] = [text(outputOf(child, 2)), outputOf(child, 4), text(outputOf(child, 5))];
  const processId = Number(await firstLineOf(outputOf(child, 3)));
  const startMs = performance.now();
  const first = until === 'printed' ? once(printed, 'readable') : until;
  if (first !== undefined) {
    await Promise.race([first, exited]);
    if (child.exitCode === null) process.kill(processId, 'SIGKILL');
  }
  const wallMs = performance.now() - startMs;
  printed.resume();
  await exited;
  const endMs = performance.now();
  const [user = NaN, system = NaN] = (await times).trim().split('\n').at(-1)?.split(' ').map(Number) ?? [];
  const killed = first !== undefined && child.exitCode === 128 + 9;
  if ((child.exitCode !== 0 && !killed) || Number.isNaN(user + system)) {
    throw new Error(`${command.join(' ')} ended with ${String(child.exitCode)}: ${await said}`);
  }
  return { wallMs: first === undefined ? endMs - startMs : wallMs, cpuMs: (user + system) * 1000 };
}

function outputOf({ stdio }: ChildProcess, descriptor: number): Readable {
  const stream = stdio[descriptor];
  if (stream instanceof Readable) return stream;
  throw new Error(`the measured process has no output ${String(descriptor)}`);
}

async function firstLineOf(output: Readable): Promise<string> {
  for await (const line of createInterface({ input: output })) return line;
  throw new Error('bash ended before it was ready');
}
