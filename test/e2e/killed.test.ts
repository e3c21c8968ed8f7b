/** What a run leaves that is ended by SIGKILL, and what the next one, or `cleanup`, makes of it. */
import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import test, { type TestContext } from 'node:test';
import { itemsText } from './config-file.ts';
import { clusterForFile } from './embedded-cluster.ts';
import { beginJob, type Job } from './job.ts';
import { assertRefused } from './refusal.ts';
import { resultOf } from './run-result.ts';

const cluster = await clusterForFile();

/** New with every run. */
const CREDENTIALS = ['key', 'key.pub', 'tlscert', 'key-cert.pub', 'identity'];

interface KillJob extends Job {
  readonly runFlags: readonly string[];
  killedAt(step: number): Promise<void>;
}

/** A job with the files of an earlier run in its destination, and two outputs. */
async function begin(t: TestContext): Promise<KillJob> {
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

function killAt({ destination, folder }: Job, step: number): Readonly<Record<string, string>> {
  return {
    NODE_OPTIONS: `--require ${resolve('test/e2e/kill-at-step.cjs')}`,
    KILL_AT: String(step),
    KILL_FOLDER: destination,
    KILL_COUNT: join(folder, 'count'),
  };
}

/** How many changes a whole run makes to a destination that has files. */
async function stepsOfRun(job: KillJob): Promise<number> {
  resultOf(await job.run(job.runFlags));
  resultOf(await job.run(job.runFlags, { environment: killAt(job, 0) }));
  return Number(await readFile(join(job.folder, 'count'), 'utf8'));
}

async function credentialsIn(directory: string): Promise<readonly string[]> {
  return Promise.all(CREDENTIALS.map((name) => readFile(join(directory, name), 'utf8')));
}

/** Fails unless the key is that of the certificate, and nothing temporary is left. */
async function assertWhole(directory: string): Promise<void> {
  const [key = '', , certificate = ''] = await credentialsIn(directory);
  assert.ok(new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key)), 'key and certificate match');
  const names = await readdir(directory);
  assert.deepEqual(
    names.filter((name) => name.startsWith('.machine-id')),
    [],
  );
}

test('whenever a run is killed, the next leaves all its files or all of before, even if it is refused', async (t) => {
  const job = await begin(t);
  const steps = await stepsOfRun(job);
  assert.ok(steps > 40, `${steps} steps`);
  const refused = job.flags.map((flag) => (flag === cluster.info.joinToken ? 'unknown-token' : flag));
  const outcomes = new Set<string>();
  for (let step = 2; step <= steps; step += 8) {
    const before = await credentialsIn(job.destination);
    await job.killedAt(step);
    assertRefused(await job.run(refused), { code: 'JOIN_TOKEN_UNKNOWN', says: /unknown-token/ });
    await assertWhole(job.destination);
    const after = await credentialsIn(job.destination);
    const changed = after.filter((text, at) => text !== before[at]).length;
    assert.ok(changed === 0 || changed === CREDENTIALS.length, `killed at step ${step}: ${changed} files changed`);
    outcomes.add(changed === 0 ? 'before' : 'new');
  }
  assert.deepEqual([...outcomes], ['before', 'new']);
  await job.killedAt(steps - 2);
  resultOf(await job.run(job.runFlags));
  await assertWhole(job.destination);
});

test('cleanup removes all that a run leaves which was killed', async (t) => {
  const job = await begin(t);
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

test('runs at the same time, some of them killed, leave whole files', async (t) => {
  const job = await begin(t);
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

test('SIGKILL at any moment while files are written leaves whole files to the next run', async (t) => {
  const job = await begin(t);
  resultOf(await job.run(job.runFlags));
  for (let pauseMs = 0; pauseMs < 9; pauseMs += 3) {
    const { child, finished } = job.start([...job.runFlags, '--debug']);
    // The certificates have come: files are about to be written.
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
