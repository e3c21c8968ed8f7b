/** Runs that are killed with SIGKILL, followed by `cleanup` or in parallel with others. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import test from 'node:test';
import { clusterForFile } from './embedded-cluster.ts';
import { assertWhole, beginKillJob, killAt, stepsOfRun } from './kill-job.ts';
import { resultOf } from './run-result.ts';

const cluster = await clusterForFile();

test('cleanup removes everything that a killed run has left', async (t) => {
  const job = await beginKillJob(t, cluster);
  const steps = await stepsOfRun(job);
  for (let step = 1; step <= steps; step += 13) {
    await job.killedAt(step);
    const { exitCode, stderr } = await job.run(['cleanup']);
    assert.equal(exitCode, 0, stderr);
    const names = (await readdir(job.folder)).filter((name) => name !== 'count');
    assert.deepEqual(names.sort(), ['.teleport-machine-id', 'bin', 'project'], `killed at step ${step}`);
    resultOf(await job.run(job.runFlags));
  }
});

test('concurrent runs, some of them killed, leave complete files', async (t) => {
  const job = await beginKillJob(t, cluster);
  await stepsOfRun(job);
  for (const delayed of [28, 38]) {
    const killed = job.start(job.runFlags, { environment: killAt(job, delayed) });
    const [first, second] = [job.start(job.runFlags), job.start(job.runFlags)];
    await Promise.all([killed.finished, first.finished, second.finished]);
    resultOf(await first.finished);
    resultOf(await second.finished);
    resultOf(await job.run(job.runFlags));
    await assertWhole(job.destination);
  }
});
