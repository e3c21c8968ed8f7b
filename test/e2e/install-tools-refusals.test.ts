import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { ErrorCode } from '../../src/errors.ts';
import { type TarEntry, tarGz } from '../commands/install-tools/tar-archive.ts';
import { outputOf } from '../programs.ts';
import { assertRefused } from './refusal.ts';
import { sha256, startReleaseServer } from './release-server.ts';
import { ARCHIVE, archiveOf, beginToolsJob, RELEASE, type ToolsJob, VERSION } from './tools-job.ts';

const server = await startReleaseServer();
const serveFiles = server.answer;
const archive = archiveOf(['tsh', 'tctl'], randomBytes(100_000));
const OTHER_DIGEST = sha256(Buffer.from('other'));

beforeEach(() => {
  server.offer(ARCHIVE, archive);
  server.answer = serveFiles;
  server.requests.length = 0;
  server.cutsAt.length = 0;
});

const TSH = ['--tools', 'tsh', '--version', VERSION];

/** What a failed command may leave: nothing that could be started. */
async function assertNothingLeft(job: ToolsJob): Promise<void> {
  const left = await readdir(job.home, { recursive: true });
  assert.deepEqual(
    left.filter((path) => !['.teleport-machine-id', '.teleport-machine-id/tools', 'bash_env'].includes(path)),
    [],
  );
}

interface Case {
  readonly what: string;
  readonly flags?: readonly string[];
  readonly prepare: () => void;
  readonly code: ErrorCode;
  readonly says: RegExp;
  readonly hint?: RegExp;
}

function offer(entries: readonly TarEntry[]): () => void {
  return () => {
    server.offer(ARCHIVE, tarGz(entries));
  };
}

function redirectTo(location: () => string): () => void {
  return () => {
    server.answer = (_request, response) => response.writeHead(302, { location: location() }).end();
  };
}

const CASES: readonly Case[] = [
  {
    what: 'an archive with another digest than the published one',
    prepare: () => {
      server.offer(ARCHIVE, archive, OTHER_DIGEST);
    },
    code: 'TOOLS_CORRUPT',
    says: new RegExp(`its SHA-256 is ${sha256(archive)}, but the published one is ${OTHER_DIGEST}`),
  },
  {
    what: 'an archive with another digest than the pinned one',
    flags: ['--sha256', OTHER_DIGEST],
    prepare: () => undefined,
    code: 'TOOLS_CORRUPT',
    says: new RegExp(OTHER_DIGEST),
  },
  {
    what: 'a digest of another file',
    prepare: () => {
      server.offer(`${ARCHIVE}.sha256`, Buffer.from(`${sha256(archive)}  teleport-v1.0.0-linux-amd64-bin.tar.gz\n`));
    },
    code: 'TOOLS_CORRUPT',
    says: /is for another file/,
  },
  {
    what: 'a web page instead of a digest',
    prepare: () => {
      server.offer(`${ARCHIVE}.sha256`, Buffer.from('<html>Sign in</html>'));
    },
    code: 'TOOLS_CORRUPT',
    says: /contains no SHA-256/,
  },
  {
    what: 'a digest file that is too long',
    prepare: () => {
      server.offer(`${ARCHIVE}.sha256`, Buffer.alloc(5000, '0'));
    },
    code: 'TOOLS_CORRUPT',
    says: /more than 4096 bytes/,
  },
  {
    what: 'an archive that is published truncated',
    prepare: () => {
      server.offer(ARCHIVE, archive.subarray(0, 90_000));
    },
    code: 'TOOLS_CORRUPT',
    says: /gzip data is invalid|in the middle/,
  },
  {
    what: 'an archive with data after its end',
    prepare: () => {
      server.offer(ARCHIVE, Buffer.concat([archive, Buffer.alloc(100_000, 'x')]));
    },
    code: 'TOOLS_CORRUPT',
    says: /after the end|gzip data is invalid/,
  },
  {
    what: 'a path outside of the archive',
    prepare: offer([{ path: 'teleport/tsh' }, { path: '../../../.bashrc', contents: 'pwned' }]),
    code: 'TOOLS_CORRUPT',
    says: /points outside of the archive/,
  },
  {
    what: 'a link in the place of a program',
    prepare: offer([{ path: 'teleport/tsh', type: '2', linkTo: '/bin/sh' }]),
    code: 'TOOLS_CORRUPT',
    says: /is a link or a device/,
  },
  {
    what: 'a duplicate program',
    prepare: offer([{ path: 'teleport/tsh' }, { path: 'teleport/tsh' }]),
    code: 'TOOLS_CORRUPT',
    says: /is a duplicate entry/,
  },
  {
    what: 'an archive without the program',
    flags: ['--tools', 'tsh,tbot,teleport-update', '--version', VERSION],
    prepare: () => undefined,
    code: 'TOOLS_UNAVAILABLE',
    says: /does not contain tbot and teleport-update/,
    hint: /teleport-update exists since Teleport 17/,
  },
  {
    what: 'a version that is not published',
    flags: ['--version', '18.99.0', '--tools', 'tsh'],
    prepare: () => undefined,
    code: 'TOOLS_UNAVAILABLE',
    says: /teleport-v18\.99\.0-linux-\w+-bin\.tar\.gz\.sha256 cannot be downloaded: the server responded with status 404/,
    hint: /Teleport 18\.99\.0 \(oss\) is published/,
  },
  {
    what: 'a FIPS build that is not published',
    flags: [...TSH, '--fips', 'required'],
    prepare: () => undefined,
    code: 'TOOLS_UNAVAILABLE',
    says: /teleport-ent-v18\.2\.4-linux-\w+-fips-bin\.tar\.gz\.sha256/,
  },
  {
    what: 'a redirect to http',
    prepare: redirectTo(() => server.url.replace('https', 'http')),
    code: 'TOOLS_UNAVAILABLE',
    says: /redirects to a URL that is not https/,
  },
  {
    what: 'endless redirects',
    prepare: redirectTo(() => '/again'),
    code: 'TOOLS_UNAVAILABLE',
    says: /redirects more than 5 times/,
  },
];

