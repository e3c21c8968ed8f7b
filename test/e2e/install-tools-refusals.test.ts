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

/** What a failed command has left: nothing that could be started. */
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
    says: new RegExp(`its SHA-256 is ${sha256(archive)}, the published one ${OTHER_DIGEST}`),
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
    says: /is about another file/,
  },
  {
    what: 'a web page in the place of a digest',
    prepare: () => {
      server.offer(`${ARCHIVE}.sha256`, Buffer.from('<html>Sign in</html>'));
    },
    code: 'TOOLS_CORRUPT',
    says: /holds no SHA-256/,
  },
  {
    what: 'a digest without end',
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
    says: /gzip is broken|in the middle/,
  },
  {
    what: 'an archive with something behind it',
    prepare: () => {
      server.offer(ARCHIVE, Buffer.concat([archive, Buffer.alloc(100_000, 'x')]));
    },
    code: 'TOOLS_CORRUPT',
    says: /follows the end|gzip is broken/,
  },
  {
    what: 'a path that climbs out',
    prepare: offer([{ path: 'teleport/tsh' }, { path: '../../../.bashrc', contents: 'pwned' }]),
    code: 'TOOLS_CORRUPT',
    says: /leads out of it/,
  },
  {
    what: 'a link in the place of a program',
    prepare: offer([{ path: 'teleport/tsh', type: '2', linkTo: '/bin/sh' }]),
    code: 'TOOLS_CORRUPT',
    says: /is a link or a device/,
  },
  {
    what: 'a program twice',
    prepare: offer([{ path: 'teleport/tsh' }, { path: 'teleport/tsh' }]),
    code: 'TOOLS_CORRUPT',
    says: /is in it twice/,
  },
  {
    what: 'an archive without the program',
    flags: ['--tools', 'tsh,tbot,teleport-update', '--version', VERSION],
    prepare: () => undefined,
    code: 'TOOLS_UNAVAILABLE',
    says: /holds no tbot and no teleport-update/,
    hint: /came with Teleport 17/,
  },
  {
    what: 'a version that is not published',
    flags: ['--version', '18.99.0', '--tools', 'tsh'],
    prepare: () => undefined,
    code: 'TOOLS_UNAVAILABLE',
    says: /teleport-v18\.99\.0-linux-\w+-bin\.tar\.gz\.sha256 cannot be downloaded: the server answered 404/,
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
    says: /redirects to an address that is not https/,
  },
  {
    what: 'redirects without end',
    prepare: redirectTo(() => '/again'),
    code: 'TOOLS_UNAVAILABLE',
    says: /redirects more than 5 times/,
  },
];

for (const { what, flags = TSH, prepare, code, says, hint } of CASES) {
  test(`${what} is refused, and nothing is left`, async (t) => {
    const job = await beginToolsJob(t, server);
    prepare();
    const all = flags.includes('--tools') ? flags : [...TSH, ...flags];
    assertRefused(await job.install(all), { code, says, ...(hint === undefined ? {} : { hint }) });
    await assertNothingLeft(job);
  });
}

test('what is installed already stays when the next installation fails', async (t) => {
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

test('a server that falls silent is given up for another connection', async (t) => {
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
  assert.match(run.stderr, /sent nothing for 0\.5 s; going on at byte 50000 in 0(\.\d)? s \(60 s left\)/);
});

test('a server with an untrusted certificate is not asked again', async (t) => {
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
  test(`SIGTERM while ${moment} comes ends the command at once and leaves nothing`, async (t) => {
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

test('all that is wrong with the flags is said at once, and nothing is contacted or written', async (t) => {
  const job = await beginToolsJob(t, server);
  const run = await job.install([
    ...['--tools', 'tsh kubectl helm', '--version', 'newest', '--edition', 'pro', '--fips', 'yes'],
    ...['--proxy-server', 'https://example.com', '--sha256', 'abc', '--dir', 'a:b'],
    ...['--cdn-base-url', 'http://user:very-secret@cdn.example.com'],
  ]);
  assertRefused(run, { code: 'USAGE_INVALID', says: /the command line is wrong/ });
  for (const fault of [
    '--tools: "kubectl" is none of',
    '--tools: "helm" is none of',
    '--version: "newest" is neither X.Y.Z nor auto',
    '--edition: "pro" is none of oss, enterprise and auto',
    '--fips: "yes" is none of required, none and auto',
    '--proxy-server: "https://example.com" is no host:port',
    '--sha256: is not 64 hexadecimal digits',
    '--cdn-base-url: is no https:// address without a query',
    '--dir: holds a colon or a control character',
  ]) {
    assert.ok(run.stderr.includes(`  - ${fault}`), `${fault}\n${run.stderr}`);
  }
  assert.doesNotMatch(run.stderr, /very-secret/);
  assert.deepEqual(server.requests, []);
  await assertNothingLeft(job);
});

const WRONG: readonly (readonly [flags: readonly string[], says: RegExp])[] = [
  [['--version', VERSION], /--tools: names no program/],
  [['--tools', 'tsh'], /--version: auto asks the cluster: give --proxy-server or TELEPORT_PROXY/],
  [[...TSH, '--fips', 'required', '--edition', 'oss'], /--fips: the open-source edition is not built for FIPS/],
  [['--tools', 'tsh', '--version', '18.2.4+build'], /--version/],
  [[...TSH, '--plan', 'plan.json'], /--tools: cannot be given with --plan/],
  [['--plan', 'missing.json'], /cannot read the plan .*missing\.json: no such file/],
  [[...TSH, '--timeout', 'soon'], /--timeout/],
];

for (const [flags, says] of WRONG) {
  test(`wrong input: install-tools ${flags.join(' ')}`, async (t) => {
    const job = await beginToolsJob(t, server);
    const run = await job.install(flags);
    assert.equal(run.exitCode, 2);
    assert.match(run.stderr, says);
    assert.deepEqual(server.requests, []);
  });
}

test('a plan that was tampered with is refused', async (t) => {
  const job = await beginToolsJob(t, server);
  const release = {
    version: '../x',
    edition: 'oss',
    fips: false,
    platform: { system: 'linux', architecture: 'amd64' },
  };
  const plan = { tools: ['tsh'], release, baseUrl: server.url, directory: job.tools };
  await writeFile(join(job.home, 'plan.json'), JSON.stringify(plan));
  assertRefused(await job.install(['--plan', 'plan.json']), { code: 'USAGE_INVALID', says: /is not a plan/ });
});

test('a folder that cannot be made is said', async (t) => {
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

test('a $BASH_ENV that cannot be written ends the command before anything is downloaded', async (t) => {
  const job = await beginToolsJob(t, server);
  const run = await job.install(TSH, { BASH_ENV: join(job.home, 'missing/bash_env') });
  assertRefused(run, { code: 'BASH_ENV_UNWRITABLE', says: /cannot append/ });
  assert.deepEqual(server.requests, []);
});

test('a folder of which another user could swap a program is refused', async (t) => {
  const job = await beginToolsJob(t, server);
  await mkdir(job.tools, { recursive: true });
  await chmod(job.tools, 0o1777);
  assertRefused(await job.install(TSH), {
    code: 'DESTINATION_UNSAFE',
    says: /others may write to it/,
    hint: /tools_dir/,
  });
});
