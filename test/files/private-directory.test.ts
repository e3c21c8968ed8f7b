import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { link, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { systemFiles } from '../../src/effects/files.ts';
import { privatePlace, removeTree } from '../../src/files/private-directory.ts';

function place(mounts: string, writable: readonly string[], platform = 'linux') {
  const files = {
    platform,
    readText: () => Promise.resolve(mounts),
    mayWrite: (path: string) => (writable.includes(path) ? Promise.resolve() : Promise.reject(new Error('EACCES'))),
  };
  return privatePlace(files, { TMPDIR: '/job/tmp' });
}

const SHM = 'tmpfs /dev/shm tmpfs rw,nosuid,nodev 0 0';
const RAM_DISK = 'none /mnt/ramdisk tmpfs rw 0 0';

test("credentials go to CircleCI's RAM disk, or to that of Linux", async () => {
  const both = ['/mnt/ramdisk', '/dev/shm'];
  assert.deepEqual(await place(`${SHM}\n${RAM_DISK}\n`, both), { path: '/mnt/ramdisk', isInMemory: true });
  assert.deepEqual(await place(`${SHM}\n`, both), { path: '/dev/shm', isInMemory: true });
});

test('a directory that is not in memory, or not writable, is not taken for a RAM disk', async () => {
  const other = { path: '/job/tmp', isInMemory: false };
  assert.deepEqual(await place(`${SHM}\n/dev/sda /dev/shm ext4 rw 0 0\n`, ['/dev/shm']), other);
  assert.deepEqual(await place(`${SHM}\n`, []), other);
  assert.deepEqual(await place('', ['/dev/shm', '/mnt/ramdisk']), other);
  assert.deepEqual(await place(`${SHM}\n`, ['/dev/shm'], 'darwin'), other);
});

test('a tree is removed with everything in it, and links are not followed', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'private-directory-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const [tree, outside] = [join(folder, 'tree'), join(folder, 'outside')];
  await mkdir(join(tree, 'a/b'), { recursive: true });
  await mkdir(outside);
  await writeFile(join(outside, 'kept'), 'kept');
  await writeFile(join(tree, 'a/b/key'), 'secret', { mode: 0o400 });
  await symlink(outside, join(tree, 'a/link'));
  await link(join(outside, 'kept'), join(tree, 'hard'));
  assert.deepEqual(await removeTree(systemFiles, tree), []);
  assert.equal(existsSync(tree), false);
  assert.equal(await readFile(join(outside, 'kept'), 'utf8'), 'kept');
  assert.deepEqual(await removeTree(systemFiles, tree), []);
});
