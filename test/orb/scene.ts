/** A job on a machine of its own that installs the orb's script and then runs steps. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { JobOptions, JobResult } from '../job-runner/run-job.ts';
import { missing } from '../programs.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { install, join as joinStep, runOrbJob, stderrOf } from './orb-job.ts';
import { STAND_IN } from './stand-in.ts';

export interface Scene {
  readonly home: string;
  /** Runs install, then these steps. */
  readonly run: (
    options: Partial<JobOptions> & { readonly steps?: readonly unknown[]; readonly bundle?: string },
  ) => Promise<JobResult>;
}

export async function scene(t: TestContext): Promise<Scene> {
  const home = await temporaryFolder(t);
  return {
    home,
    run: async ({ steps = [], bundle = STAND_IN, ...options }) => {
      const path = join(home, 'bundle.cjs');
      await writeFile(path, bundle);
      return runOrbJob({ bundle, home, ...options, steps: [install({ bundle_path: path }), ...steps] });
    },
  };
}

export function succeeded(result: JobResult): JobResult {
  assert.equal(result.exitCode, 0, stderrOf(result));
  return result;
}

export const JOIN = joinStep({ config: '', proxy: 'p:443', token: 't', destination: '/d' });

/** For tests of shells that a machine may lack. */
export const ZSH = { skip: missing('zsh') ?? false };
export const BUSYBOX = { skip: missing('busybox') ?? false };
