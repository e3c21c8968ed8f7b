/** Fuzzes the archives, digests, lists and responses used to install Teleport's programs. */
import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { type ArchiveEntry, gunzip, unpackTools } from '../../src/commands/install-tools/archive.ts';
import { download } from '../../src/commands/install-tools/download.ts';
import { readInstallToolsArguments } from '../../src/commands/install-tools/flags.ts';
import { publishedDigest } from '../../src/commands/install-tools/install.ts';
import { readInstalled } from '../../src/commands/install-tools/installed.ts';
import { archiveOf, chooseRelease, parseTools, releaseName } from '../../src/commands/install-tools/release.ts';
import { readPlan, readToolsRequest } from '../../src/commands/install-tools/request.ts';
import { tarEntries } from '../../src/commands/install-tools/tar.ts';
import { zipEntries } from '../../src/commands/install-tools/zip.ts';
import type { World } from '../../src/effects/world.ts';
import { chunksOf } from '../commands/install-tools/chunks.ts';
import { paxRecord, tar, type TarEntry } from '../commands/install-tools/tar-archive.ts';
import { zip } from '../commands/install-tools/zip-archive.ts';
import { fakeClock } from '../effects/fake-clock.ts';
import { testRetries } from '../effects/retries.ts';
import { bytesLike, jsonLike, mostly, ODD_TEXTS, textLike } from './mutations.ts';
import { fuzz } from './property.ts';

const TOOLS = ['tsh', 'tctl'] as const;
const PLATFORMS = [
  { system: 'linux', architecture: 'amd64' },
  { system: 'darwin', architecture: 'arm64' },
  { system: 'windows', architecture: 'amd64' },
] as const;
/** The most that 3 KiB of deflate can contain; more than any of the samples has. */
const MOST_UNPACKED = 16 * 1024 * 1024;

const input = <T>(bytes: fc.Arbitrary<T>) =>
  fc.record({ bytes, size: fc.constantFrom(7, 512, 1000, 100_000), platform: fc.constantFrom(...PLATFORMS) });

/** Reads the archive to its end and checks every name that would be written. */
async function unpack(entries: AsyncIterable<ArchiveEntry>, platform: (typeof PLATFORMS)[number]): Promise<void> {
  let unpackedBytes = 0;
  const written = await unpackTools(entries, { tools: TOOLS, platform }, async ({ path }, contents) => {
    assert.match(path, /^(bin\/(tsh|tctl)(\.exe)?|(tsh|tctl)\.app\/.*)$/u);
    assert.doesNotMatch(path, /(^|\/)\.\.(\/|$)|[\\\p{Cc}]/u);
    for await (const part of contents) unpackedBytes += part.length;
    assert.ok(unpackedBytes < MOST_UNPACKED);
  });
  assert.equal(new Set(written.map((file) => file.path)).size, written.length);
}

const long = `teleport/${'x'.repeat(120)}`;
const TAR_ENTRIES: readonly TarEntry[] = [
  { path: 'teleport/', type: '5' },
  { path: 'pax', type: 'g', contents: paxRecord('comment', 'a') },
  { path: 'pax', type: 'x', contents: `${paxRecord('path', 'teleport/tctl')}${paxRecord('size', '5')}` },
  { path: 'teleport/other', contents: 'tctl\n' },
  { path: '././@LongLink', type: 'L', contents: `${long}\0` },
  { path: 'teleport/x', contents: 'x'.repeat(600) },
  { path: 'teleport/link', type: '2', linkTo: 'tsh' },
  { path: 'teleport/tsh', contents: 'tsh\n' },
  { path: 'teleport/tsh.app/Contents/Info.plist', contents: '<plist/>' },
];
const archive = tar(TAR_ENTRIES);
const changedTars = bytesLike(archive, tar(TAR_ENTRIES.slice(3)));

const BLOCK = 512;
const SUM_AT = 148;
const SUM_BYTES = 8;

/** With a wrong checksum, nothing else in a header would be read. */
function withChecksums(bytes: Buffer): Buffer {
  const fixed = Buffer.from(bytes);
  for (let at = 0; at + BLOCK <= fixed.length; at += BLOCK) {
    const block = fixed.subarray(at, at + BLOCK);
    if (block.toString('latin1', 257, 262) !== 'ustar') continue;
    block.fill(' ', SUM_AT, SUM_AT + SUM_BYTES);
    const sum = block.reduce((total, byte) => total + byte, 0);
    block.write(`${sum.toString(8).padStart(6, '0')}\0 `, SUM_AT, 'latin1');
  }
  return fixed;
}

