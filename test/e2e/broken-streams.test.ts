import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { clusterForFile } from './embedded-cluster.ts';
import { beginJob, type Job } from './job.ts';
import { errorReport } from './refusal.ts';
import type { BundleRun } from './run-bundle.ts';
import { resultOf } from './run-result.ts';

const cluster = await clusterForFile();

/** Everything that a run writes for later steps. */
async function assertDone(job: Job): Promise<void> {
  assert.ok(existsSync(join(job.destination, 'identity')));
  assert.match(await readFile(job.bashEnv, 'utf8'), /^export TELEPORT_IDENTITY_FILE=/m);
}

type Stream = 'stdout' | 'stderr';

/** Runs the command with streams that were closed before it writes anything. */
async function withoutReaders(job: Job, args: readonly string[], streams: readonly Stream[]): Promise<BundleRun> {
  const { child, finished } = job.start(args);
  for (const name of streams) child[name]?.destroy();
  return finished;
}

/** Runs the command with streams to a full device. */
async function onFullDevice(
  t: TestContext,
  job: Job,
  args: readonly string[],
  streams: readonly Stream[],
): Promise<BundleRun> {
  const full = await open('/dev/full', 'w');
  t.after(() => full.close());
  return job.run(args, { outputs: Object.fromEntries(streams.map((name) => [name, full.fd])) });
}

const skip = existsSync('/dev/full') ? false : 'this system has no /dev/full';

test('a run succeeds if its log is not read', async (t) => {
  const job = await beginJob(t, cluster);
  const run = await withoutReaders(job, job.flags, ['stdout', 'stderr']);
  assert.equal(run.exitCode, 0);
  await assertDone(job);
});

test('a run succeeds if its log cannot be stored', { skip }, async (t) => {
  const job = await beginJob(t, cluster);
  const run = await onFullDevice(t, job, job.flags, ['stderr']);
  assert.equal(run.exitCode, 0);
  await assertDone(job);
});

test('with a lost log, the result is still printed', async (t) => {
  const job = await beginJob(t, cluster);
  resultOf(await withoutReaders(job, [...job.flags, '--json', '--debug'], ['stderr']));
});

test('with a lost log, a failed run still ends with its exit code', async (t) => {
  const job = await beginJob(t, cluster);
  const args = job.flags.map((arg) => (arg === cluster.info.joinToken ? 'no-such-token' : arg));
  assert.equal((await withoutReaders(job, args, ['stderr'])).exitCode, 1);
  assert.equal((await withoutReaders(job, ['run', '--no-such-flag'], ['stderr'])).exitCode, 2);
});

for (const [what, lose] of [
  ['read', (_: TestContext, job: Job, args: readonly string[]) => withoutReaders(job, args, ['stdout'])],
  ['stored', (t: TestContext, job: Job, args: readonly string[]) => onFullDevice(t, job, args, ['stdout'])],
] as const) {
  test(`a result that cannot be ${what} fails the command after its work`, { skip }, async (t) => {
    const job = await beginJob(t, cluster);
    const run = await lose(t, job, [...job.flags, '--json']);
    assert.equal(run.exitCode, 1);
    assert.equal(errorReport(run).code, 'STDOUT_UNWRITABLE');
    await assertDone(job);
    const kubernetes = ['kube-credentials', '--destination-dir', job.destination];
    for (const args of [['doctor', '--json', ...job.flags.slice(1)], kubernetes]) {
      const other = await lose(t, job, args);
      assert.equal(other.exitCode, 1, args[0]);
      assert.match(other.stderr, /^code: STDOUT_UNWRITABLE$/m);
    }
  });
}

test('a result written to a file is complete', async (t) => {
  const job = await beginJob(t, cluster);
  const path = join(job.folder, 'result.json');
  const file = await open(path, 'w');
  const run = await job.run([...job.flags, '--json'], { outputs: { stdout: file.fd } });
  await file.close();
  resultOf({ ...run, stdout: await readFile(path, 'utf8') });
});

test('a reader that closes the pipe early does not fail the command', async (t) => {
  const job = await beginJob(t, cluster);
  const file = await job.addFile('token.yaml', 'kind: token\nversion: v2\nmetadata: { name: a }\nspec: {}\n');
  for (const [expected, args] of [
    [0, ['version']],
    [0, ['--help']],
    [0, ['run', '--help']],
    [0, ['doctor', ...job.flags.slice(1)]],
    [2, ['explain-token', file]],
    [0, ['cleanup']],
  ] as const) {
    const run = await withoutReaders(job, args, ['stdout']);
    assert.equal(run.exitCode, expected, `${args[0]}: ${run.stderr}`);
    assert.doesNotMatch(run.stderr, /INTERNAL|UNCAUGHT|EPIPE/);
    assert.equal((await withoutReaders(job, args, ['stdout', 'stderr'])).exitCode, expected, args[0]);
  }
});

test('text that cannot be stored fails the command', { skip }, async (t) => {
  const job = await beginJob(t, cluster);
  for (const args of [['version'], ['--help'], ['doctor', ...job.flags.slice(1)]]) {
    const run = await onFullDevice(t, job, args, ['stdout']);
    assert.equal(errorReport(run).code, 'STDOUT_UNWRITABLE', args[0]);
    assert.equal((await onFullDevice(t, job, args, ['stdout', 'stderr'])).exitCode, 1);
  }
});

test('an unhandled error is reported as such, masked, with details only with --debug', async (t) => {
  const job = await beginJob(t, cluster);
  const hook = join(job.folder, 'hook.cjs');
  const token = 'process.env.CIRCLE_OIDC_TOKEN';
  for (const fault of [
    `throw new Error('odd\\nerror: forged ' + ${token})`,
    `Promise.reject(new Error('odd\\nerror: forged ' + ${token}))`,
  ]) {
    // When the run requests its first connection, it has read the token.
    await writeFile(
      hook,
      `require('node:https').Agent = class { constructor() { setImmediate(() => { ${fault} }) } };`,
    );
    for (const args of [job.flags, [...job.flags, '--debug'], [...job.flags, '--log-format', 'json']]) {
      const run = await job.run(args, { environment: { NODE_OPTIONS: `--require ${hook}` } });
      assert.equal(run.exitCode, 1);
      assert.match(run.stderr, /UNCAUGHT/);
      assert.match(run.stderr, /\[masked\]/);
      assert.doesNotMatch(run.stderr, /^error: forged/m);
      assert.equal(/ at .*hook\.cjs/.test(run.stderr), args.includes('--debug'));
    }
  }
});
