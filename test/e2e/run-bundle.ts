/** Runs the built bundle, as a child process where that matters, and fails if it prints a secret. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { runInProcess } from './in-process.ts';

export interface BundleRun {
  /** Null if a signal ended the process. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface BundleOptions {
  readonly workingDirectory: string;
  /** The whole environment of the process: nothing is inherited. */
  readonly environment: Readonly<Record<string, string>>;
  /** Texts that must never be printed, in addition to the OIDC tokens in the environment. */
  readonly secrets?: readonly string[];
  /** Whether file modes also apply to root, as for every other user. */
  readonly withoutPrivileges?: boolean;
  /** A program that runs Node with the bundle, and its arguments before that. */
  readonly within?: readonly [program: string, ...args: string[]] | undefined;
  /** Open files to use instead of pipes. */
  readonly outputs?: { readonly stdout?: number; readonly stderr?: number };
  /** Whether the test is about the process. */
  readonly asProcess?: boolean;
}

export interface StartedBundle {
  readonly child: ChildProcess;
  readonly finished: Promise<BundleRun>;
}

export const BUNDLE = resolve('dist/machine-id.cjs');

/** Another Node than the one that runs the tests, so that the oldest supported one can be tested. */
export const NODE = process.env.E2E_NODE ?? process.execPath;

/** Far longer than any run of this suite takes; a bundle that hangs must not block the suite. */
const LONGEST_RUN_MS = 60_000;

/** capabilities(7): without the ones that let root ignore the mode of a file. */
const UNPRIVILEGED: readonly [program: string, args: readonly string[]] =
  process.getuid?.() === 0
    ? ['setpriv', ['--bounding-set=-dac_override,-dac_read_search', '--inh-caps=-all', NODE]]
    : [NODE, []];

/** In this process, unless the test or the environment needs one. */
export function runBundle(args: readonly string[], options: BundleOptions): Promise<BundleRun> {
  return needsProcess(options) ? startBundle(args, options).finished : runHere(args, options);
}

/** Node reads these when it starts. */
const READ_AT_START = /^(?:NODE_|TZ$|UV_)/;

function needsProcess({ asProcess = false, environment, outputs, within, withoutPrivileges = false }: BundleOptions) {
  const isSpecial = asProcess || withoutPrivileges || outputs !== undefined || within !== undefined;
  return isSpecial || NODE !== process.execPath || Object.keys(environment).some((name) => READ_AT_START.test(name));
}

async function runHere(args: readonly string[], options: BundleOptions): Promise<BundleRun> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(reject, LONGEST_RUN_MS, new Error(`the bundle did not end within ${LONGEST_RUN_MS} ms`));
  });
  try {
    const run = await Promise.race([runInProcess({ ...options, bundle: BUNDLE, args }), late]);
    assertNothingSecret(run, options);
    return run;
  } finally {
    clearTimeout(timer);
  }
}

/** For tests that act on the process while it runs. */
export function startBundle(args: readonly string[], options: BundleOptions): StartedBundle {
  const [program, before] = launcher(options);
  const child = spawn(program, [...before, BUNDLE, ...args], {
    cwd: options.workingDirectory,
    env: { ...options.environment },
    stdio: ['ignore', options.outputs?.stdout ?? 'pipe', options.outputs?.stderr ?? 'pipe'],
    timeout: LONGEST_RUN_MS,
    killSignal: 'SIGKILL',
  });
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)];
  const finished = once(child, 'close').then((): BundleRun => {
    const run = { exitCode: child.exitCode, stdout: stdout(), stderr: stderr() };
    assertNothingSecret(run, options);
    assert.doesNotMatch(run.stderr, /^\(node:\d+\)/m, 'Node warns of the bundle');
    return run;
  });
  return { child, finished };
}

function launcher({ withoutPrivileges = false, within }: BundleOptions): typeof UNPRIVILEGED {
  if (within === undefined) return withoutPrivileges ? UNPRIVILEGED : [NODE, []];
  const [program, ...args] = within;
  return [program, [...args, NODE]];
}

function collect(stream: NodeJS.ReadableStream | null): () => string {
  const chunks: string[] = [];
  stream?.setEncoding('utf8').on('data', (chunk: string) => chunks.push(chunk));
  return () => chunks.join('');
}

function assertNothingSecret(run: BundleRun, { environment, secrets = [] }: BundleOptions): void {
  const tokens = [environment.CIRCLE_OIDC_TOKEN, environment.CIRCLE_OIDC_TOKEN_V2, ...secrets];
  const printed = run.stdout + run.stderr;
  for (const token of tokens) {
    for (const part of secretParts(token ?? '')) {
      assert.ok(!printed.includes(part), 'the bundle printed an OIDC token or a part of it');
    }
  }
  assert.doesNotMatch(printed, /PRIVATE KEY/);
}

/** The claims or the signature of a JWT are as secret as the whole. */
function secretParts(token: string): readonly string[] {
  const [, ...parts] = token.split('.');
  return [token, ...parts].filter((part) => part.length >= 8);
}
