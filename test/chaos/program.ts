/** Runs the built bundle and watches what it leaves: inside this process, or as one. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync, readdirSync, readFileSync, type Stats, watch } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { runInProcess } from '../e2e/in-process.ts';
import { BUNDLE, NODE } from '../e2e/run-bundle.ts';
import { bounded } from '../programs.ts';

export interface ProgramWish {
  readonly args: readonly string[];
  readonly workingDirectory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Everything that the program may write is below it. */
  readonly folder: string;
  readonly input: Buffer;
  readonly limitMs: number;
  readonly asProcess: boolean;
  readonly onStderr?: (text: string) => void;
  /** Aborted to end it as SIGTERM does. */
  readonly signal?: AbortSignal;
}

export interface ProgramEnd {
  /** Null after a signal; undefined if it did not end. */
  readonly exitCode: number | null | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly durationMs: number;
  /** Paths that others could have read or listed, with their modes, at any moment. */
  readonly exposed: readonly string[];
  /** Ids of processes that it left. */
  readonly left: readonly string[];
}

export async function runProgram(wish: ProgramWish): Promise<ProgramEnd> {
  const startMs = performance.now();
  const end = await (wish.asProcess ? startProcess(wish) : runHere(wish));
  return { ...end, durationMs: performance.now() - startMs };
}

type End = Omit<ProgramEnd, 'durationMs'>;

const UNENDED = { exitCode: undefined, stdout: '', left: [] } as const;

async function runHere(wish: ProgramWish): Promise<End> {
  const exposed = new Set<string>();
  let stderr = '';
  const run = runInProcess({
    ...wish,
    bundle: BUNDLE,
    watch: {
      onPath: (path) => {
        noteMode(path, exposed);
      },
      onStderr: (text) => {
        stderr += text;
        wish.onStderr?.(text);
      },
      ...(wish.signal === undefined ? {} : { signal: wish.signal }),
      stdin: Readable.from([wish.input]),
    },
  });
  const ended = await within(wish.limitMs, run);
  if (ended === undefined) return { ...UNENDED, stderr, exposed: [...exposed] };
  return { ...ended, exposed: [...exposed], left: [] };
}

async function startProcess({
  args,
  environment,
  folder,
  input,
  limitMs,
  onStderr,
  signal,
  workingDirectory,
}: ProgramWish): Promise<End> {
  const exposed = new Set<string>();
  const watcher = watch(folder, { recursive: true }, (_event, name) => {
    if (name !== null) noteMode(join(folder, name), exposed);
  });
  // Its own session, by which the processes that it leaves are found.
  const options = { cwd: workingDirectory, env: { ...environment }, detached: true };
  const child = bounded(spawn(NODE, [BUNDLE, ...args], options), 2 * limitMs);
  const [stdout, stderr] = [child.stdout, child.stderr].map((stream) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    return () => Buffer.concat(chunks).toString();
  });
  child.stderr.on('data', (chunk: Buffer) => onStderr?.(chunk.toString()));
  signal?.addEventListener('abort', () => child.kill('SIGTERM'), { once: true });
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const ended = await within(limitMs, once(child, 'close'));
  const left = processesOf(child.pid ?? 0);
  if (ended === undefined) child.kill('SIGKILL');
  watcher.close();
  const printed = { stdout: stdout?.() ?? '', stderr: stderr?.() ?? '', exposed: [...exposed] };
  if (ended === undefined) return { ...UNENDED, ...printed };
  return { ...printed, exitCode: child.exitCode, left };
}

const MAY_READ = 0o077;

function noteMode(path: string, exposed: Set<string>): void {
  const stats = statsOf(path);
  if (stats === undefined || stats.isSymbolicLink() || (stats.mode & MAY_READ) === 0) return;
  if (stats.uid === process.getuid?.()) exposed.add(`${path} ${(stats.mode & 0o777).toString(8)}`);
}

function statsOf(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined; // a folder of the path is gone
  }
}

/** @returns undefined if it took longer */
export async function within<T>(limitMs: number, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, limitMs, undefined);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** proc(5): the sixth field of `stat` is the session; the name before it may contain blanks. */
function processesOf(session: number): readonly string[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc')
    .filter((id) => /^\d+$/.test(id))
    .filter((id) => sessionOf(id) === String(session));
}

function sessionOf(id: string): string | undefined {
  try {
    const text = readFileSync(`/proc/${id}/stat`, 'latin1');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[3];
  } catch {
    return undefined; // it has ended
  }
}