fuzz(
  'a changed tar archive is unpacked or refused',
  input(fc.oneof(changedTars, changedTars.map(withChecksums))),
  ({ bytes, platform, size }) => unpack(tarEntries(chunksOf(bytes, size)), platform),
  { runs: 500 },
);

const attributes = textLike(
  [`${paxRecord('path', 'teleport/tctl')}${paxRecord('size', '5')}${paxRecord('mtime', '1.5')}`],
  ['0 ', '1 a=', '\n', '=', ' path=', '12 size=4\n', '00 path=', '\n0 a='],
);

fuzz(
  'odd names, sizes and attributes in a tar archive are understood or refused',
  input(
    fc.tuple(
      attributes,
      mostly('0', fc.constantFrom(...Array.from('L123456KgxSV7\0'))),
      textLike(['00000000005\0'], ['8', '-']),
      textLike(['teleport/tsh']),
    ),
  ),
  ({ bytes: [contents, type, sizeField, path], platform, size }) => {
    const entries: readonly TarEntry[] = [
      { path: 'pax', type: 'x', contents },
      { path: path.slice(0, 90), type, contents: 'tsh\n\n', size: Buffer.from(sizeField).toString('latin1', 0, 12) },
      { path: 'teleport/tctl', contents: 'x' },
    ];
    return unpack(tarEntries(chunksOf(tar(entries), size)), platform);
  },
  { runs: 500 },
);

fuzz(
  'a changed tar.gz archive is unpacked or refused',
  input(
    bytesLike(gzipSync(archive), Buffer.concat([gzipSync(archive.subarray(0, 700)), gzipSync(archive.subarray(700))])),
  ),
  ({ bytes, platform, size }) => unpack(tarEntries(gunzip(chunksOf(bytes, size))), platform),
  { runs: 500 },
);

const ZIP_ENTRIES = [
  { path: 'teleport/' },
  { path: 'tctl.exe', contents: 'tctl '.repeat(50), sizesBehind: true },
  { path: 'teleport/x', contents: '', sizesBehind: true },
  { path: 'tsh.exe', contents: 'tsh', method: 0 },
  { path: 'teleport/tsh', contents: 'x'.repeat(3000) },
];

fuzz(
  'a changed zip archive is unpacked or refused',
  input(bytesLike(zip(ZIP_ENTRIES))),
  ({ bytes, platform, size }) => unpack(zipEntries(chunksOf(bytes, size)), platform),
  { runs: 700 },
);

const ARCHIVE_URL = new URL('https://user:secret@mirror.example.com/a/teleport-v18.2.4-linux-amd64-bin.tar.gz');
const DIGEST = '0a'.repeat(32);

interface Said {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
}

/** Returns one response after the other, then repeats the last one. */
function settings(answers: readonly Said[]) {
  let asked = 0;
  const clock = fakeClock();
  return {
    clock,
    retries: testRetries({ clock }),
    server: {
      get: () => {
        const { status, headers, body } = answers[Math.min(asked, answers.length - 1)] ?? {
          status: 500,
          headers: {},
          body: '',
        };
        asked += 1;
        assert.ok(asked < 1000, 'it asks again and again');
        return Promise.resolve({
          status,
          header: (name: string) => headers[name],
          body: chunksOf(Buffer.from(body), 30),
        });
      },
      close: () => undefined,
    },
    maxBytes: 4096,
    missingHint: 'Name another.',
  };
}

const said: fc.Arbitrary<Said> = fc.record({
  status: fc.constantFrom(200, 200, 206, 206, 204, 304, 403, 416, 429, 500, 503, 0),
  headers: fc.record(
    {
      'content-length': textLike(['68', '40'], ['0', '-']),
      'content-range': textLike(['bytes 0-67/68', 'bytes 40-67/68', 'bytes 30-67/*'], ['-', '/']),
      etag: fc.constantFrom('"a"', '"b"', 'W/"a"', '', ...ODD_TEXTS),
      'retry-after': textLike(['10', 'Wed, 21 Oct 2026 07:28:00 GMT'], ['-']),
    },
    { requiredKeys: [] },
  ),
  body: mostly(`${DIGEST}  x`, textLike([DIGEST, 'a'.repeat(30), 'b'.repeat(5000)])),
});

fuzz(
  'a server with odd answers is downloaded from, for a while, or refused',
  fc.array(said, { minLength: 1, maxLength: 8 }),
  async (answers) => {
    let bytes = 0;
    for await (const part of download(ARCHIVE_URL, settings(answers))) bytes += part.length;
    assert.ok(bytes <= 4096);
  },
  { runs: 700 },
);

