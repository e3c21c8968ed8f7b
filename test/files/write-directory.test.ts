import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, link, lstat, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { Worker } from 'node:worker_threads';
import { type Files, systemFiles } from '../../src/effects/files.ts';
import { systemCommands } from '../../src/effects/programs.ts';
import type { OutputFile } from '../../src/files/destination.ts';
import { writeDirectory } from '../../src/files/write.ts';
import { NO_RECORD } from '../../src/job/manifest.ts';
import type { DirectoryDestination } from '../../src/schema/destination.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { directory } from './directory.ts';

const NEW: readonly OutputFile[] = ['key', 'tlscert', 'identity'].map((name) => ({ name, contents: `new ${name}` }));

function write(destination: DirectoryDestination, outputFiles = NEW, files: Files = systemFiles) {
  return writeDirectory(
    { files, commands: systemCommands, record: NO_RECORD },
    destination,
    destination.path,
    outputFiles,
  );
}

/** Names and contents of everything in a folder, links included. */
async function contentsOf(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder)).sort();
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name), 'utf8')] as const)),
  );
}

const ALL_NEW = { identity: 'new identity', key: 'new key', tlscert: 'new tlscert' };
const OLD = { key: 'old key', tlscert: 'old tlscert', theirs: 'not ours' };

async function folderWithOldFiles(context: test.TestContext): Promise<string> {
  const folder = await temporaryFolder(context);
  for (const [name, contents] of Object.entries(OLD)) await writeFile(join(folder, name), contents);
  return folder;
}

test('every file is there afterwards, for its owner alone, and nothing else', async (context) => {
  const folder = await temporaryFolder(context);
  assert.deepEqual(await write(directory(folder)), []);
  assert.deepEqual(await contentsOf(folder), ALL_NEW);
  for (const name of Object.keys(ALL_NEW)) assert.equal((await lstat(join(folder, name))).mode & 0o7777, 0o600);
});

test('bytes are written as they are', async (context) => {
  const folder = await temporaryFolder(context);
  await write(directory(folder), [{ name: 'truststore', contents: Uint8Array.of(0, 0xff, 0x0a) }]);
  assert.deepEqual([...(await readFile(join(folder, 'truststore')))], [0, 0xff, 0x0a]);
});

test('existing files are replaced, and a program that has opened the old ones keeps them', async (context) => {
  const folder = await folderWithOldFiles(context);
  await chmod(join(folder, 'key'), 0o644);
  await link(join(folder, 'key'), join(folder, 'kept'));
  await write(directory(folder));
  assert.deepEqual(await contentsOf(folder), { ...ALL_NEW, kept: 'old key', theirs: 'not ours' });
  assert.equal((await lstat(join(folder, 'key'))).mode & 0o7777, 0o600);
});

test('a second write leaves what a first would', async (context) => {
  const folder = await temporaryFolder(context);
  await write(directory(folder), [{ name: 'key', contents: 'first' }]);
  await write(directory(folder));
  assert.deepEqual(await contentsOf(folder), ALL_NEW);
});

test('a name as long as the file system allows can be written', async (context) => {
  const folder = await temporaryFolder(context);
  const name = `${'c'.repeat(255 - '.known_hosts'.length)}.known_hosts`;
  await write(directory(folder), [{ name, contents: 'one' }]);
  await write(directory(folder), [{ name, contents: 'two' }]);
  assert.deepEqual(await contentsOf(folder), { [name]: 'two' });
});

/** Reads the file again and again, on a thread of its own, and counts the whole and the other texts, until it is to stop. */
const READER = `
const { readFileSync } = require('node:fs');
const { parentPort, workerData: { counts, path, texts } } = require('node:worker_threads');
parentPort.postMessage('ready');
do Atomics.add(counts, texts.includes(readFileSync(path, 'utf8')) ? 1 : 2, 1); while (Atomics.load(counts, 0) === 0);
`;

test('a reader sees the whole old or the whole new file at any moment', async (context) => {
  const folder = await temporaryFolder(context);
  const texts = ['a', 'b'].map((letter) => letter.repeat(200_000));
  await write(directory(folder), [{ name: 'key', contents: texts[0] ?? '' }]);
  const counts = new Int32Array(new SharedArrayBuffer(12));
  const reader = new Worker(READER, { eval: true, workerData: { counts, path: join(folder, 'key'), texts } });
  await once(reader, 'message');
  for (let round = 0; round < 200; round += 1) {
    for (const contents of texts) await write(directory(folder), [{ name: 'key', contents }]);
  }
  Atomics.store(counts, 0, 1);
  await once(reader, 'exit');
  const [, whole = 0, others] = counts;
  assert.equal(others, 0);
  assert.ok(whole > 20, `${whole} reads`);
});

/** Rejects when it is called for the time with that number, counted from 1. */
function failingAt(number: number, code: string): () => Promise<void> {
  let calls = 0;
  return () => {
    calls += 1;
    return calls === number ? Promise.reject(Object.assign(new Error('injected'), { code })) : Promise.resolve();
  };
}

