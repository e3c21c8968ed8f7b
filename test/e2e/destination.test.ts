import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { clusterForFile } from './embedded-cluster.ts';
import { listing } from './folder-listing.ts';
import { beginJob, type Job } from './job.ts';
import { missing, runProgram } from '../programs.ts';
import { assertRefused, type Refusal } from './refusal.ts';
import { resultOf } from './run-result.ts';

const cluster = await clusterForFile();

function flagsFor(destination: string): readonly string[] {
  const { proxy, joinToken } = cluster.info;
  return ['run', '--proxy-server', proxy, '--token', joinToken, '--destination', destination];
}

/** Problems that can be detected early fail the run before anything is contacted. */
async function assertNotContacted(job: Job, destination: string, refusal: Refusal): Promise<void> {
  const before = await listing(job.folder);
  assertRefused(await job.run([...flagsFor(destination), '--no-export']), refusal);
  assert.deepEqual(cluster.records.all, []);
  assert.deepEqual(await listing(job.folder), before);
}

test('a destination that is a symbolic link is rejected', async (t) => {
  const job = await beginJob(t, cluster);
  await mkdir(join(job.folder, 'elsewhere'));
  await symlink(join(job.folder, 'elsewhere'), job.destination);
  await assertNotContacted(job, job.destination, {
    code: 'DESTINATION_UNSAFE',
    says: /identity is a symbolic link/,
    hint: /symlinks: insecure/,
  });
});

test('a symbolic link in the path of the destination is rejected', async (t) => {
  const job = await beginJob(t, cluster);
  await mkdir(join(job.folder, 'elsewhere'));
  await symlink(join(job.folder, 'elsewhere'), join(job.folder, 'way'));
  await assertNotContacted(job, join(job.folder, 'way', 'identity'), {
    code: 'DESTINATION_UNSAFE',
    says: /\/way is a symbolic link/,
  });
});

test('a symbolic link where a file is expected is not followed', async (t) => {
  const job = await beginJob(t, cluster);
  const victim = join(job.folder, 'victim');
  await mkdir(job.destination, { mode: 0o700 });
  await writeFile(victim, 'precious\n');
  await symlink(victim, join(job.destination, 'key'));
  const before = await listing(job.folder);
  assertRefused(await job.run([...job.flags, '--no-export']), {
    code: 'DESTINATION_UNSAFE',
    says: /identity\/key is a symbolic link/,
    hint: /symlinks: insecure/,
  });
  assert.deepEqual(await listing(job.folder), before);
});

test('a destination below a file cannot be created', async (t) => {
  const job = await beginJob(t, cluster);
  await writeFile(join(job.folder, 'file'), 'a file\n');
  for (const path of [join(job.folder, 'file'), join(job.folder, 'file', 'below')]) {
    await assertNotContacted(job, path, { code: 'DESTINATION_UNWRITABLE', says: /file/ });
  }
});

test('a destination on a file system without files is rejected', async (t) => {
  const job = await beginJob(t, cluster);
  await assertNotContacted(job, '/proc/machine-id', { code: 'DESTINATION_UNWRITABLE', says: /\/proc\/machine-id/ });
});

test('a directory where a file is expected fails the run, and no other file is changed', async (t) => {
  const job = await beginJob(t, cluster);
  await mkdir(join(job.destination, 'tlscert'), { recursive: true, mode: 0o700 });
  await writeFile(join(job.destination, 'key'), 'key of an earlier run\n', { mode: 0o600 });
  const before = await listing(job.folder);
  assertRefused(await job.run([...job.flags, '--no-export']), {
    code: 'DESTINATION_UNWRITABLE',
    says: /tlscert"? already exists and is not a file/,
  });
  assert.deepEqual(await listing(job.folder), before);
});

test('a destination with a line break in its name is rejected, because ssh_config cannot contain it', async (t) => {
  const job = await beginJob(t, cluster);
  await assertNotContacted(job, join(job.folder, 'line\nbreak'), {
    code: 'DESTINATION_UNSAFE',
    says: /control character/,
  });
});

test('a directory that other users can read is used with a warning', async (t) => {
  const job = await beginJob(t, cluster);
  await mkdir(job.destination, { mode: 0o755 });
  const run = await job.run([...job.flags, '--json']);
  resultOf(run);
  assert.match(run.stderr, /^warning: .*identity can be listed by other users \(mode 755\)/m);
});

test('only the readers of a destination can read its files', { skip: missing('setfacl', 'getfacl') }, async (t) => {
  const job = await beginJob(t, cluster);
  const { proxy, joinToken } = cluster.info;
  const path = await job.addFile(
    'tbot.yaml',
    `version: v2
proxy_server: ${proxy}
onboarding: { join_method: circleci, token: ${joinToken} }
outputs:
  - type: identity
    destination:
      type: directory
      path: ${job.destination}
      acls: required
      readers: [{ user: nobody }]
`,
  );
  resultOf(await job.run(['run', '-c', path, '--json']));
  const { stdout } = await runProgram('getfacl', ['--omit-header', '--absolute-names', join(job.destination, 'key')]);
  assert.deepEqual(stdout.trim().split('\n'), [
    'user::rw-',
    'user:nobody:r--',
    'group::---',
    'mask::r--',
    'other::---',
  ]);
});
