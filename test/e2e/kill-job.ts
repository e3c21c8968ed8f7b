/** A job whose runs are killed with SIGKILL at a chosen step. */
import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { TestContext } from 'node:test';
import type { Cluster } from '../cluster/cluster.ts';
import { IDENTITY_FILES } from '../output-files.ts';
import { itemsText } from './config-file.ts';
import { beginJob, type Job } from './job.ts';
import { resultOf } from './run-result.ts';

/** Different for every run. */

export interface KillJob extends Job {
  readonly runFlags: readonly string[];
  killedAt(step: number): Promise<void>;
}

/** A job with files of an earlier run in its destination, and two outputs. */
export async function beginKillJob(t: TestContext, cluster: Cluster): Promise<KillJob> {
  const job = await beginJob(t, cluster);
  const items = ['identity', 'second'].map(
    (name) => `type: identity, destination: { type: directory, path: ${join(job.folder, name)} }`,
  );
  const file = await job.addFile('tbot.yaml', itemsText(cluster, items));
  const runFlags = ['run', '--config', file, '--json', '--no-export'];
  return {
    ...job,
    runFlags,
    killedAt: async (step) => {
      const { child, finished } = job.start(runFlags, { environment: killAt(job, step) });
      await finished;
      assert.equal(child.signalCode, 'SIGKILL', `killed at step ${step}`);
    },
  };
}

export function killAt({ destination, folder }: Job, step: number): Readonly<Record<string, string>> {
  return {
    NODE_OPTIONS: `--require ${resolve('test/e2e/kill-at-step.cjs')}`,
    KILL_AT: String(step),
    KILL_FOLDER: destination,
    KILL_COUNT: join(folder, 'count'),
  };
}

/** How many changes a complete run makes to a destination that has files. */
export async function stepsOfRun(job: KillJob): Promise<number> {
  resultOf(await job.run(job.runFlags));
  resultOf(await job.run(job.runFlags, { environment: killAt(job, 0) }));
  return Number(await readFile(join(job.folder, 'count'), 'utf8'));
}

export async function credentialsIn(directory: string): Promise<readonly string[]> {
  return Promise.all(IDENTITY_FILES.map((name) => readFile(join(directory, name), 'utf8')));
}

/** Fails unless the key matches the certificate, and no temporary files are left. */
export async function assertWhole(directory: string): Promise<void> {
  const [key = '', , certificate = ''] = await credentialsIn(directory);
  assert.ok(new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key)), 'key and certificate match');
  const names = await readdir(directory);
  assert.deepEqual(
    names.filter((name) => name.startsWith('.machine-id')),
    [],
  );
}
