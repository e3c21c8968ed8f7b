import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { zipEntries } from '../../../src/commands/install-tools/zip.ts';
import { missing, outputOf, runForBytes } from '../../programs.ts';
import { temporaryFolder } from '../../temporary-folder.ts';
import { chunksOf, text } from './chunks.ts';
import { zip } from './zip-archive.ts';

async function read(archive: Uint8Array, chunkBytes = 1000): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { path, kind, contents } of zipEntries(chunksOf(archive, chunkBytes))) {
    found.push(kind === 'file' ? `${path}: ${await text(contents)}` : `${path} ${kind}`);
  }
  return found;
}

for (const [what, options] of [
  ['to a file', []],
  ['without packing', ['-0']],
] as const) {
  test(`an archive that the zip program writes ${what} is read`, { skip: missing('zip') }, async (context) => {
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

test(
  'an archive that the zip program writes to a pipe, with sizes after the contents, is read',
  { skip: missing('zip') },
  async () => {
    const { stdout: archive } = runForBytes('zip', ['-q', '-fz-', '-', '-'], {
      input: 'piped '.repeat(5000),
      cwd: '/',
    });
    assert.deepEqual(await read(archive), [`-: ${'piped '.repeat(5000)}`]);
  },
);

for (const sizesBehind of [true, false]) {
  test(`several entries are read, in chunks of any size (sizes after the contents: ${sizesBehind})`, async () => {
    const entries = [
      { path: 'a', contents: 'one'.repeat(100), sizesBehind },
      { path: 'empty', sizesBehind },
      { path: 'b', contents: 'two', sizesBehind },
    ];
    for (const chunkBytes of [1, 50, 10_000]) {
      assert.deepEqual(await read(zip(entries), chunkBytes), [`a: ${'one'.repeat(100)}`, 'empty: ', 'b: two']);
    }
  });
}

test('a large entry is read unchanged, whether or not the entry before it was read', async () => {
  const contents = randomBytes(3_000_000);
  const archive = zip([
    { path: 'passed over', contents, sizesBehind: true },
    { path: 'wanted', contents, sizesBehind: true },
  ]);
  const hash = createHash('sha256');
  for await (const entry of zipEntries(chunksOf(archive, 65_536))) {
    if (entry.path === 'wanted') for await (const part of entry.contents) hash.update(part);
  }
  assert.equal(hash.digest('hex'), createHash('sha256').update(contents).digest('hex'));
});

describe('an invalid archive is rejected:', () => {
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
    ['an entry that is longer than its size field', zip([{ path: 'a', contents: 'contents', packedSize: 3 }])],
    ['an entry that is shorter than its size field', zip([{ path: 'a', contents: 'contents', packedSize: 300 }])],
    ['another size behind', zip([{ path: 'a', contents: 'contents', sizesBehind: true, packedSize: 3 }])],
    ['no size at all', zip([{ path: 'a', contents: 'contents', sizesBehind: true, method: 0 }])],
  ];
  for (const [what, archive] of cases) {
    test(what, { timeout: 10_000 }, async () => {
      await assert.rejects(read(archive), { code: 'TOOLS_CORRUPT' });
    });
  }
});
