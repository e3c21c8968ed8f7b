/** Runs a job of a CircleCI config on this machine, as CircleCI's agent would. */
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { jobVariables } from './built-in.ts';
import { type CachePlace, restoreCache, saveCache } from './cache.ts';
import { resolveJob } from './job.ts';
import type { JobQuestion, ResolvedJob } from './job.ts';
import type { RunStep, When } from './run-step.ts';
import type { ResolvedStep } from './steps.ts';
import { runShell } from './shell.ts';
import { storedFiles } from './store-step.ts';

export interface JobOptions extends JobQuestion {
  /** Variables of contexts and project settings, and `CIRCLE_*` values that differ from the samples. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Home directory of the job's user; `undefined` leaves HOME unset. */
  readonly home: string | undefined;
  /** The project's directory, created if missing; overrides that of the config, by default `~/project`. */
  readonly workingDirectory?: string;
  /** Folder that `checkout` copies into the project's directory. */
  readonly checkoutFrom?: string;
  /** Used instead of `/bin/bash -eo pipefail` if neither job nor step sets a shell. */
  readonly shell?: string;
  /**
   * CircleCI does not promise that a step's variable with an empty value is set; it is set here unless this says
   * otherwise.
   */
  readonly emptyVariables?: 'kept' | 'dropped';
  /** Where caches are kept; without a store, no cache is ever found. */
  readonly cacheStore?: string;
  /** For steps without `no_output_timeout`. */
  readonly timeoutMs?: number;
  readonly onStep?: (name: string) => void;
  readonly onOutput?: (text: string, stream: 'stdout' | 'stderr') => void;
}

export interface StepResult {
  readonly name: string;
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Whether it was a background step; 137 is the exit code of one that ran until the end of the job. */
  readonly background?: boolean;
}

export interface JobResult {
  /** The steps that ran, without skipped ones. */
  readonly steps: readonly StepResult[];
  /** The exit code of the first step that failed, otherwise 0; CircleCI does not document the effect of background steps. */
  readonly exitCode: number;
}

const STEP_TIMEOUT_MS = 60_000;
const SHELL = '/bin/bash -eo pipefail';

/** What all steps of the job share. */
interface JobPlace {
  readonly job: ResolvedJob;
  readonly options: JobOptions;
  readonly project: string;
  readonly bashEnv: string;
  readonly cacheStore: string;
  /** Ends the background steps at the end of the job. */
  readonly end: AbortController;
}

/** @throws ConfigError before the first step runs */
export async function runJob(options: JobOptions): Promise<JobResult> {
  const job = resolveJob(options);
  const project = options.workingDirectory ?? fromHome(job.workingDirectory ?? '~/project', options.home);
  const end = new AbortController();
  const scratch = await mkdtemp(join(tmpdir(), 'job-runner-'));
  try {
    await mkdir(project, { recursive: true });
    // CircleCI names a file that does not exist until a step writes it.
    const cacheStore = options.cacheStore ?? join(scratch, 'cache');
    await mkdir(cacheStore, { recursive: true });
    return await runSteps({ job, options, project, bashEnv: join(scratch, 'bash_env'), cacheStore, end });
  } finally {
    end.abort();
    await rm(scratch, { recursive: true, force: true });
  }
}

async function runSteps(place: JobPlace): Promise<JobResult> {
  const steps: Promise<StepResult>[] = [];
  let exitCode = 0;
  for (const step of place.job.steps) {
    if (step.kind === 'checkout') {
      await checkOut(place);
      continue;
    }
    if (!isDue(whenOf(step), exitCode)) continue;
    if (step.kind === 'run' && step.background) {
      steps.push(runStep(step, place));
      continue;
    }
    const result = runOne(step, place);
    steps.push(result);
    if (exitCode === 0) ({ exitCode } = await result);
    else await result;
  }
  place.end.abort();
  return { steps: await Promise.all(steps), exitCode };
}

function whenOf(step: Exclude<ResolvedStep, { kind: 'checkout' }>): When {
  if (step.kind === 'store') return 'always';
  return step.kind === 'restore_cache' ? 'on_success' : step.when;
}

function isDue(when: When, exitCode: number): boolean {
  switch (when) {
    case 'always':
      return true;
    case 'on_fail':
      return exitCode !== 0;
    case 'on_success':
      return exitCode === 0;
    default:
      return when satisfies never;
  }
}

async function runOne(step: Exclude<ResolvedStep, { kind: 'checkout' }>, place: JobPlace): Promise<StepResult> {
  switch (step.kind) {
    case 'run':
      return runStep(step, place);
    case 'save_cache':
      return { name: step.name, stderr: '', ...(await saveCache(step, cachePlace(place))) };
    case 'restore_cache':
      return { name: step.name, stderr: '', ...(await restoreCache(step, cachePlace(place))) };
    case 'store':
      return { name: step.name, stderr: '', exitCode: 0, stdout: await storedFiles(step, cachePlace(place)) };
    default:
      return step satisfies never;
  }
}

function cachePlace({ job, options: { home, environment = {} }, project, cacheStore }: JobPlace): CachePlace {
  const facts = { job: job.name, workingDirectory: project };
  return {
    store: cacheStore,
    home,
    workingDirectory: project,
    environment: jobVariables(facts, environment, job.environment),
  };
}

async function runStep(step: RunStep, { job, options, project, bashEnv, end }: JobPlace): Promise<StepResult> {
  const { home } = options;
  // A relative directory is relative to the project's.
  const workingDirectory = resolve(project, fromHome(step.workingDirectory ?? '.', home));
  await mkdir(workingDirectory, { recursive: true });
  options.onStep?.(step.name);
  const result = await runShell({
    shell: step.shell ?? job.shell ?? options.shell ?? SHELL,
    body: step.command,
    workingDirectory,
    timeoutMs: step.timeoutMs ?? (step.background ? undefined : (options.timeoutMs ?? STEP_TIMEOUT_MS)),
    ...(step.background ? { signal: end.signal } : {}),
    onOutput: (text, stream) => options.onOutput?.(text, stream),
    environment: {
      PATH: process.env.PATH ?? '/usr/bin:/bin',
      ...(home === undefined ? {} : { HOME: home }),
      BASH_ENV: bashEnv,
      ...jobVariables({ job: job.name, workingDirectory: project }, options.environment ?? {}, job.environment),
      ...stepVariables(step, options),
    },
  });
  return { name: step.name, ...result, ...(step.background ? { background: true } : {}) };
}

function stepVariables({ environment }: RunStep, { emptyVariables }: JobOptions): RunStep['environment'] {
  if (emptyVariables !== 'dropped') return environment;
  return Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
}

function fromHome(path: string, home: string | undefined): string {
  return path.replace(/^~(?=\/|$)/, home ?? '');
}

async function checkOut({ options, project }: JobPlace): Promise<void> {
  if (options.checkoutFrom !== undefined) await cp(options.checkoutFrom, project, { recursive: true });
}