fuzz(
  'a published digest is 64 hexadecimal digits, about this file, or refused',
  textLike([
    `${DIGEST}  teleport-v18.2.4-linux-amd64-bin.tar.gz\n`,
    `${DIGEST} *b/teleport-v18.2.4-linux-amd64-bin.tar.gz`,
    DIGEST,
  ]),
  async (body) => {
    assert.match(await publishedDigest(ARCHIVE_URL, settings([{ status: 200, headers: {}, body }])), /^[0-9a-f]{64}$/);
  },
  { runs: 500 },
);

const CLUSTER = { toolsVersion: '18.2.4', enterprise: true, fips: false };
const STORED = { tool: 'tsh', path: 'bin/tsh', sha256: DIGEST, sizeBytes: 3, changedAtMs: 5.5 };
const INSTALLED = { archiveSha256: DIGEST, files: [STORED, { ...STORED, tool: 'tctl', path: 'bin/tctl' }] };

fuzz(
  'a list of what is installed is read, or counts as none',
  jsonLike(INSTALLED),
  async (text) => {
    const paths: string[] = [];
    const largeFiles = {
      stamp: (path: string) => {
        paths.push(path);
        return Promise.resolve({ sizeBytes: 3, changedAtMs: 5.5 });
      },
      sha256: () => Promise.resolve(DIGEST),
      write: () => Promise.reject(new Error('nothing is written')),
      linkTo: () => Promise.reject(new Error('nothing is linked')),
      removeFolder: () => Promise.reject(new Error('nothing is removed')),
    };
    await readInstalled('/f', { files: { readText: () => Promise.resolve(text) }, largeFiles });
    for (const path of paths) assert.ok(path.startsWith('/f/'), path);
  },
  { runs: 700 },
);

const PLAN = {
  tools: ['tsh'],
  release: {
    version: '18.2.4',
    edition: 'oss',
    fips: false,
    platform: { system: 'linux', architecture: 'amd64' },
  },
  baseUrl: 'https://cdn.teleport.dev/',
  sha256: DIGEST,
  directory: '/d',
};

fuzz(
  'a plan of what to install is read or refused',
  jsonLike(PLAN),
  async (text) => {
    const { baseUrl, directory, release } = await readPlan({ readText: () => Promise.resolve(text) }, '/p');
    assert.equal(baseUrl.protocol, 'https:');
    assert.match(directory, /^\/\P{Cc}*$/u);
    assert.match(release.version, /^[0-9A-Za-z.-]+$/);
  },
  { runs: 700 },
);

fuzz('names of programs are known or unknown', textLike(['tsh, tctl', 'teleport-update'], [',', 'tsh']), (text) => {
  const { tools, unknown } = parseTools(text);
  assert.ok(tools.length + unknown.length <= text.length);
});

const given = fc.record({
  tools: mostly('tsh,tctl', textLike(['tsh'], [','])),
  version: mostly('18.2.4', textLike(['18.2.4', '19.0.0-alpha.1', 'auto'], ['-', '.', '+'])),
  edition: mostly('oss', fc.constantFrom('enterprise', 'auto', ...ODD_TEXTS)),
  fips: mostly('none', fc.constantFrom('required', 'auto', ...ODD_TEXTS)),
  'cdn-base-url': mostly('https://a/', textLike(['https://user:pass@mirror.example.com/a'], ['%c3', '%', '?', '#'])),
  sha256: mostly(DIGEST, textLike([DIGEST])),
  dir: mostly('/d', textLike(['/d', 'e'])),
});

fuzz(
  'what is asked to be installed is one file below its address and one folder, or refused',
  given,
  (flags) => {
    const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    const world = {
      environment: {},
      files: { platform: 'linux' },
      architecture: 'x64',
      workingDirectory: '/w',
    } as unknown as World;
    const { baseUrl, directory, platform, requestedRelease, tools } = readToolsRequest(
      readInstallToolsArguments(args, world).given,
      world,
    );
    const release = chooseRelease(requestedRelease, platform, CLUSTER);
    assert.ok(tools.length > 0 && baseUrl.protocol === 'https:');
    assert.match(directory, /^\/[^:\p{Cc}]*$/u);
    assert.match(`${archiveOf(release).name} ${releaseName(release)}`, /^[\w.+-]+ [\w.+-]+$/);
  },
  { runs: 700 },
);
