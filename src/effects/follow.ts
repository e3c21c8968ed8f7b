/** Runs another program for as long as it takes, and hands on what it prints while it runs. */
import { type Ended, runChild } from './child-program.ts';
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

/** Runs `file` found on `PATH` without a shell. A program that is ended takes along what it has started. Never rejects. */
export type Follow = (file: string, args: readonly string[], options: FollowOptions) => Promise<Ended>;

/** For a program to end by itself once it was asked to. */
const GRACE_MS = 5000;

export const followProgram: Follow = (file, args, { environment, onLine, signal, timeoutMs }) => {
  const streams = [lineReader(onLine), lineReader(onLine)] as const;
  return runChild(file, args, {
    environment,
    timeoutMs,
    graceMs: GRACE_MS,
    signal,
    onStdout: streams[0].add,
    onStderr: streams[1].add,
    onClose: () => {
      for (const stream of streams) stream.end();
    },
  });
};

/** One character may arrive in two chunks. */
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
