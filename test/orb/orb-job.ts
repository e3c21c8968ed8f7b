/** Runs a job that uses the packed orb. */
import { stringify } from 'yaml';
import { runJob } from '../job-runner/run-job.ts';
import type { JobOptions, JobResult } from '../job-runner/run-job.ts';
import { packedWith } from './source.ts';

export interface OrbJob extends Omit<JobOptions, 'config' | 'job'> {
  /** What the orb was packed with. */
  readonly bundle: string;
  readonly steps: readonly unknown[];
  /** Instead of the orb's own source tree. */
  readonly files?: ReadonlyMap<string, string>;
}

export function runOrbJob({ bundle, steps, files, ...options }: OrbJob): Promise<JobResult> {
  const config = stringify({ version: 2.1, jobs: { work: { machine: true, steps } } });
  return runJob({
    ...options,
    job: 'work',
    config,
    orbs: { 'machine-id': packedWith(bundle, undefined, files) },
  });
}

/** A step that calls the orb's `install` with these arguments. */
export function install(parameters: Readonly<Record<string, unknown>> = {}): unknown {
  return { 'machine-id/install': parameters };
}

/** A step that calls the orb's `join` with these arguments. */
export function join(parameters: Readonly<Record<string, unknown>> = {}): unknown {
  return { 'machine-id/join': parameters };
}

export function stderrOf(result: JobResult): string {
  return result.steps.map(({ stderr }) => stderr).join('');
}
