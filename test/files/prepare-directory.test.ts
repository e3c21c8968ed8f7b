import assert from 'node:assert/strict';
import { chmod, lstat, mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { systemFiles } from '../../src/effects/files.ts';
import { prepareDirectory } from '../../src/files/prepare.ts';
import { NO_RECORD } from '../../src/job/manifest.ts';
import type { DirectoryDestination } from '../../src/schema/destination.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { directory } from './directory.ts';

const ELSEWHERE = '/elsewhere';
const prepare = (destination: DirectoryDestination) => prepareDirectory(systemFiles, destination, ELSEWHERE, NO_RECORD);
const modeOf = async (path: string) => (await lstat(path)).mode & 0o7777;

test('what is missing of the path is made for its owner alone, and nothing is left in it', async (context) => {
  const folder = await temporaryFolder(context);
  const path = join(folder, 'a', 'b');
  assert.deepEqual(await prepare(directory(path)), { path, warnings: [] });
  assert.deepEqual([await modeOf(join(folder, 'a')), await modeOf(path)], [0o700, 0o700]);
  assert.deepEqual(await readdir(path), []);
});

test('a relative path counts from the working directory', async (context) => {
  const folder = await temporaryFolder(context);
  const { path } = await prepareDirectory(systemFiles, directory('./a/../b/'), folder, NO_RECORD);
  assert.equal(path, join(folder, 'b'));
  assert.equal(await modeOf(path), 0o700);
});

test('an existing directory keeps its mode and its files', async (context) => {
  const folder = await temporaryFolder(context);
  await writeFile(join(folder, 'theirs'), '');
  await chmod(folder, 0o755);
  await prepare(directory(folder));
  assert.equal(await modeOf(folder), 0o755);
  assert.deepEqual(await readdir(folder), ['theirs']);
});

test('a file where a directory should be is named, at the end and on the way', async (context) => {
  const folder = await temporaryFolder(context);
  const file = join(folder, 'file');
  await writeFile(file, '');
  for (const path of [file, join(file, 'below'), join(file, 'far', 'below')]) {
    await assert.rejects(prepare(directory(path)), {
      code: 'DESTINATION_UNWRITABLE',
      message: `Path "${file}" already exists and is not a directory`,
    });
  }
});

for (const symlinks of ['secure', 'try-secure'] as const) {
  test(`a link in the path is refused by ${symlinks}, and nothing is made behind it`, async (context) => {
    const folder = await temporaryFolder(context);
    const real = join(folder, 'real');
    await mkdir(real);
    await symlink(real, join(folder, 'link'));
    await symlink(join(folder, 'nowhere'), join(folder, 'dangling'));
    for (const [link, path] of [
      ['link', 'link'],
      ['link', 'link/below/it'],
      ['dangling', 'dangling'],
      ['dangling', 'dangling/below'],
    ] as const) {
      await assert.rejects(prepare(directory(join(folder, path), { symlinks })), {
        code: 'DESTINATION_UNSAFE',
        message: `${join(folder, link)} is a symbolic link (destination ${join(folder, path)})`,
      });
    }
    assert.deepEqual(await readdir(real), []);
    assert.deepEqual((await readdir(folder)).sort(), ['dangling', 'link', 'real']);
  });
}

test('a link in the path is followed when the destination says insecure', async (context) => {
  const folder = await temporaryFolder(context);
  await mkdir(join(folder, 'real'));
  await symlink('real', join(folder, 'link'));
  await prepare(directory(join(folder, 'link', 'below'), { symlinks: 'insecure' }));
  assert.equal(await modeOf(join(folder, 'real', 'below')), 0o700);
});

test('a dangling link is not a directory, even if links are followed', async (context) => {
  const folder = await temporaryFolder(context);
  await symlink('nowhere', join(folder, 'link'));
  const destination = directory(join(folder, 'link'), { symlinks: 'insecure' });
  await assert.rejects(prepare(destination), { code: 'DESTINATION_UNWRITABLE' });
});

test('a link that is planted while the directories are made is refused', async (context) => {
  const folder = await temporaryFolder(context);
  await mkdir(join(folder, 'theirs'));
  const planting = {
    ...systemFiles,
    makeDirectory: async (path: string) => {
      await symlink(join(folder, 'theirs'), path);
      await systemFiles.makeDirectory(path);
    },
  };
  await assert.rejects(prepareDirectory(planting, directory(join(folder, 'ours')), ELSEWHERE, NO_RECORD), {
    code: 'DESTINATION_UNSAFE',
  });
  assert.deepEqual(await readdir(join(folder, 'theirs')), []);
});

test('a directory that another process creates at the same time is used', async (context) => {
  const path = join(await temporaryFolder(context), 'a', 'b');
  await Promise.all(Array.from({ length: 8 }, () => prepare(directory(path))));
  assert.deepEqual(await readdir(path), []);
});

for (const [code, says] of [
  ['EACCES', 'no permission to write to PATH (EACCES)'],
  ['EPERM', 'no permission to write to PATH (EPERM)'],
  ['EROFS', 'cannot write to PATH: the file system is read-only (EROFS)'],
  ['ENOSPC', 'cannot write to PATH: no space left on the disk (ENOSPC)'],
  ['EMFILE', 'cannot write to PATH: this process has too many open files (EMFILE)'],
  [
    `Unknown system error -${constants.errno.EDQUOT}`,
    'cannot write to PATH: the disk quota of this user is exhausted (EDQUOT)',
  ],
] as const) {
  test(`${code} is named, with the path`, async (context) => {
    const folder = await temporaryFolder(context);
    const cause = Object.assign(new Error('refused'), { code });
    const refusing = { ...systemFiles, createFile: () => Promise.reject(cause) };
    await assert.rejects(prepareDirectory(refusing, directory(folder), ELSEWHERE, NO_RECORD), {
      code: 'DESTINATION_UNWRITABLE',
      message: says.replace('PATH', folder),
      cause,
    });
  });
}

test('a path in a file system that takes no directories ends with the reason', async () => {
  await assert.rejects(prepare(directory('/proc/machine-id')), { code: 'DESTINATION_UNWRITABLE' });
});

for (const name of ['a\nb', 'a\rb', 'a\tb', 'a\u0000b', 'a\u007fb']) {
  test(`the path ${JSON.stringify(name)} is refused: ssh_config could not name it`, async (context) => {
    const folder = await temporaryFolder(context);
    await assert.rejects(prepare(directory(join(folder, name))), { code: 'DESTINATION_UNSAFE' });
    assert.deepEqual(await readdir(folder), []);
  });
}
