import assert from 'node:assert/strict';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { gunzip } from '../../../src/commands/install-tools/archive.ts';
import { tarEntries } from '../../../src/commands/install-tools/tar.ts';
import { MachineIdError } from '../../../src/errors.ts';
import { outputOf, runForBytes } from '../../programs.ts';
import { temporaryFolder } from '../../temporary-folder.ts';
import { chunksOf, text } from './chunks.ts';
import { paxRecord, tar, type TarEntry } from './tar-archive.ts';

async function read(archive: Uint8Array, chunkBytes = 1000): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { path, kind, contents } of tarEntries(chunksOf(archive, chunkBytes))) {
    found.push(kind === 'file' ? `${path}: ${await text(contents)}` : `${path} ${kind}`);
  }
  return found;
}

const LONG_PATH = `teleport/${'long/'.repeat(40)}tsh`;

for (const format of ['gnu', 'pax', 'ustar']) {
  test(`an archive that the tar program writes as ${format} is read, in chunks of any size`, async (context) => {
    const folder = await temporaryFolder(context);
    await mkdir(join(folder, 'teleport', 'long/'.repeat(20)), { recursive: true });
    await writeFile(join(folder, 'teleport/tsh'), 'first');
    await writeFile(join(folder, 'teleport', 'long/'.repeat(20), 'tctl'), 'x'.repeat(5000));
    await symlink('tsh', join(folder, 'teleport/zlink'));
    const names = ['teleport/tsh', `teleport/${'long/'.repeat(20)}tctl`, 'teleport/zlink'];
    outputOf('tar', ['-C', folder, `--format=${format}`, '-cf', join(folder, 'a.tar'), ...names]);
    const archive = await readFile(join(folder, 'a.tar'));
    for (const chunkBytes of [7, 512, 100_000]) {
      assert.deepEqual(await read(archive, chunkBytes), [
        'teleport/tsh: first',
        `${names[1]}: ${'x'.repeat(5000)}`,
        'teleport/zlink link',
      ]);
    }
  });
}

test('contents that are not read are skipped', async () => {
  const paths: string[] = [];
  const archive = tar([{ path: 'a', contents: 'x'.repeat(3000) }, { path: 'b' }]);
  for await (const { path } of tarEntries(chunksOf(archive, 100))) paths.push(path);
  assert.deepEqual(paths, ['a', 'b']);
});

test('attributes contain a path that is longer than its field', async () => {
  const entries: TarEntry[] = [
    { path: 'global', type: 'g', contents: paxRecord('comment', 'of all') },
    { path: 'attributes', type: 'x', contents: paxRecord('mtime', '1.5') + paxRecord('path', LONG_PATH) },
    { path: 'cut', contents: 'one' },
    { path: 'next', contents: 'two' },
  ];
  assert.deepEqual(await read(tar(entries)), [`${LONG_PATH}: one`, 'next: two']);
});

describe('an invalid archive is rejected:', () => {
  const whole = tar([{ path: 'teleport/tsh', contents: 'contents' }]);
  const cases: readonly (readonly [what: string, archive: Uint8Array])[] = [
    ['nothing at all', Buffer.alloc(0)],
    ['no tar', Buffer.from('<html>'.repeat(200))],
    ['an end in a header', whole.subarray(0, 300)],
    ['an end in the contents', whole.subarray(0, 515)],
    ['an end without its empty blocks', whole.subarray(0, 1024)],
    ['a wrong checksum', tar([{ path: 'a', checksum: '000001\0 ' }])],
    ['a size that is no number', tar([{ path: 'a', size: 'twelve\0' }])],
    ['a negative size', tar([{ path: 'a', size: '-0000000001\0' }])],
    ['a size in binary form', tar([{ path: 'a', size: '\x7f\x01\x00\x00\x00\x00\x00\x01' }])],
    ['attributes with a wrong length', tar([{ path: 'x', type: 'x', contents: '99 path=a\n' }, { path: 'b' }])],
    ['attributes of no length', tar([{ path: 'x', type: 'x', contents: `${paxRecord('a', 'b')}0 path=` }])],
    ['attributes that end in their key', tar([{ path: 'x', type: 'x', contents: '4 a\npath=' }])],
    ['attributes without a length', tar([{ path: 'x', type: 'x', contents: 'path=a\n' }, { path: 'b' }])],
    [
      'attributes with a size that is none',
      tar([{ path: 'x', type: 'x', contents: paxRecord('size', '1e9') }, { path: 'b' }]),
    ],
    ['a name without end', tar([{ path: 'x', type: 'L', contents: 'n'.repeat(70_000) }, { path: 'b' }])],
  ];
  for (const [what, archive] of cases) {
    test(what, async () => {
      await assert.rejects(read(archive), { code: 'TOOLS_CORRUPT' });
    });
  }
});

describe('invalid gzip data is rejected:', () => {
  const packed = runForBytes('gzip', ['-c'], { input: tar([{ path: 'a', contents: 'x'.repeat(100_000) }]) }).stdout;
  const spoilt = Buffer.from(packed);
  spoilt.writeUInt32LE(1, packed.length - 8);
  const cases: readonly (readonly [what: string, bytes: Uint8Array])[] = [
    ['no gzip', Buffer.from('<html>')],
    ['an end in the middle', packed.subarray(0, 60)],
    ['a wrong checksum', spoilt],
    ['bytes behind its end', Buffer.concat([packed, Buffer.from('more '.repeat(50_000))])],
    ['one byte behind its end', Buffer.concat([packed, Buffer.from('x')])],
  ];
  for (const [what, bytes] of cases) {
    test(what, { timeout: 10_000 }, async () => {
      await assert.rejects(text(gunzip(chunksOf(bytes, 1000))), { code: 'TOOLS_CORRUPT' });
    });
  }
});

test('an interrupted download is not reported as invalid gzip data', async () => {
  const interrupted = new MachineIdError('INTERRUPTED', 'ended by SIGTERM', { hint: 'run it again' });
  async function* cut(): AsyncGenerator<Uint8Array> {
    yield await Promise.resolve(Buffer.from([0x1f, 0x8b]));
    throw interrupted;
  }
  await assert.rejects(text(gunzip(cut())), interrupted);
});
