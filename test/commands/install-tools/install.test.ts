import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { DownloadServer } from '../../../src/commands/install-tools/download-server.ts';
import { type InstallRequest, installTools } from '../../../src/commands/install-tools/install.ts';
import { archiveOf, type Platform, type Tool } from '../../../src/commands/install-tools/release.ts';
import { systemFiles } from '../../../src/effects/files.ts';
import { systemLargeFiles } from '../../../src/effects/large-files.ts';
import { fakeClock } from '../../effects/fake-clock.ts';
import { testRetries } from '../../effects/retries.ts';
import { temporaryFolder } from '../../temporary-folder.ts';
import { chunksOf } from './chunks.ts';
import { tarGz } from './tar-archive.ts';
import { zip } from './zip-archive.ts';

/** As another system would: the files are real, the archive is the one that is given. */
function installing(archive: Buffer, directory: string, platform: Platform, tools: readonly Tool[]) {
  const requests: string[] = [];
  const server: DownloadServer = {
    get: ({ pathname }) => {
      requests.push(pathname);
      const digest = Buffer.from(createHash('sha256').update(archive).digest('hex'));
      const body = chunksOf(pathname.endsWith('.sha256') ? digest : archive, 1000);
      return Promise.resolve({ status: 200, header: () => undefined, body });
    },
    close: () => undefined,
  };
  const clock = fakeClock();
  const request: InstallRequest = {
    release: { version: '18.2.4', edition: 'oss', fips: false, platform },
    tools,
    baseUrl: new URL('https://cdn.example.com/some/where/'),
    sha256: undefined,
    directory,
  };
  const effects = {
    files: systemFiles,
    largeFiles: systemLargeFiles,
    download: { server, clock, retries: testRetries({ clock }), missingHint: '' },
    onProgress: () => undefined,
  };
  return { requests, install: () => installTools(request, effects), archive: archiveOf(request.release).name };
}

test('on Windows, the programs are extracted from a zip archive', async (context) => {
  const directory = join(await temporaryFolder(context), 'tools');
  const archive = zip([
    { path: 'tsh.exe', contents: 'tsh'.repeat(1000), sizesBehind: true },
    { path: 'tctl.exe', contents: 'tctl' },
  ]);
  const job = installing(archive, directory, { system: 'windows', architecture: 'amd64' }, ['tsh']);
  const { binDirectory, source } = await job.install();
  assert.equal(source, 'download');
  assert.deepEqual(await readdir(binDirectory), ['tsh.exe']);
  assert.equal(await readFile(join(binDirectory, 'tsh.exe'), 'utf8'), 'tsh'.repeat(1000));
  assert.deepEqual(job.requests, [`/some/where/${job.archive}.sha256`, `/some/where/${job.archive}`]);
});

test('on macOS, a signed program is installed with its bundle, and a missing link to it is created again', async (context) => {
  const directory = join(await temporaryFolder(context), 'tools');
  const archive = tarGz([
    { path: 'teleport/tsh.app/', type: '5' },
    { path: 'teleport/tsh.app/Contents/Info.plist', contents: 'plist' },
    { path: 'teleport/tsh.app/Contents/MacOS/tsh', contents: 'tsh' },
    { path: 'teleport/tbot', contents: 'tbot' },
  ]);
  const job = installing(archive, directory, { system: 'darwin', architecture: 'arm64' }, ['tsh', 'tbot']);
  const { binDirectory } = await job.install();
  assert.deepEqual((await readdir(binDirectory)).sort(), ['tbot', 'tsh']);
  assert.equal(await readlink(join(binDirectory, 'tsh')), '../tsh.app/Contents/MacOS/tsh');
  assert.equal((await stat(join(binDirectory, 'tsh'))).mode & 0o777, 0o700);
  assert.equal((await stat(join(binDirectory, '../tsh.app/Contents/Info.plist'))).mode & 0o777, 0o600);

  await rm(join(binDirectory, 'tsh'));
  assert.equal((await job.install()).source, 'installed');
  assert.equal(await readFile(join(binDirectory, 'tsh'), 'utf8'), 'tsh');
  assert.equal(job.requests.length, 2);
});

test('an incomplete bundle is installed again', async (context) => {
  const directory = join(await temporaryFolder(context), 'tools');
  const archive = tarGz([
    { path: 'teleport/tsh.app/Contents/Info.plist', contents: 'plist' },
    { path: 'teleport/tsh.app/Contents/MacOS/tsh', contents: 'tsh' },
  ]);
  const job = installing(archive, directory, { system: 'darwin', architecture: 'arm64' }, ['tsh']);
  const { binDirectory } = await job.install();
  await rm(join(binDirectory, '../tsh.app/Contents/Info.plist'));
  assert.equal((await job.install()).source, 'download');
});

for (const [what, list] of [
  ['no text', Buffer.of(0x7b, 0xff)],
  ['too long', Buffer.alloc(1024 * 1024 + 1, ' ')],
  ['no JSON', Buffer.from('{"archiveSha256":')],
] as const) {
  test(`a list of installed files that is ${what} is ignored`, async (context) => {
    const directory = join(await temporaryFolder(context), 'tools');
    const archive = tarGz([{ path: 'teleport/tsh', contents: 'tsh' }]);
    const job = installing(archive, directory, { system: 'linux', architecture: 'amd64' }, ['tsh']);
    const { binDirectory } = await job.install();
    await writeFile(join(binDirectory, '../installed.json'), list);
    assert.equal((await job.install()).source, 'download');
    assert.equal((await job.install()).source, 'installed');
  });
}

test('a bundle without its program is rejected', async (context) => {
  const directory = join(await temporaryFolder(context), 'tools');
  const archive = tarGz([{ path: 'teleport/tsh.app/Contents/Info.plist', contents: 'plist' }]);
  const job = installing(archive, directory, { system: 'darwin', architecture: 'arm64' }, ['tsh']);
  await assert.rejects(job.install(), { code: 'TOOLS_UNAVAILABLE' });
  assert.deepEqual(await readdir(directory), []);
});
