import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { appendFile, chmod, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, test } from 'node:test';
import { z } from 'zod';
import { outputOf } from '../programs.ts';
import { sha256, startReleaseServer } from './release-server.ts';
import { ARCHITECTURE, ARCHIVE, archiveOf, beginToolsJob, RELEASE, type ToolsJob, VERSION } from './tools-job.ts';

const server = await startReleaseServer();
const archive = archiveOf(['tsh', 'tctl', 'tbot', 'teleport', 'teleport-update'], randomBytes(200_000));

beforeEach(() => {
  server.offer(ARCHIVE, archive);
  server.requests.length = 0;
  server.cutsAt.length = 0;
  server.ranges = true;
});

const TSH = ['--tools', 'tsh', '--version', VERSION];
const TSH_AND_TCTL = ['--tools', 'tsh tctl', '--version', VERSION];

async function succeed(job: ToolsJob, flags: readonly string[]): Promise<void> {
  const run = await job.install(flags);
  assert.equal(run.exitCode, 0, run.stderr);
}

function inLaterStep(job: ToolsJob, command: string): string {
  const environment = { PATH: '/usr/bin:/bin', BASH_ENV: job.bashEnv };
  return outputOf('bash', ['-eo', 'pipefail', '-c', command], { environment });
}

test('later steps have the requested programs on PATH, which do not update themselves', async (t) => {
  const job = await beginToolsJob(t, server);
  const { exitCode, stdout, stderr } = await job.install(TSH_AND_TCTL);
  assert.equal(exitCode, 0, stderr);
  assert.equal(stdout, '');
  assert.match(
    stderr,
    new RegExp(`^Installed: tsh, tctl of Teleport ${VERSION} \\(oss, linux, ${ARCHITECTURE}\\)$`, 'm'),
  );
  assert.deepEqual((await readdir(job.bin)).sort(), ['tctl', 'tsh']);
  assert.equal(inLaterStep(job, 'tsh; command -v tctl'), `tsh off\n${job.bin}/tctl\n`);
});

test('only the owner can read the installed programs, and no other files are left', async (t) => {
  const job = await beginToolsJob(t, server);
  await succeed(job, TSH);
  assert.deepEqual(await readdir(job.tools), [RELEASE]);
  assert.deepEqual((await readdir(join(job.tools, RELEASE))).sort(), ['bin', 'installed.json']);
  for (const [path, mode] of [
    ['.', 0o700],
    [RELEASE, 0o700],
    [`${RELEASE}/bin/tsh`, 0o700],
    [`${RELEASE}/installed.json`, 0o600],
  ] as const) {
    assert.equal((await stat(join(job.tools, path))).mode & 0o777, mode, path);
  }
});

test('PATH does not grow in nested shells or when the command is called again', async (t) => {
  const job = await beginToolsJob(t, server);
  await succeed(job, TSH);
  await succeed(job, TSH);
  const nested = `bash -c 'bash -c "printenv PATH"'`;
  assert.equal(inLaterStep(job, nested), `${job.bin}:/usr/bin:/bin\n`);
  assert.equal((await readFile(job.bashEnv, 'utf8')).match(/export PATH/g)?.length, 1);
});

test('the version that was installed last comes first on PATH', async (t) => {
  const job = await beginToolsJob(t, server);
  server.offer(`teleport-v17.0.1-linux-${ARCHITECTURE}-bin.tar.gz`, archiveOf(['tsh']));
  await succeed(job, TSH);
  await succeed(job, ['--tools', 'tsh', '--version', '17.0.1']);
  assert.match(inLaterStep(job, 'command -v tsh'), /17\.0\.1/);
  await succeed(job, TSH);
  assert.match(inLaterStep(job, 'command -v tsh'), /18\.2\.4/);
});

test('a directory with a special name is quoted', async (t) => {
  const job = await beginToolsJob(t, server);
  await succeed(job, [...TSH, '--dir', `it's "x" ; touch pwned & (y)`]);
  assert.equal(inLaterStep(job, 'tsh'), 'tsh off\n');
  assert.ok(!(await readdir(job.home)).includes('pwned'));
});

test('--no-export writes no variables, and --json prints the result', async (t) => {
  const job = await beginToolsJob(t, server);
  const { stdout, exitCode } = await job.install([...TSH, '--no-export', '--json'], { BASH_ENV: '' });
  assert.equal(exitCode, 0);
  assert.deepEqual(z.unknown().parse(JSON.parse(stdout)), {
    version: VERSION,
    edition: 'oss',
    fips: false,
    platform: `linux-${ARCHITECTURE}`,
    source: 'download',
    archive: ARCHIVE,
    sha256: sha256(archive),
    directory: job.bin,
    tools: { tsh: join(job.bin, 'tsh') },
  });
});

test('installed programs are not downloaded again', async (t) => {
  const job = await beginToolsJob(t, server);
  await succeed(job, TSH_AND_TCTL);
  server.requests.length = 0;
  const { exitCode, stderr } = await job.install(TSH, { TELEPORT_CDN_BASE_URL: 'https://127.0.0.1:1' });
  assert.equal(exitCode, 0);
  assert.match(stderr, /^Already installed: tsh/m);
  assert.deepEqual(server.requests, []);
});