for (const { what, flags = TSH, prepare, code, says, hint } of CASES) {
  test(`${what} is rejected, and no files are left`, async (t) => {
    const job = await beginToolsJob(t, server);
    prepare();
    const all = flags.includes('--tools') ? flags : [...TSH, ...flags];
    assertRefused(await job.install(all), { code, says, ...(hint === undefined ? {} : { hint }) });
    await assertNothingLeft(job);
  });
}

test('installed programs stay when the next installation fails', async (t) => {
  const job = await beginToolsJob(t, server);
  assert.equal((await job.install(TSH)).exitCode, 0);
  server.offer(ARCHIVE, archive, OTHER_DIGEST);
  assertRefused(await job.install(['--tools', 'tsh tctl', '--version', VERSION]), {
    code: 'TOOLS_CORRUPT',
    says: /SHA-256/,
  });
  assert.deepEqual(await readdir(job.tools), [RELEASE]);
  assert.equal(outputOf(join(job.bin, 'tsh'), []), 'tsh \n');
});

test('a redirect to another server is followed, without the password of the first', async (t) => {
  const other = await startReleaseServer();
  other.offer(ARCHIVE, archive);
  const job = await beginToolsJob(t, server);
  const authorities = join(job.home, 'authorities.pem');
  const certificates = [server, other].map(({ trust }) => readFile(trust.SSL_CERT_FILE ?? '', 'utf8'));
  await writeFile(authorities, (await Promise.all(certificates)).join('\n'));
  const [first, second]: (string | undefined)[][] = [[], []];
  server.answer = (request, response) => {
    first?.push(request.headers.authorization);
    response.writeHead(307, { location: `${other.url}${request.url ?? ''}` }).end();
  };
  const serve = other.answer;
  other.answer = (request, response) => {
    second?.push(request.headers.authorization);
    serve(request, response);
  };
  const base = server.url.replace('https://', 'https://ci:very-secret@');
  const run = await job.install([...TSH, '--cdn-base-url', base], { SSL_CERT_FILE: authorities });
  assert.equal(run.exitCode, 0, run.stderr);
  const basic = `Basic ${Buffer.from('ci:very-secret').toString('base64')}`;
  assert.deepEqual(
    [first, second],
    [
      [basic, basic],
      [undefined, undefined],
    ],
  );
});

test('a connection that stalls is replaced with another one', async (t) => {
  const job = await beginToolsJob(t, server);
  let silent = 1;
  server.answer = (request, response) => {
    if (request.url?.endsWith('.gz') === true && silent > 0) {
      silent -= 1;
      response.writeHead(200, { 'content-length': archive.length });
      response.write(archive.subarray(0, 50_000));
      return;
    }
    serveFiles(request, response);
  };
  const run = await job.install([...TSH, '--timeout', '0.5']);
  assert.equal(run.exitCode, 0, run.stderr);
  assert.match(run.stderr, /sent nothing for 0\.5 s; resuming at byte 50000 in 0(\.\d)? s \(60 s left\)/);
});

test('a server whose certificate is not trusted gets no second request', async (t) => {
  const job = await beginToolsJob(t, server);
  const run = await job.install(TSH, { SSL_CERT_FILE: '' });
  assertRefused(run, {
    code: 'TOOLS_UNAVAILABLE',
    says: /certificate of localhost:\d+ is not trusted/,
    hint: /--ca-file/,
  });
  assert.deepEqual(server.requests, []);
});

