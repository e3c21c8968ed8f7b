import assert from 'node:assert/strict';
import test from 'node:test';
import type { FileEntry } from '../../src/effects/files.ts';
import { components, refuseSymlinks } from '../../src/files/destination.ts';

const ROOT = 0;
const US = 501;

/** A file system in which the given paths are links, by the number of their owner, and all others directories. */
function withLinks(platform: string, links: Readonly<Record<string, number>>) {
  const entry = (path: string): Promise<FileEntry> => {
    const owner = links[path];
    return Promise.resolve(
      owner === undefined
        ? { kind: 'directory', mode: 0o700, userId: US, modifiedMs: 0 }
        : { kind: 'symlink', mode: 0o777, userId: owner, modifiedMs: 0 },
    );
  };
  return { platform, entry };
}

test('the links of macOS itself are followed by try-secure, as tbot does there', async () => {
  const mac = withLinks('darwin', { '/tmp': ROOT });
  await refuseSymlinks(mac, '/tmp/bot', 'try-secure');
  await assert.rejects(refuseSymlinks(mac, '/tmp/bot', 'secure'), { code: 'DESTINATION_UNSAFE' });
});

const REFUSED: readonly (readonly [string, string, Readonly<Record<string, number>>])[] = [
  ['a link at the root that is not root’s', 'darwin', { '/tmp': US }],
  ['a link of root’s further down', 'darwin', { '/tmp/bot': ROOT }],
  ['a link of root’s at the root of Linux', 'linux', { '/tmp': ROOT }],
];

for (const [what, platform, links] of REFUSED) {
  test(`${what} is refused by try-secure`, async () => {
    const [link = ''] = Object.keys(links);
    await assert.rejects(refuseSymlinks(withLinks(platform, links), '/tmp/bot', 'try-secure'), {
      code: 'DESTINATION_UNSAFE',
      message: `${link} is a symbolic link (destination /tmp/bot)`,
    });
  });
}

test('insecure looks at nothing', async () => {
  const blind = { platform: 'linux', entry: () => Promise.reject(new Error('looked')) };
  await refuseSymlinks(blind, '/tmp/bot', 'insecure');
});

test('a path has a component for each name in it', () => {
  assert.deepEqual(components('/a/b c/d'), ['/a', '/a/b c', '/a/b c/d']);
  assert.deepEqual(components('/'), []);
});
