import assert from 'node:assert/strict';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { IDENTITY_FILES } from '../output-files.ts';
import { directory, runOutputs } from './config-file.ts';
import { clusterForFile, misbehave } from './embedded-cluster.ts';
import { listing } from './folder-listing.ts';
import { beginJob } from './job.ts';
import { assertRefused } from './refusal.ts';
import { resultOf } from './run-result.ts';

const cluster = await clusterForFile();

test('an output to memory proves the join and leaves nothing on disk', async (t) => {
  const job = await beginJob(t, cluster);
  const result = resultOf(await runOutputs(cluster, job, ['destination: { type: memory }']));
  assert.deepEqual(
    result.outputs.map(({ destination, files }) => ({ destination, files })),
    [{ destination: 'memory', files: [] }],
  );
  assert.deepEqual([...(await listing(job.checkout)).keys()], ['.', 'tbot.yaml']);
});

test('a relative destination is in the working directory, and a warning explains the consequence', async (t) => {
  const job = await beginJob(t, cluster);
  const run = await runOutputs(cluster, job, [directory('./some/where')]);
  assert.equal(resultOf(run).outputs[0]?.destination, join(job.checkout, 'some/where'));
  assert.match(run.stderr, /^warning: .*some\/where is in the working directory: caches, workspaces and artifacts/m);
  const found = await listing(join(job.checkout, 'some'));
  assert.equal(found.get('.'), '0700 directory');
  assert.equal(found.get('where'), '0700 directory');
});

test('a second run replaces every file of the first', async (t) => {
  const job = await beginJob(t, cluster);
  resultOf(await job.run([...job.flags, '--json']));
  const first = await listing(job.destination);
  resultOf(await job.run([...job.flags, '--json']));
  const second = await listing(job.destination);
  assert.deepEqual([...second.keys()], [...first.keys()]);
  for (const name of IDENTITY_FILES) {
    assert.notEqual(second.get(name), first.get(name), name);
  }
  assert.equal(second.get('known_hosts'), first.get('known_hosts'));
});

test('a second run that fails at its last response keeps every file of the first', async (t) => {
  const job = await beginJob(t, cluster);
  resultOf(await job.run([...job.flags, '--json']));
  const before = await listing(job.folder);
  misbehave(t, cluster, { outputCertificates: 'ssh-for-other-key' });
  assertRefused(await job.run(job.flags), { code: 'CERTIFICATE_MISMATCH', says: /another key/ });
  assert.deepEqual(await listing(job.folder), before);
});

test('a symbolic link is followed only if the configuration allows it', async (t) => {
  const job = await beginJob(t, cluster);
  const [target, link] = [join(job.folder, 'target'), join(job.folder, 'link')];
  await mkdir(target, { mode: 0o700 });
  await symlink(target, link);
  for (const mode of ['secure', 'try-secure']) {
    assertRefused(await runOutputs(cluster, job, [directory(link, `, symlinks: ${mode}`)]), {
      code: 'DESTINATION_UNSAFE',
      says: /link is a symbolic link/,
      hint: /symlinks: insecure/,
    });
    assert.deepEqual(cluster.records.all, []);
  }
  resultOf(await runOutputs(cluster, job, [directory(link, ', symlinks: insecure')]));
  assert.ok((await listing(target)).has('identity'));
});
