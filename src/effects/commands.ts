/** Running other programs, with a deadline and a cap on what they print. */
import { execFile } from 'node:child_process';

export interface CommandResult {
  /** The exit code, or undefined when the program could not be started, was killed, or printed too much. */
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandLimits {
  readonly timeoutMs: number;
  readonly maxBytes: number;
  /** Kills the program. */
  readonly signal?: AbortSignal;
}

export interface Commands {
  /** Runs `file` found on `PATH` without a shell. Never rejects: a program that is missing has no exit code. */
  run(file: string, args: readonly string[], limits: CommandLimits): Promise<CommandResult>;
}

export const systemCommands: Commands = {
  run: (file, args, { timeoutMs, maxBytes, signal }) =>
    new Promise((resolve) => {
      execFile(
        file,
        [...args],
        {
          timeout: timeoutMs,
          maxBuffer: maxBytes,
          encoding: 'utf8',
          windowsHide: true,
          ...(signal === undefined ? {} : { signal }),
        },
        (error, stdout, stderr) => {
          const exitCode = error === null ? 0 : typeof error.code === 'number' ? error.code : undefined;
          resolve({ exitCode, stdout, stderr });
        },
      );
    }),
};
