import assert from 'node:assert/strict';
import { appendFile, chmod, lstat, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { systemFiles } from '../../src/effects/files.ts';
import { openManifest, readManifests } from '../../src/job/manifest.ts';
import { cannotMount, smallDisk } from '../small-disk.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const JOB = { CIRCLE_WORKFLOW_JOB_ID: '7d0d0c4e-6b1c-4c1e-9a52-0f5a5f2f3c11', CIRCLE_NODE_INDEX: '1' };
const SHA256_OF_KEY = '2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683';

function noWarning(message: string): never {
  throw new Error(message);
}

async function entriesOf(environment: Readonly<Record<string, string>>) {
  return (await readManifests(systemFiles, environment)).flatMap(({ entries }) => entries);
}

test('what is recorded is read back in its order, and holds digests in place of contents', async (t) => {
  const home = await temporaryFolder(t);
  const environment = { ...JOB, HOME: home, TMPDIR: home };
  const manifest = openManifest(systemFiles, environment, noWarning);
  await manifest.directory('/d');
  await manifest.files([{ path: '/d/key', contents: 'key', temporaries: ['/d/.t'] }], '/d');
  await manifest.exports('/tmp/env', '\nexport A=1\n');
  assert.deepEqual(await entriesOf(environment), [
    { directory: '/d' },
    { destination: '/d' },
    { file: '/d/key', sha256: SHA256_OF_KEY, temporaries: ['/d/.t'] },
    { exports: '/tmp/env', lines: '\nexport A=1\n' },
  ]);
  const [{ path } = { path: '' }] = await readManifests(systemFiles, environment);
  assert.equal((await lstat(path)).mode & 0o777, 0o600);
});

test('each job and each of its parallel nodes has its own manifest', async (t) => {
  const home = await temporaryFolder(t);
  const environment = { ...JOB, HOME: home, TMPDIR: home };
  await openManifest(systemFiles, environment, noWarning).directory('/d');
  assert.deepEqual(await entriesOf({ ...environment, CIRCLE_NODE_INDEX: '2' }), []);
  assert.deepEqual(await entriesOf({ ...environment, CIRCLE_WORKFLOW_JOB_ID: 'another' }), []);
  assert.equal((await entriesOf(environment)).length, 1);
});

test('an id of a job cannot lead out of the directory', async (t) => {
  const home = await temporaryFolder(t);
  const environment = { CIRCLE_WORKFLOW_JOB_ID: '../../escaped', HOME: home };
  await openManifest(systemFiles, environment, noWarning).directory('/d');
  assert.deepEqual(await readdir(home), ['.teleport-machine-id']);
  assert.deepEqual(await readdir(join(home, '.teleport-machine-id')), ['written.jsonl']);
});

test('half a line, and one that is not an entry, do not hide the others', async (t) => {
  const home = await temporaryFolder(t);
  const environment = { ...JOB, HOME: home, TMPDIR: home };
  const manifest = openManifest(systemFiles, environment, noWarning);
  await manifest.directory('/a');
  const [{ path } = { path: '' }] = await readManifests(systemFiles, environment);
  await appendFile(path, '{"file":"/etc/passwd"}\n[1]\n{"direct');
  await manifest.directory('/b');
  assert.deepEqual(await entriesOf(environment), [{ directory: '/a' }, { directory: '/b' }]);
});

test('without a home to write to, the temporary directory holds it', async (t) => {
  const folder = await temporaryFolder(t);
  for (const HOME of ['', '/dev/null', join(folder, 'missing', 'home')]) {
    const environment = { ...JOB, HOME, TMPDIR: folder };
    await openManifest(systemFiles, environment, noWarning).directory(`/of ${HOME}`);
  }
  assert.equal((await entriesOf({ ...JOB, TMPDIR: folder })).length, 3);
});

test('a directory that others can write to, or that is a link, is not trusted', async (t) => {
  const folder = await temporaryFolder(t);
  const state = join(folder, '.teleport-machine-id');
  await mkdir(state);
  await chmod(state, 0o777);
  const environment = { HOME: folder, TMPDIR: '/dev/null' };
  await writeFile(join(state, 'written.jsonl'), '{"directory":"/planted"}\n');
  const warnings: string[] = [];
  const manifest = openManifest(systemFiles, environment, (message) => warnings.push(message));
  await manifest.directory('/d');
  await manifest.directory('/e');
  assert.deepEqual(await readdir(state), ['written.jsonl']);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? '', /^"cleanup" will not remove/);
  assert.match(warnings[0] ?? '', new RegExp(`${state}: it is not a directory that only this user can write to`));
  assert.match(warnings[0] ?? '', /\/dev\/null\/teleport-machine-id-\w+: .*ENOTDIR/);
  assert.deepEqual(await entriesOf(environment), []);

  const linked = await temporaryFolder(t);
  await chmod(state, 0o700);
  await symlink(state, join(linked, '.teleport-machine-id'));
  assert.deepEqual(await entriesOf({ ...environment, HOME: linked }), []);
});

test('half a character, which a run that was killed may have left, hides nothing either', async (t) => {
  const home = await temporaryFolder(t);
  const environment = { ...JOB, HOME: home, TMPDIR: home };
  const manifest = openManifest(systemFiles, environment, noWarning);
  await manifest.directory('/ä\u{1f600}\ud800\u007f');
  const [{ path } = { path: '' }] = await readManifests(systemFiles, environment);
  assert.match(await readFile(path, 'utf8'), /^[\n -~]+$/);
  assert.deepEqual(await entriesOf(environment), [{ directory: '/ä\u{1f600}\ud800\u007f' }]);
});

test('a manifest that is not text is reported, because the files it names stay', async (t) => {
  const home = await temporaryFolder(t);
  const environment = { ...JOB, HOME: home, TMPDIR: home };
  await openManifest(systemFiles, environment, noWarning).directory('/a');
  const [{ path } = { path: '' }] = await readManifests(systemFiles, environment);
  await appendFile(path, Buffer.of(0xff));
  await assert.rejects(readManifests(systemFiles, environment), { code: 'CLEANUP_FAILED' });
});

for (const state of ['full', 'read-only'] as const) {
  test(
    `a home directory whose disk becomes ${state} is left for the temporary directory`,
    { skip: cannotMount },
    async (t) => {
      const disk = await smallDisk(t, { kibibytes: 16 });
      const TMPDIR = await temporaryFolder(t);
      const environment = { ...JOB, HOME: disk.path, TMPDIR };
      const manifest = openManifest(systemFiles, environment, noWarning);
      await manifest.directory('/a');
      if (state === 'full') await disk.fill();
      else disk.makeReadOnly();
      const long = `/${'b'.repeat(5000)}`;
      await manifest.directory(long);
      assert.deepEqual(await entriesOf(environment), [{ directory: '/a' }, { directory: long }]);
      assert.equal((await readManifests(systemFiles, environment)).length, 2);
    },
  );
}
