/** Starts other programs: each with its standard input closed, and with an end to how long it may take. */
import { type ChildProcess, execFile, spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join, resolve as resolvePath } from 'node:path';

const LONGEST_MS = 20_000;

/** For what serves the whole file: a little less than scripts/test.mjs gives a file, so that this message comes first. */
export const FILE_MS = 110_000;

/** The last folder has what `.ci/conformance-programs` installs. */
const PATH = `${process.env.PATH ?? ''}:/usr/sbin:/sbin:${resolvePath('build/conformance/bin')}`;

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

/** Never blocks: the program may talk to this process. */
export function runProgram(name: string, args: readonly string[], options: ProgramOptions = {}): Promise<ProgramRun> {
  const { environment, timeoutMs = LONGEST_MS } = options;
  const env = environment === undefined ? process.env : { PATH, ...environment };
  return new Promise((resolve, reject) => {
    const child = execFile(program(name), [...args], { timeout: timeoutMs, env }, (error, stdout, stderr) => {
      if (error === null) resolve({ exitCode: 0, stdout, stderr });
      else if (typeof error.code === 'number') resolve({ exitCode: error.code, stdout, stderr });
      else reject(failure(name, error.killed === true ? timeoutMs : undefined, error));
    });
    child.stdin?.end();
  });
}

export interface BlockingOptions extends ProgramOptions {
  readonly cwd?: string;
  /** For its standard input, which is empty unless given. */
  readonly input?: string | Uint8Array;
}

/** For a program that needs nothing of this process, which waits for it. */
export function runProgramSync(name: string, args: readonly string[], options: BlockingOptions = {}): ProgramRun {
  const { stdout, ...run } = runForBytes(name, args, options);
  return { ...run, stdout: stdout.toString() };
}

/** As `runProgramSync`, for output that is not text. */
export function runForBytes(
  name: string,
  args: readonly string[],
  { cwd, environment, input, timeoutMs = LONGEST_MS }: BlockingOptions = {},
): Omit<ProgramRun, 'stdout'> & { readonly stdout: Buffer } {
  const env = environment === undefined ? process.env : { PATH, ...environment };
  // An empty input by a pipe would be a socket, with which bash takes itself for a remote shell and reads .bashrc.
  const stdin = input === undefined ? 'ignore' : 'pipe';
  const limits = { timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 2 ** 26 } as const;
  const run = spawnSync(program(name), args, { cwd, env, input, stdio: [stdin, 'pipe', 'pipe'], ...limits });
  const { error, signal, status, stderr, stdout } = run;
  if (status === null) throw failure(name, signal === 'SIGKILL' ? timeoutMs : undefined, error);
  return { exitCode: status, stdout, stderr: stderr.toString() };
}

/** @returns what it prints; throws if it fails */
export function outputOf(name: string, args: readonly string[], options: BlockingOptions = {}): string {
  const { exitCode, stderr, stdout } = runProgramSync(name, args, options);
  if (exitCode !== 0) throw new Error(`${name} ${args.join(' ')} ended with ${exitCode}: ${stderr}`);
  return stdout;
}

/** Kills the program once it has run for this long, and says so beside the test's own failure. */
export function bounded<Child extends ChildProcess>(child: Child, timeoutMs = 60_000): Child {
  const timer = setTimeout(() => {
    process.stderr.write(`${child.spawnargs.join(' ')} did not end within ${timeoutMs} ms and was killed\n`);
    child.kill('SIGKILL');
  }, timeoutMs);
  const stop = () => {
    clearTimeout(timer);
  };
  child.once('exit', stop).once('error', stop);
  return child;
}

/** The path of one of the programs of this repository that scripts/test.mjs compiles along with the tests. */
export function compiled(source: string): string {
  return resolvePath(process.env.TEST_BUILD ?? 'build/tests', source.replace(/\.ts$/, '.js'));
}

function failure(name: string, timeoutMs: number | undefined, cause: unknown): Error {
  const what = timeoutMs === undefined ? 'did not run to its end' : `did not end within ${timeoutMs} ms and was killed`;
  return new Error(`${name} ${what}`, { cause });
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