for (const number of [1, 2, 3]) {
  test(`when staging file ${number} fails, the existing files stay`, async (context) => {
    const folder = await folderWithOldFiles(context);
    const fail = failingAt(number, 'ENOSPC');
    const createFile: Files['createFile'] = (path, contents) =>
      fail().then(() => systemFiles.createFile(path, contents));
    const files = { ...systemFiles, createFile };
    await assert.rejects(write(directory(folder), NEW, files), { code: 'DESTINATION_UNWRITABLE' });
    assert.deepEqual(await contentsOf(folder), OLD);
  });

  test(`when renaming file ${number} fails, the existing files stay`, async (context) => {
    const folder = await folderWithOldFiles(context);
    const before = (await lstat(join(folder, 'key'))).ino;
    const fail = failingAt(number, 'EACCES');
    const renameAll: Files['renameAll'] = async (renames) => {
      for (const rename of renames) await fail().then(() => systemFiles.renameAll([rename]));
    };
    const files = { ...systemFiles, renameAll };
    await assert.rejects(write(directory(folder), NEW, files), { code: 'DESTINATION_UNWRITABLE' });
    assert.deepEqual(await contentsOf(folder), OLD);
    assert.equal((await lstat(join(folder, 'key'))).ino, before);
  });
}

test('a file that is cut short by a full disk does not stay', async (context) => {
  const folder = await folderWithOldFiles(context);
  const files = {
    ...systemFiles,
    createFile: async (path: string) => {
      await systemFiles.createFile(path, 'half a k');
      throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
    },
  };
  await assert.rejects(write(directory(folder), NEW, files), { code: 'DESTINATION_UNWRITABLE' });
  assert.deepEqual(await contentsOf(folder), OLD);
});

test('a file system without hard links takes the files all the same', async (context) => {
  const folder = await folderWithOldFiles(context);
  const files = { ...systemFiles, link: () => Promise.reject(Object.assign(new Error('no'), { code: 'EPERM' })) };
  await write(directory(folder), NEW, files);
  assert.deepEqual(await contentsOf(folder), { ...ALL_NEW, theirs: 'not ours' });
});

test('a second name that cannot be made for another reason ends the write', async (context) => {
  const folder = await folderWithOldFiles(context);
  const files = { ...systemFiles, link: () => Promise.reject(Object.assign(new Error('no'), { code: 'EIO' })) };
  await assert.rejects(write(directory(folder), NEW, files), { code: 'DESTINATION_UNWRITABLE' });
  assert.deepEqual(await contentsOf(folder), OLD);
});

test('a directory where a file should be is named, and nothing is written', async (context) => {
  const folder = await temporaryFolder(context);
  await mkdir(join(folder, 'tlscert'));
  await assert.rejects(write(directory(folder)), {
    code: 'DESTINATION_UNWRITABLE',
    message: `Path "${join(folder, 'tlscert')}" already exists and is not a file`,
  });
  assert.deepEqual(await readdir(folder), ['tlscert']);
});

test('a destination that has gone ends the write', async (context) => {
  const path = join(await temporaryFolder(context), 'gone');
  await assert.rejects(write(directory(path)), { code: 'DESTINATION_UNWRITABLE' });
});

for (const symlinks of ['secure', 'try-secure'] as const) {
  for (const [kind, target] of [
    ['a link to a file', 'victim'],
    ['a link to nowhere', 'nowhere'],
    ['a link to itself', 'destination/key'],
  ] as const) {
    test(`${kind} instead of a file is rejected with ${symlinks}, and nothing is written`, async (context) => {
      const folder = await temporaryFolder(context);
      const path = join(folder, 'destination');
      await mkdir(path);
      await writeFile(join(folder, 'victim'), 'before');
      await symlink(join(folder, target), join(path, 'key'));
      await assert.rejects(write(directory(path, { symlinks })), {
        code: 'DESTINATION_UNSAFE',
        message: `${join(path, 'key')} is a symbolic link (destination ${path})`,
      });
      assert.deepEqual(await readdir(path), ['key']);
      assert.equal(await readFile(join(folder, 'victim'), 'utf8'), 'before');
      assert.deepEqual((await readdir(folder)).sort(), ['destination', 'victim']);
    });
  }

  test(`a directory that a link replaced since it was prepared is refused by ${symlinks}`, async (context) => {
    const folder = await temporaryFolder(context);
    await mkdir(join(folder, 'theirs'));
    await symlink('theirs', join(folder, 'destination'));
    const written = write(directory(join(folder, 'destination'), { symlinks }));
    await assert.rejects(written, { code: 'DESTINATION_UNSAFE' });
    assert.deepEqual(await readdir(join(folder, 'theirs')), []);
  });
}

test('insecure writes through links and leaves them standing', async (context) => {
  const folder = await temporaryFolder(context);
  const [path, secrets] = [join(folder, 'destination'), join(folder, 'secrets')];
  await Promise.all([mkdir(path), mkdir(secrets)]);
  await writeFile(join(secrets, 'there'), 'before');
  await symlink('../secrets/there', join(path, 'key'));
  await symlink('second', join(path, 'tlscert'));
  await symlink(join(secrets, 'made'), join(path, 'second'));
  await write(directory(path, { symlinks: 'insecure' }));
  assert.deepEqual(await contentsOf(secrets), { there: 'new key', made: 'new tlscert' });
  for (const name of ['key', 'tlscert', 'second']) assert.ok((await lstat(join(path, name))).isSymbolicLink(), name);
});

test('circular links are rejected', async (context) => {
  const folder = await temporaryFolder(context);
  await symlink('tlscert', join(folder, 'key'));
  await symlink('key', join(folder, 'tlscert'));
  await assert.rejects(write(directory(folder, { symlinks: 'insecure' })), { code: 'DESTINATION_UNWRITABLE' });
  assert.deepEqual((await readdir(folder)).sort(), ['key', 'tlscert']);
});
