import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { stringify } from 'yaml';
import { inlineOrb } from '../job-runner/inline-orb.ts';
import { runJob, type JobResult } from '../job-runner/run-job.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { packedWith } from './source.ts';
import { callIn, STAND_IN as BUNDLE } from './stand-in.ts';

async function runTheJob(t: Parameters<typeof temporaryFolder>[0], more: object): Promise<JobResult> {
  const home = await temporaryFolder(t);
  await mkdir(join(home, 'source'));
  await writeFile(join(home, 'source/file'), 'checked out\n');
  await writeFile(join(home, 'bundle.cjs'), BUNDLE);
  const call = {
    name: 'deploy',
    bundle_path: join(home, 'bundle.cjs'),
    config: '',
    proxy: 'p:443',
    token: 't',
    destination: '/d',
    ...more,
  };
  const workflows = { main: { jobs: [{ 'machine-id/run': call }] } };
  const config = inlineOrb(stringify({ version: 2.1, workflows }), 'machine-id', packedWith(BUNDLE));
  return runJob({ config, job: 'deploy', home, checkoutFrom: join(home, 'source') });
}

function shown({ stdout }: { readonly stdout: string }): string {
  return callIn(stdout)?.flags.join(' ') ?? stdout.trim();
}

test('the steps run between the join and the cleanup, in a checked out project', async (t) => {
  const { exitCode, steps } = await runTheJob(t, { ssh: true, steps: [{ run: 'cat file' }] });
  assert.equal(exitCode, 0);
  assert.deepEqual(steps.slice(-3).map(shown), [
    'run --proxy-server=p:443 --token=t --destination=/d --ssh',
    'checked out',
    'cleanup',
  ]);
});

test('the cleanup runs after a step that failed, whose exit code stays', async (t) => {
  const { exitCode, steps } = await runTheJob(t, { checkout: false, steps: [{ run: 'exit 4' }] });
  assert.equal(exitCode, 4);
  assert.deepEqual(steps.slice(-1).map(shown), ['cleanup']);
});

test('the report is stored, before the steps that are given', async (t) => {
  const { steps } = await runTheJob(t, { report: 'file', steps: [{ run: 'exit 4' }] });
  assert.deepEqual(
    steps.slice(-4).map((step) => shown(step).split('/').at(-1)),
    ['d --report=file', 'file', '', 'cleanup'],
  );
});

test('the executor without Node.js may be named', async (t) => {
  assert.equal((await runTheJob(t, { executor: 'machine-id/no_node' })).exitCode, 0);
});
