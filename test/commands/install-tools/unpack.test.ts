import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { unpackTools } from '../../../src/commands/install-tools/archive.ts';
import type { Platform, Tool } from '../../../src/commands/install-tools/release.ts';
import { tarEntries } from '../../../src/commands/install-tools/tar.ts';
import { chunksOf, text } from './chunks.ts';
import { tar, type TarEntry } from './tar-archive.ts';

const LINUX: Platform = { system: 'linux', architecture: 'amd64' };
const MAC: Platform = { system: 'darwin', architecture: 'arm64' };
const WINDOWS: Platform = { system: 'windows', architecture: 'amd64' };

async function unpack(entries: readonly TarEntry[], tools: readonly Tool[], platform: Platform) {
  const written: string[] = [];
  await unpackTools(tarEntries(chunksOf(tar(entries), 1000)), { tools, platform }, async (file, contents) => {
    written.push(`${file.path}${file.executable ? '*' : ''}: ${await text(contents)}`);
  });
  return written;
}

const LAYOUTS: readonly (readonly [
  what: string,
  platform: Platform,
  paths: readonly string[],
  written: readonly string[],
])[] = [
  ['the open-source edition', LINUX, ['teleport/tsh', 'teleport/tctl'], ['bin/tsh*', 'bin/tctl*']],
  ['the enterprise edition', LINUX, ['teleport-ent/tsh', 'teleport-ent/teleport'], ['bin/tsh*']],
  ['the program that is called as its folder', LINUX, ['teleport/teleport', 'teleport/tsh'], ['bin/tsh*']],
  ['paths that begin with a dot', LINUX, ['./teleport/tsh'], ['bin/tsh*']],
  ['no folder at all', WINDOWS, ['tsh.exe', 'tctl.exe', 'tsh'], ['bin/tsh.exe*', 'bin/tctl.exe*']],
  ['files of that name elsewhere', LINUX, ['teleport/examples/tsh', 'teleport/tsh.md', 'tsh/tsh'], []],
  [
    "a Mac's bundles",
    MAC,
    ['teleport/tsh.app/Contents/Info.plist', 'teleport/tsh.app/Contents/MacOS/tsh', 'teleport/tctl', 'teleport/tbot'],
    ['tsh.app/Contents/Info.plist', 'tsh.app/Contents/MacOS/tsh*', 'bin/tctl*'],
  ],
  ['a bundle where there are none', LINUX, ['teleport/tsh.app/Contents/MacOS/tsh'], []],
];

describe('only the requested programs are written:', () => {
  for (const [what, platform, paths, written] of LAYOUTS) {
    test(what, async () => {
      const entries = paths.map((path) => ({ path, contents: 'x' }));
      assert.deepEqual(
        await unpack(entries, ['tsh', 'tctl'], platform),
        written.map((path) => `${path}: x`),
      );
    });
  }

  test('all five', async () => {
    const names: readonly Tool[] = ['tsh', 'tctl', 'tbot', 'teleport', 'teleport-update'];
    const written = await unpack(
      names.map((name) => ({ path: `teleport/${name}` })),
      names,
      LINUX,
    );
    assert.deepEqual(
      written,
      names.map((name) => `bin/${name}*: `),
    );
  });

  test('links that were not requested are ignored', async () => {
    const entries = [
      { path: 'teleport/', type: '5' },
      { path: 'teleport/examples/link', type: '2', linkTo: '../README.md' },
      { path: 'teleport/tsh', contents: 'x' },
    ];
    assert.deepEqual(await unpack(entries, ['tsh'], LINUX), ['bin/tsh*: x']);
  });
});

const TSH = { path: 'teleport/tsh', contents: 'x' };

const HOSTILE: readonly (readonly [what: string, entries: readonly TarEntry[], platform?: Platform])[] = [
  ['a path that climbs out', [TSH, { path: 'teleport/../../tsh' }]],
  ['a path that climbs out at its end', [{ path: 'teleport/..' }]],
  ['an absolute path', [{ path: '/usr/bin/tsh' }]],
  ["a path of Windows' kind", [{ path: 'C:\\tsh.exe' }]],
  ['a path that climbs out with backslashes', [{ path: 'teleport\\..\\..\\tsh.exe' }]],
  ['a path with a line break', [{ path: 'teleport/a\nb' }]],
  ['an unwanted entry with such a path', [TSH, { path: '../README.md', type: '5' }]],
  ['a symbolic link in the place of a program', [{ path: 'teleport/tsh', type: '2', linkTo: '/bin/sh' }]],
  ['a hard link in the place of a program', [{ path: 'teleport/tsh', type: '1', linkTo: '/etc/passwd' }]],
  ['a device in the place of a program', [{ path: 'teleport/tsh', type: '3' }]],
  ['a pipe in the place of a program', [{ path: 'teleport/tsh', type: '6' }]],
  ['a duplicate program', [TSH, TSH]],
  ['a program in two folders', [TSH, { path: 'teleport-ent/tsh' }]],
  ['a program bare and as a bundle', [TSH, { path: 'teleport/tsh.app/Contents/MacOS/tsh' }], MAC],
  ['a link in a bundle', [{ path: 'teleport/tsh.app/Contents/x', type: '2', linkTo: '/' }], MAC],
];

describe('a hostile archive is rejected:', () => {
  for (const [what, entries, platform = LINUX] of HOSTILE) {
    test(what, async () => {
      await assert.rejects(unpack(entries, ['tsh'], platform), { code: 'TOOLS_CORRUPT' });
    });
  }

  test('more files than any program has', async () => {
    const files = Array.from({ length: 1001 }, (_, at) => ({ path: `teleport/tsh.app/${at}` }));
    await assert.rejects(unpack(files, ['tsh'], MAC), { code: 'TOOLS_CORRUPT' });
  });

  test('more bytes than any program has', async () => {
    const gigabyte = { length: 1024 ** 3 + 1 };
    async function* contents(): AsyncGenerator<Uint8Array> {
      const part = new Uint8Array(64 * 1024 * 1024);
      for (let bytes = 0; bytes < gigabyte.length; bytes += part.length) yield await Promise.resolve(part);
    }
    async function* entries() {
      yield await Promise.resolve({ path: 'teleport/tsh', kind: 'file' as const, contents: contents() });
    }
    const write = async (_: unknown, parts: AsyncIterable<Uint8Array>) => {
      for await (const part of parts) assert.ok(part.length > 0);
    };
    await assert.rejects(unpackTools(entries(), { tools: ['tsh'], platform: LINUX }, write), { code: 'TOOLS_CORRUPT' });
  });
});
