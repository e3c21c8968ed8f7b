/** Running other programs, with a deadline and a cap on what they print. */
import { runChild } from './child-program.ts';

export interface CommandResult {
  /** The exit code, or undefined when the program could not be started, was killed, or printed too much. */
  readonly exitCode: number | undefined;
  /** True when no such program is on `PATH`. */
  readonly missing?: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandLimits {
  readonly timeoutMs: number;
  /** Of each stream; a program that prints more is ended. */
  readonly maxBytes: number;
  /** Ends the program. */
  readonly signal?: AbortSignal;
}

export interface Commands {
  /**
   * Runs `file` found on `PATH` without a shell. A program that is ended takes along what it has started. Never rejects: a
   * program that is missing has no exit code.
   */
  run(file: string, args: readonly string[], limits: CommandLimits): Promise<CommandResult>;
}

const GRACE_MS = 500;

export const systemCommands: Commands = { run };

async function run(
  file: string,
  args: readonly string[],
  { timeoutMs, maxBytes, signal }: CommandLimits,
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
    timeoutMs,
    graceMs: GRACE_MS,
    signal: end.signal,
    onStdout: stdout.add,
    onStderr: stderr.add,
  });
  signal?.removeEventListener('abort', onAbort);
  const exitCode = ended.outcome === 'exited' && !end.signal.aborted ? ended.exitCode : undefined;
  const missing = ended.outcome === 'not started' && ended.reason === 'ENOENT';
  return { exitCode, ...(missing ? { missing } : {}), stdout: stdout.text(), stderr: stderr.text() };
}

/** Keeps the first `maxBytes` and reports when more come. */
function collector(maxBytes: number, onExcess: () => void) {
  const chunks: Buffer[] = [];
  let bytes = 0;
  return {
    add: (chunk: Buffer) => {
      chunks.push(chunk.subarray(0, Math.max(0, maxBytes - bytes)));
      bytes += chunk.length;
      if (bytes > maxBytes) onExcess();
    },
    text: () => Buffer.concat(chunks).toString('utf8'),
  };
}
