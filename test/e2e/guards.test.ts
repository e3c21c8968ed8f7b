/** Guards: what the configuration expects of the job, the cluster and the bot. */
import assert from 'node:assert/strict';
import { access } from 'node:fs/promises';
import test from 'node:test';
import { checksOf } from './doctor-checks.ts';
import { clusterForFile } from './embedded-cluster.ts';
import { beginJob } from './job.ts';
import { assertRunRefused } from './refusal.ts';
import { resultOf } from './run-result.ts';

const cluster = await clusterForFile();
const OTHER_ID = '11111111-2222-3333-4444-555555555555';

function joins(): readonly string[] {
  return cluster.records.kinds.filter((kind) => kind.includes('join'));
}

test('guards of the job refuse before anything is contacted, all in one report', async (t) => {
  const job = await beginJob(t, cluster);
  const environment = {
    CIRCLE_OIDC_TOKEN: await cluster.mint({ sshRerun: true, vcsRef: 'refs/heads/pull/17' }),
  };
  const args = [...job.flags, '--expect-project', OTHER_ID, '--refuse-ssh-rerun', '--refuse-fork'];
  const run = await assertRunRefused(
    job,
    { code: 'GUARD_REFUSED', says: /^3 guards refused this job$/m },
    { args, changes: { environment } },
  );
  assert.match(run.stderr, new RegExp(`--expect-project: expected project ${OTHER_ID}, got ${cluster.info.projectId}`));
  assert.match(run.stderr, /--refuse-ssh-rerun: this job was rerun with SSH/);
  assert.match(run.stderr, /--refuse-fork: .*fork: the claim vcs-ref is refs\/heads\/pull\/17/);
  assert.deepEqual(cluster.records.kinds, []);
  const checks = await checksOf(job, args.slice(1), { environment });
  assert.equal(checks.get('guards')?.state, 'fail');
  assert.equal(checks.get('join')?.state, 'skip');
  assert.deepEqual(joins(), []);
});

test('another cluster than the expected one does not get the token', async (t) => {
  const job = await beginJob(t, cluster);
  const says = new RegExp(`--expect-cluster: expected cluster other\\.example\\.com, got ${cluster.info.cluster}`);
  const args = [...job.flags, '--expect-cluster', 'other.example.com'];
  await assertRunRefused(job, { code: 'GUARD_REFUSED', says }, { args });
  assert.deepEqual(joins(), []);
});

test('a join token of another bot than the expected one ends the run before its outputs', async (t) => {
  const job = await beginJob(t, cluster);
  const args = [...job.flags, '--expect-bot', 'other'];
  const says = /--expect-bot: the join token is for another bot: expected other, got ci/;
  await assertRunRefused(job, { code: 'GUARD_REFUSED', says }, { args });
  const tbot = await job.run([...args, '--engine', 'tbot']);
  assert.match(tbot.stderr, /--expect-bot cannot be combined with --engine tbot/);
  assert.equal(tbot.exitCode, 2);
});

for (const guard of ['--expect-cluster', '--expect-bot']) {
  test(`a guard that refuses after the cluster has answered leaves no folder: ${guard}`, async (t) => {
    const job = await beginJob(t, cluster);
    const run = await job.run([...job.flags, guard, 'other']);
    assert.match(run.stderr, /GUARD_REFUSED/);
    await assert.rejects(access(job.destination), { code: 'ENOENT' });
  });
}

test('a job that is as expected gets its credentials, and a warning about variables that override them', async (t) => {
  const job = await beginJob(t, cluster);
  const guards = [
    '--expect-bot',
    'ci',
    '--expect-cluster',
    cluster.info.cluster,
    '--refuse-ssh-rerun',
    '--refuse-fork',
  ];
  const run = await job.run([...job.flags, ...guards, '--expect-project', cluster.info.projectId, '--json'], {
    environment: { TELEPORT_LOGIN: 'nobody', TELEPORT_CLUSTER: 'replaced', PGHOST: 'localhost' },
  });
  assert.equal(resultOf(run).bot, 'ci');
  assert.match(run.stderr, /already set in this job override what was written: TELEPORT_LOGIN; unset them/);
});
