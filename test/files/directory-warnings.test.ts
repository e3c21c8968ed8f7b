import assert from 'node:assert/strict';
import test from 'node:test';
import { type FileEntry, type Files, systemFiles } from '../../src/effects/files.ts';
import { directoryWarnings } from '../../src/files/prepare.ts';
import { directory } from './directory.ts';

const US = 1000;
const PATH = '/srv/bot';

function warnings(
  there: Partial<FileEntry>,
  { readers, platform = 'linux' }: { readers?: { user: string }[]; platform?: string } = {},
): Promise<string[]> {
  const files: Files = {
    ...systemFiles,
    platform,
    userId: platform === 'win32' ? undefined : US,
    entry: () => Promise.resolve({ kind: 'directory', mode: 0o700, userId: US, modifiedMs: 0, ...there }),
  };
  return directoryWarnings(files, directory(PATH, { readers: readers ?? [] }), PATH, '/elsewhere');
}

const LOOKED_INTO = (mode: string) => [
  `${PATH} can be listed by other users (mode ${mode}), who cannot read the files in it`,
];
const WRITTEN_TO = (mode: string) => [`${PATH} is writable by other users (mode ${mode})`];
const THEIRS = [`${PATH} belongs to another user (1001), who can replace the files in it`];

const CASES: readonly (readonly [string, Partial<FileEntry>, readonly string[]])[] = [
  ['it is our own and private', {}, []],
  ['the group reads it', { mode: 0o750 }, LOOKED_INTO('750')],
  ['all go through it', { mode: 0o711 }, LOOKED_INTO('711')],
  ['the group writes to it', { mode: 0o770 }, WRITTEN_TO('770')],
  ['all write to it, and its sticky bit is set', { mode: 0o1777 }, WRITTEN_TO('1777')],
  ['it is another user’s', { userId: 1001 }, THEIRS],
  ['it is root’s, and open to our group', { userId: 0, mode: 0o770 }, WRITTEN_TO('770')],
];

for (const [what, there, expected] of CASES) {
  test(`${expected.length === 0 ? 'nothing is said of' : 'a person is told of'} a directory when ${what}`, async () => {
    assert.deepEqual(await warnings(there), expected);
  });
}

test('a mode that shows the permissions of readers causes no warning', async () => {
  assert.deepEqual(await warnings({ mode: 0o750 }, { readers: [{ user: 'app' }] }), []);
  assert.deepEqual(await warnings({ mode: 0o770 }, { readers: [{ user: 'app' }] }), WRITTEN_TO('770'));
});

test('modes mean nothing on Windows', async () => {
  assert.deepEqual(await warnings({ mode: 0o777, userId: 0 }, { platform: 'win32' }), []);
});

const PLACES: readonly (readonly [path: string, workingDirectory: string, inside: boolean])[] = [
  ['/checkout/repo', '/checkout/repo', true],
  ['/checkout/repo/a/b', '/checkout/repo', true],
  ['/checkout/repo/..a', '/checkout/repo', true],
  ['/checkout/repo-other', '/checkout/repo', false],
  ['/checkout', '/checkout/repo', false],
  ['/tmp/a', '/checkout/repo', false],
];

for (const [path, workingDirectory, inside] of PLACES) {
  test(`${path} ${inside ? 'lies' : 'does not lie'} in the working directory ${workingDirectory}`, async () => {
    const files: Files = { ...systemFiles, entry: () => Promise.resolve(undefined) };
    const expected = inside
      ? [`${path} is in the working directory: caches, workspaces and artifacts may include the keys`]
      : [];
    assert.deepEqual(await directoryWarnings(files, directory(path), path, workingDirectory), expected);
  });
}
