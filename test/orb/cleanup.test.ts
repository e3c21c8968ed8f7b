import assert from 'node:assert/strict';
import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { temporaryFolder } from '../temporary-folder.ts';
import { install, runOrbJob, stderrOf } from './orb-job.ts';
import { callIn, STAND_IN as BUNDLE } from './stand-in.ts';

const CLEANUP = { 'machine-id/cleanup': {} };

async function job(context: TestContext): Promise<{ home: string; installed: string; steps: readonly unknown[] }> {
  const home = await temporaryFolder(context);
  await mkdir(join(home, 'project'));
  const bundle = join(home, 'bundle.cjs');
  await writeFile(bundle, BUNDLE);
  return {
    home,
    installed: join(home, '.teleport-machine-id', 'machine-id.cjs'),
    steps: [install({ bundle_path: bundle })],
  };
}

test('cleanup calls the script, also after a failed step', async (context) => {
  const { home, steps } = await job(context);
  const result = await runOrbJob({ bundle: BUNDLE, home, steps: [...steps, { run: 'exit 3' }, CLEANUP] });
  assert.equal(result.exitCode, 3);
  assert.deepEqual(callIn(result.steps.at(-1)?.stdout ?? '')?.flags, ['cleanup']);
});

test('with left_over, files of other jobs are removed', async (context) => {
  const { home, steps } = await job(context);
  const leftOver = { 'machine-id/cleanup': { left_over: true } };
  const result = await runOrbJob({ bundle: BUNDLE, home, steps: [...steps, leftOver] });
  assert.deepEqual(callIn(result.steps.at(-1)?.stdout ?? '')?.flags, ['cleanup', '--left-over']);
});

test('cleanup does nothing if install did not finish', async (context) => {
  const { home } = await job(context);
  const result = await runOrbJob({ bundle: BUNDLE, home, steps: [CLEANUP] });
  assert.equal(result.exitCode, 0);
  assert.match(stderrOf(result), /machine-id\.cjs is not in .*, so it cannot have written anything/);
});

test('cleanup rejects a script that was changed after install', async (context) => {
  const { home, installed, steps } = await job(context);
  assert.equal((await runOrbJob({ bundle: BUNDLE, home, steps })).exitCode, 0);
  await appendFile(installed, '//');
  const result = await runOrbJob({ bundle: BUNDLE, home, steps: [CLEANUP] });
  assert.equal(result.exitCode, 1);
  assert.match(stderrOf(result), /is refused: expected SHA-256/);
});
