import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { zipEntries } from '../../../src/commands/install-tools/zip.ts';
import { missing, outputOf, runForBytes } from '../../programs.ts';
import { temporaryFolder } from '../../temporary-folder.ts';
import { portions, text } from './portions.ts';
import { zip } from './zip-archive.ts';

async function read(archive: Uint8Array, portionBytes = 1000): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { path, kind, contents } of zipEntries(portions(archive, portionBytes))) {
    found.push(kind === 'file' ? `${path}: ${await text(contents)}` : `${path} ${kind}`);
  }
  return found;
}

for (const [what, options] of [
  ['to a file', []],
  ['without packing', ['-0']],
] as const) {
  test(`what the zip program writes ${what} is read`, { skip: missing('zip') }, async (context) => {
    const folder = await temporaryFolder(context);
    await mkdir(join(folder, 'teleport'));
    await writeFile(join(folder, 'teleport/tsh.exe'), 'first');
    await writeFile(join(folder, 'teleport/tctl.exe'), 'x'.repeat(5000));
    outputOf('zip', ['-qr', ...options, 'a.zip', 'teleport/', 'teleport/tctl.exe'], { cwd: folder });
    const found = await read(await readFile(join(folder, 'a.zip')));
    assert.deepEqual(found.toSorted(), [
      'teleport/ directory',
      `teleport/tctl.exe: ${'x'.repeat(5000)}`,
      'teleport/tsh.exe: first',
    ]);
  });
}

test('what the zip program writes to a pipe, sizes behind, is read', { skip: missing('zip') }, async () => {
  const { stdout: archive } = runForBytes('zip', ['-q', '-fz-', '-', '-'], { input: 'piped '.repeat(5000), cwd: '/' });
  assert.deepEqual(await read(archive), [`-: ${'piped '.repeat(5000)}`]);
});

for (const sizesBehind of [true, false]) {
  test(`entries follow each other, in portions of any size (sizes behind: ${sizesBehind})`, async () => {
    const entries = [
      { path: 'a', contents: 'one'.repeat(100), sizesBehind },
      { path: 'empty', sizesBehind },
      { path: 'b', contents: 'two', sizesBehind },
    ];
    for (const portionBytes of [1, 50, 10_000]) {
      assert.deepEqual(await read(zip(entries), portionBytes), [`a: ${'one'.repeat(100)}`, 'empty: ', 'b: two']);
    }
  });
}

test('a large entry comes out as it went in, whether or not the one before is read', async () => {
  const contents = randomBytes(3_000_000);
  const archive = zip([
    { path: 'passed over', contents, sizesBehind: true },
    { path: 'wanted', contents, sizesBehind: true },
  ]);
  const hash = createHash('sha256');
  for await (const entry of zipEntries(portions(archive, 65_536))) {
    if (entry.path === 'wanted') for await (const part of entry.contents) hash.update(part);
  }
  assert.equal(hash.digest('hex'), createHash('sha256').update(contents).digest('hex'));
});

describe('a broken archive is refused:', () => {
  const whole = zip([{ path: 'tsh.exe', contents: 'x'.repeat(100) + randomBytes(100).toString('hex') }]);
  const cases: readonly (readonly [what: string, archive: Uint8Array])[] = [
    ['nothing at all', Buffer.alloc(0)],
    ['no zip', Buffer.from('<html>')],
    ['an end in a header', whole.subarray(0, 20)],
    ['an end in the contents', whole.subarray(0, 60)],
    ['contents that cannot be unpacked', Buffer.concat([whole.subarray(0, 37), Buffer.alloc(50, 0xff)])],
    ['an encrypted entry', zip([{ path: 'a', flags: 1 }])],
    ['an unknown method', zip([{ path: 'a', method: 14 }])],
    ['a size of zip64', zip([{ path: 'a', packedSize: 0xffffffff }])],
    ['an entry that is longer than it says', zip([{ path: 'a', contents: 'contents', packedSize: 3 }])],
    ['an entry that is shorter than it says', zip([{ path: 'a', contents: 'contents', packedSize: 300 }])],
    ['another size behind', zip([{ path: 'a', contents: 'contents', sizesBehind: true, packedSize: 3 }])],
    ['no size at all', zip([{ path: 'a', contents: 'contents', sizesBehind: true, method: 0 }])],
  ];
  for (const [what, archive] of cases) {
    test(what, { timeout: 10_000 }, async () => {
      await assert.rejects(read(archive), { code: 'TOOLS_CORRUPT' });
    });
  }
});
