/** Runs the real programs that read what the bundle writes. */
import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

const PATH = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;

/** The reason to skip a test of these programs; undefined where they exist, and in CI, where a missing one is a failure. */
export function missing(...names: readonly string[]): string | undefined {
  const absent = names.filter((name) => pathOf(name) === undefined);
  return absent.length === 0 || process.env.CI === 'true' ? undefined : `not installed: ${absent.join(', ')}`;
}

/** The name itself for a program that is not there, so that running it says so. */
export function program(name: string): string {
  return pathOf(name) ?? name;
}

export interface ProgramRun {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  /** In place of this process's own, beside PATH. */
  readonly environment?: Readonly<Record<string, string>>;
  /** 20 seconds unless given. */
  readonly timeoutMs?: number;
}

/** Never blocks: what it talks to may be served by this process. */
export function runProgram(name: string, args: readonly string[], options: ProgramOptions = {}): Promise<ProgramRun> {
  const { environment, timeoutMs = 20_000 } = options;
  const env = environment === undefined ? process.env : { PATH, ...environment };
  return new Promise((resolve, reject) => {
    const child = execFile(program(name), [...args], { timeout: timeoutMs, env }, (error, stdout, stderr) => {
      if (error === null) resolve({ exitCode: 0, stdout, stderr });
      else if (typeof error.code === 'number') resolve({ exitCode: error.code, stdout, stderr });
      else reject(new Error(`${name} did not run to its end`, { cause: error }));
    });
    child.stdin?.end();
  });
}

function pathOf(name: string): string | undefined {
  return PATH.split(':')
    .map((folder) => join(folder, name))
    .find((path) => isExecutable(path));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false; // not here; perhaps in the next folder
  }
}