for (const moment of ['.sha256', '.gz']) {
  test(`SIGTERM during the download of ${moment} ends the command at once and leaves no files`, async (t) => {
    const job = await beginToolsJob(t, server);
    server.answer = (request, response) => {
      if (request.url?.endsWith(moment) !== true) serveFiles(request, response);
      else response.writeHead(200, { 'content-length': 1000 }).write(archive.subarray(0, 500));
    };
    const { child, finished } = job.start(TSH);
    while (!server.requests.some((url) => url.endsWith(moment))) await delay(5);
    await delay(100);
    const startMs = performance.now();
    child.kill('SIGTERM');
    assertRefused(await finished, { code: 'INTERRUPTED', says: /interrupted by SIGTERM/ });
    assert.ok(performance.now() - startMs < 3000);
    await assertNothingLeft(job);
  });
}

test('all problems of the flags are reported together, and nothing is contacted or written', async (t) => {
  const job = await beginToolsJob(t, server);
  const run = await job.install([
    ...['--tools', 'tsh kubectl helm', '--version', 'newest', '--edition', 'pro', '--fips', 'yes'],
    ...['--proxy-server', 'https://example.com', '--sha256', 'abc', '--dir', 'a:b'],
    ...['--cdn-base-url', 'http://user:very-secret@cdn.example.com'],
  ]);
  assertRefused(run, { code: 'USAGE_INVALID', says: /the command line is invalid/ });
  for (const problem of [
    '--tools: "kubectl" is not a Teleport program; expected any of',
    '--tools: "helm" is not a Teleport program; expected any of',
    '--version: must be X.Y.Z or auto, got "newest"',
    '--edition: must be oss, enterprise or auto, got "pro"',
    '--fips: must be required, none or auto, got "yes"',
    '--proxy-server: must be host:port, got "https://example.com"',
    '--sha256: must be 64 hexadecimal digits',
    '--cdn-base-url: must be an https:// URL without a query',
    '--dir: contains a colon or a control character',
  ]) {
    assert.ok(run.stderr.includes(`  - ${problem}`), `${problem}\n${run.stderr}`);
  }
  assert.doesNotMatch(run.stderr, /very-secret/);
  assert.deepEqual(server.requests, []);
  await assertNothingLeft(job);
});

const WRONG: readonly (readonly [flags: readonly string[], says: RegExp])[] = [
  [['--version', VERSION], /--tools: contains no program/],
  [['--tools', 'tsh'], /--version: auto needs a cluster: set --proxy-server or TELEPORT_PROXY/],
  [[...TSH, '--fips', 'required', '--edition', 'oss'], /--fips: the open-source edition has no FIPS build/],
  [['--tools', 'tsh', '--version', '18.2.4+build'], /--version/],
  [[...TSH, '--plan', 'plan.json'], /--tools: cannot be combined with --plan/],
  [['--plan', 'missing.json'], /cannot read the plan .*missing\.json: no such file/],
  [[...TSH, '--timeout', 'soon'], /--timeout/],
];

for (const [flags, says] of WRONG) {
  test(`invalid input: install-tools ${flags.join(' ')}`, async (t) => {
    const job = await beginToolsJob(t, server);
    const run = await job.install(flags);
    assert.equal(run.exitCode, 2);
    assert.match(run.stderr, says);
    assert.deepEqual(server.requests, []);
  });
}

test('a plan that was tampered with is rejected', async (t) => {
  const job = await beginToolsJob(t, server);
  const release = {
    version: '../x',
    edition: 'oss',
    fips: false,
    platform: { system: 'linux', architecture: 'amd64' },
  };
  const plan = { tools: ['tsh'], release, baseUrl: server.url, directory: job.tools };
  await writeFile(join(job.home, 'plan.json'), JSON.stringify(plan));
  assertRefused(await job.install(['--plan', 'plan.json']), {
    code: 'USAGE_INVALID',
    says: /was not written by --write-plan/,
  });
});

test('a directory that cannot be created is reported', async (t) => {
  const job = await beginToolsJob(t, server);
  await writeFile(join(job.home, 'file'), '');
  const run = await job.install([...TSH, '--dir', 'file/tools']);
  assertRefused(run, {
    code: 'DESTINATION_UNWRITABLE',
    says: /file\/tools: a part of the path is not a directory/,
    hint: /--dir/,
  });
  assert.deepEqual(server.requests, []);
});

test('an unwritable $BASH_ENV fails the command before anything is downloaded', async (t) => {
  const job = await beginToolsJob(t, server);
  const run = await job.install(TSH, { BASH_ENV: join(job.home, 'missing/bash_env') });
  assertRefused(run, { code: 'BASH_ENV_UNWRITABLE', says: /cannot append/ });
  assert.deepEqual(server.requests, []);
});

test('a directory in which another user could replace a program is rejected', async (t) => {
  const job = await beginToolsJob(t, server);
  await mkdir(job.tools, { recursive: true });
  await chmod(job.tools, 0o1777);
  assertRefused(await job.install(TSH), {
    code: 'DESTINATION_UNSAFE',
    says: /is writable by other users/,
    hint: /tools_dir/,
  });
});
