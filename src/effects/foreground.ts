/** Runs another program in place of this one: with its stdin and its signals, and with its output masked. */
import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { errorCode } from './file-error.ts';
import type { MaskStream } from './mask-stream.ts';
import type { ForwardSignals } from './signals.ts';
import { type OutputStream, writeAll } from './streams.ts';

export interface ForegroundOptions {
  /** The program's whole environment; its `PATH` is searched for the program. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** For one stream. */
  readonly openMask: () => MaskStream;
  /** Called once it runs. `group` is its process group; undefined on Windows. */
  readonly onStart: (group: number | undefined) => void;
}

export type ForegroundEnd =
  /** As a shell reports it: 128 and the number of the signal, if one ended it. */
  | { readonly outcome: 'ended'; readonly exitCode: number }
  /** `reason` is Node's code, such as ENOENT. */
  | { readonly outcome: 'not started'; readonly reason: string };

/** Resolves when nothing of the program's process group runs any more. Never rejects. */
export type RunInForeground = (
  file: string,
  args: readonly string[],
  options: ForegroundOptions,
) => Promise<ForegroundEnd>;

interface Surroundings {
  readonly forwardSignals: ForwardSignals;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
}

/** How long to read output after the program has ended: a process that it left may hold the pipes open forever. */
const DRAIN_MS = 1000;
/** How long processes that it left may take to end. */
const GRACE_MS = 2000;
const POLL_MS = 20;
/** How long to hold back a few bytes that may be the start of a secret. */
const UNSURE_MS = 50;

export function foregroundIn({ forwardSignals, stderr, stdout }: Surroundings): RunInForeground {
  return async (file, args, { environment, onStart, openMask }) => {
    // In a separate session, so that it can be ended with everything that it has started. It can still read from a terminal.
    const ownGroup = process.platform !== 'win32';
    let child: ChildProcess;
    try {
      child = spawn(file, [...args], {
        env: { ...environment },
        stdio: ['inherit', 'pipe', 'pipe'],
        detached: ownGroup,
        windowsHide: true,
      });
    } catch (error) {
      return notStarted(error);
    }
    const group = ownGroup ? child.pid : undefined;
    const endForwarding = forwardSignals((name) => {
      if (group === undefined) child.kill(name);
      else sendToGroup(group, name);
    });
    try {
      const ended = endOf(child);
      if (child.pid !== undefined) onStart(group);
      const copied = Promise.all([copy(child.stdout, stdout, openMask()), copy(child.stderr, stderr, openMask())]);
      const end = await ended;
      await Promise.race([copied, pause(DRAIN_MS)]);
      if (group !== undefined) await endGroup(group);
      for (const stream of [child.stdout, child.stderr]) stream?.destroy();
      await copied;
      return end;
    } finally {
      endForwarding();
    }
  };
}

function endOf(child: ChildProcess): Promise<ForegroundEnd> {
  return new Promise((resolve) => {
    child.once('error', (error) => {
      if (child.pid === undefined) resolve(notStarted(error));
    });
    child.once('exit', (exitCode, by) => {
      resolve({ outcome: 'ended', exitCode: exitCode ?? SIGNALS + constants.signals[by ?? 'SIGKILL'] });
    });
  });
}

const SIGNALS = 128;

function notStarted(error: unknown): ForegroundEnd {
  return { outcome: 'not started', reason: errorCode(error) ?? String(error) };
}

/** False if the group has ended. */
function sendToGroup(group: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-group, name);
  } catch {
    return false; // ESRCH, or EPERM: macOS reports it for a group of zombies
  }
}

/** Ends what the program has left in its group. */
async function endGroup(group: number): Promise<void> {
  if (!sendToGroup(group, 'SIGTERM')) return;
  for (let waitedMs = 0; waitedMs < GRACE_MS; waitedMs += POLL_MS) {
    await pause(POLL_MS);
    if (!sendToGroup(group, 0)) return;
  }
  sendToGroup(group, 'SIGKILL');
}

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

/** Ends early if nothing more can be written: the program then gets the error of a pipe without a reader. Never rejects. */
async function copy(from: ChildProcess['stdout'], to: OutputStream, mask: MaskStream): Promise<void> {
  if (from === null) return;
  let written = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  const write = (bytes: Buffer): Promise<void> => {
    if (bytes.length > 0) written = written.then(() => writeAll(to, [bytes]));
    return written;
  };
  try {
    for await (const chunk of chunksOf(from)) {
      clearTimeout(timer);
      await write(mask.push(chunk));
      if (mask.isUnsure) timer = setTimeout(() => void write(mask.relax()).catch(() => undefined), UNSURE_MS);
    }
  } catch {
    // The reader of our own output is gone, or the stream was closed below a process that still held it.
  } finally {
    clearTimeout(timer);
    from.destroy();
    await write(mask.end()).catch(() => undefined);
  }
}

async function* chunksOf(stream: NodeJS.ReadableStream): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
}
