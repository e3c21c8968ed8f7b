import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { systemFiles } from '../../src/effects/files.ts';
import { type Commands, systemCommands } from '../../src/effects/programs.ts';
import { grantReaders } from '../../src/files/readers.ts';
import { writeDirectory } from '../../src/files/write.ts';
import { NO_RECORD } from '../../src/job/manifest.ts';
import type { DirectoryDestination } from '../../src/schema/destination.ts';
import { missing, runProgram } from '../programs.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { directory } from './directory.ts';

const READERS = [{ user: 'daemon' }, { group: '4321' }];
const skip = missing('setfacl', 'getfacl');

const write = (commands: Commands, destination: DirectoryDestination) =>
  writeDirectory({ files: systemFiles, commands, record: NO_RECORD }, destination, destination.path, [
    { name: 'key', contents: 'new' },
  ]);

/** The lines of an access control list; numbers stay numbers. */
async function listOf(path: string): Promise<string[]> {
  const { stdout } = await runProgram('getfacl', ['--omit-header', '--absolute-names', '--', path]);
  return stdout.trim().split('\n');
}

test('readers can list the directory and read its files, and no other user can', { skip }, async (context) => {
  const folder = await temporaryFolder(context);
  assert.deepEqual(await write(systemCommands, directory(folder, { readers: READERS })), []);
  assert.deepEqual(await listOf(join(folder, 'key')), [
    'user::rw-',
    'user:daemon:r--',
    'group::---',
    'group:4321:r--',
    'mask::r--',
    'other::---',
  ]);
  assert.deepEqual(await listOf(folder), [
    'user::rwx',
    'user:daemon:r-x',
    'group::---',
    'group:4321:r-x',
    'mask::r-x',
    'other::---',
  ]);
});

test('a second write gives the new files the same list', { skip }, async (context) => {
  const folder = await temporaryFolder(context);
  const destination = directory(folder, { readers: READERS, acls: 'required' });
  await write(systemCommands, destination);
  const first = await listOf(join(folder, 'key'));
  await write(systemCommands, destination);
  assert.deepEqual(await listOf(join(folder, 'key')), first);
});

test('a reader that does not exist is a warning with try and a failure with required', { skip }, async (context) => {
  const folder = await temporaryFolder(context);
  const readers = [{ user: 'nobody-of-that-name' }];
  const [warning = ''] = await write(systemCommands, directory(folder, { readers }));
  assert.match(warning, /cannot grant access to the readers of .*: setfacl: /);
  assert.deepEqual(await readdir(folder), ['key']);
  await assert.rejects(write(systemCommands, directory(folder, { readers, acls: 'required' })), {
    code: 'DESTINATION_UNWRITABLE',
  });
});

const absent: Commands = { run: () => Promise.resolve({ exitCode: undefined, stdout: '', stderr: '' }) };
const never: Commands = { run: () => Promise.reject(new Error('setfacl was run')) };

test('without setfacl a write warns with try, and leaves the old files with required', async (context) => {
  const folder = await temporaryFolder(context);
  await writeFile(join(folder, 'key'), 'old');
  await assert.rejects(write(absent, directory(folder, { readers: READERS, acls: 'required' })), {
    code: 'DESTINATION_UNWRITABLE',
    message: `cannot grant access to the readers of ${folder}: setfacl is missing or timed out`,
  });
  assert.equal(await readFile(join(folder, 'key'), 'utf8'), 'old');
  assert.deepEqual(await readdir(folder), ['key']);
  assert.equal((await write(absent, directory(folder, { readers: READERS }))).length, 1);
  assert.equal(await readFile(join(folder, 'key'), 'utf8'), 'new');
});

for (const acls of ['off', 'try', 'required'] as const) {
  test(`without readers nothing is run when acls is ${acls}`, async () => {
    assert.deepEqual(await grantReaders(never, directory('/srv/bot', { acls }), ['/srv/bot'], []), []);
  });
}

test('with acls off, readers are reported to have no access', async () => {
  const destination = directory('/srv/bot', { acls: 'off', readers: READERS });
  assert.deepEqual(await grantReaders(never, destination, ['/srv/bot'], []), [
    'the readers of the destination get no access: acls is off',
  ]);
});

for (const name of ['daemon:rwx,other:', 'a,b', 'a b', 'a\nb', '']) {
  test(`the name ${JSON.stringify(name)} never reaches setfacl`, async () => {
    for (const reader of [{ user: name }, { group: name }]) {
      const destination = directory('/srv/bot', { acls: 'required', readers: [reader] });
      await assert.rejects(grantReaders(never, destination, ['/srv/bot'], []), { code: 'DESTINATION_UNWRITABLE' });
    }
  });
}