test('a missing program is added to the installed ones', async (t) => {
  const job = await beginToolsJob(t, server);
  await succeed(job, TSH);
  await succeed(job, ['--tools', 'tctl', '--version', VERSION]);
  server.requests.length = 0;
  await succeed(job, TSH_AND_TCTL);
  assert.deepEqual(server.requests, []);
});

test('a program whose time but not content changed, as in a cache, stays', async (t) => {
  const job = await beginToolsJob(t, server);
  await succeed(job, TSH);
  await utimes(join(job.bin, 'tsh'), 0, 0);
  server.requests.length = 0;
  await succeed(job, TSH);
  assert.deepEqual(server.requests, []);
});

const SPOILT: readonly (readonly [what: string, spoil: (job: ToolsJob) => Promise<void>])[] = [
  ['a program that has become longer', (job) => appendFile(join(job.bin, 'tsh'), 'more')],
  [
    'a program that has other bytes',
    async (job) => {
      const bytes = await readFile(join(job.bin, 'tsh'));
      bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
      await writeFile(join(job.bin, 'tsh'), bytes);
    },
  ],
  ['a list that is no JSON', (job) => writeFile(join(job.tools, RELEASE, 'installed.json'), '{')],
  [
    'a list with a path that climbs out',
    (job) =>
      writeFile(
        join(job.tools, RELEASE, 'installed.json'),
        JSON.stringify({
          archiveSha256: sha256(archive),
          files: [{ tool: 'tsh', path: '../../x', sha256: sha256(archive), sizeBytes: 1, changedAtMs: 1 }],
        }),
      ),
  ],
];

for (const [what, spoil] of SPOILT) {
  test(`${what} makes the program be installed again`, async (t) => {
    const job = await beginToolsJob(t, server);
    await succeed(job, TSH);
    await spoil(job);
    server.requests.length = 0;
    await succeed(job, TSH);
    assert.deepEqual(server.requests, [`/${ARCHIVE}.sha256`, `/${ARCHIVE}`]);
    assert.equal(inLaterStep(job, 'tsh'), 'tsh off\n');
  });
}

test('a pinned digest is checked in addition to the published one, also for installed programs', async (t) => {
  const job = await beginToolsJob(t, server);
  await succeed(job, [...TSH, '--sha256', sha256(archive).toUpperCase()]);
  const other = await job.install([...TSH, '--sha256', sha256(Buffer.from('other'))]);
  assert.match(other.stderr, /^code: TOOLS_CORRUPT$/m);
  assert.match(other.stderr, new RegExp(`published SHA-256 is ${sha256(archive)}`));
});

for (const cuts of [[1], [100_000, 100_001], [600_000], [200_000, 400_000, 600_000]]) {
  test(`a download that is interrupted at ${cuts.join(', ')} resumes there`, async (t) => {
    const job = await beginToolsJob(t, server);
    server.cutsAt.push(...cuts);
    const { exitCode, stderr } = await job.install(TSH_AND_TCTL);
    assert.equal(exitCode, 0, stderr);
    assert.equal(stderr.match(/resuming at byte/g)?.length, cuts.length);
    assert.equal(inLaterStep(job, 'tctl'), 'tctl off\n');
  });
}

test('a server without ranges sends the whole file again', async (t) => {
  const job = await beginToolsJob(t, server);
  server.ranges = false;
  server.cutsAt.push(300_000);
  await succeed(job, TSH);
  assert.equal(inLaterStep(job, 'tsh'), 'tsh off\n');
});

test('a base URL can have a path and a password, which is never printed', async (t) => {
  const job = await beginToolsJob(t, server);
  server.offer(`mirror/teleport/${ARCHIVE}`, archive);
  const digest = Buffer.from(`${sha256(archive)}\n`);
  server.offer(`mirror/teleport/${ARCHIVE}.sha256`, digest);
  const base = server.url.replace('https://', 'https://ci:very-secret@');
  server.cutsAt.push(10);
  const run = await job.install([...TSH, '--cdn-base-url', `${base}/mirror/teleport/`]);
  assert.equal(run.exitCode, 0, run.stderr);
  assert.doesNotMatch(run.stderr + (await readFile(job.bashEnv, 'utf8')), /very-secret/);
});

test('a plan contains the chosen release, which is installed later', async (t) => {
  const job = await beginToolsJob(t, server);
  const plan = join(job.tools, '../tools.json');
  await succeed(job, [...TSH, '--write-plan', plan]);
  assert.deepEqual(server.requests, []);
  assert.equal((await stat(plan)).mode & 0o777, 0o600);
  const before = await readFile(plan, 'utf8');
  await succeed(job, [...TSH, '--write-plan', plan]);
  assert.equal(await readFile(plan, 'utf8'), before, 'the key of a cache stays the same');
  await succeed(job, ['--plan', plan]);
  assert.equal(inLaterStep(job, 'tsh'), 'tsh off\n');
});

test('programs in a directory that other users can write to are rejected', async (t) => {
  const job = await beginToolsJob(t, server);
  await succeed(job, TSH);
  await chmod(job.tools, 0o777);
  const run = await job.install(TSH);
  assert.match(run.stderr, /^code: DESTINATION_UNSAFE$/m);
});
