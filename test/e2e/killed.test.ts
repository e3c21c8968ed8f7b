/** What a run leaves when it is killed with SIGKILL, and how the next run handles it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import test from 'node:test';
import { IDENTITY_FILES } from '../output-files.ts';
import { clusterForFile } from './embedded-cluster.ts';
import { assertWhole, beginKillJob, credentialsIn, stepsOfRun } from './kill-job.ts';
import { assertRefused } from './refusal.ts';
import { resultOf } from './run-result.ts';

const cluster = await clusterForFile();

test('whenever a run is killed, the next one leaves all new or all previous files, even if it is refused', async (t) => {
  const job = await beginKillJob(t, cluster);
  const steps = await stepsOfRun(job);
  assert.ok(steps > 40, `${steps} steps`);
  const refused = job.flags.map((flag) => (flag === cluster.info.joinToken ? 'unknown-token' : flag));
  const outcomes = new Set<string>();
  for (let step = 2; step <= steps; step += 10) {
    const before = await credentialsIn(job.destination);
    await job.killedAt(step);
    assertRefused(await job.run(refused), { code: 'JOIN_TOKEN_UNKNOWN', says: /unknown-token/ });
    await assertWhole(job.destination);
    const after = await credentialsIn(job.destination);
    const changed = after.filter((text, at) => text !== before[at]).length;
    assert.ok(changed === 0 || changed === IDENTITY_FILES.length, `killed at step ${step}: ${changed} files changed`);
    outcomes.add(changed === 0 ? 'before' : 'new');
  }
  assert.deepEqual([...outcomes], ['before', 'new']);
  await job.killedAt(steps - 2);
  resultOf(await job.run(job.runFlags));
  await assertWhole(job.destination);
});

test('SIGKILL at any moment while files are written leaves complete files for the next run', async (t) => {
  const job = await beginKillJob(t, cluster);
  resultOf(await job.run(job.runFlags));
  for (let pauseMs = 0; pauseMs < 9; pauseMs += 3) {
    const { child, finished } = job.start([...job.runFlags, '--debug']);
    // The certificates have arrived; the files are about to be written.
    await saysOn(child.stderr, 'GenerateUserCerts');
    setTimeout(() => child.kill('SIGKILL'), pauseMs);
    await finished;
    resultOf(await job.run(job.runFlags));
    await assertWhole(job.destination);
  }
});

async function saysOn(stream: NodeJS.ReadableStream | null, word: string): Promise<void> {
  for (let text = ''; stream !== null && !text.includes(word);) {
    const chunks: unknown = await once(stream, 'data');
    text += String(chunks);
  }
}
