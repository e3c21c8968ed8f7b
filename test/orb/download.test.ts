import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { JobResult } from '../job-runner/run-job.ts';
import { startAssetServer } from './asset-server.ts';
import type { AssetServer } from './asset-server.ts';
import { missing } from '../programs.ts';
import { install, runOrbJob, stderrOf } from './orb-job.ts';
import { toolFolder } from './tool-folder.ts';

const BUNDLE = `console.log("the script")\n${'// padding\n'.repeat(20_000)}`;
const DOWNLOADERS = ['curl', 'wget', 'node'] as const;

/** For tests of what all have in common. */
const [PRESENT = 'node'] = DOWNLOADERS.filter((name) => missing(name) === undefined);

let shared: string;
let server: AssetServer;
let scratch: string;
let home: string;

before(async () => {
  shared = await mkdtemp(join(tmpdir(), 'orb-assets-'));
  server = await startAssetServer(shared);
});

after(async () => {
  await server.close();
  await rm(shared, { recursive: true, force: true });
});

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'orb-download-'));
  home = join(scratch, 'home');
  await mkdir(home);
  server.requests.length = 0;
  server.answer = (_request, response) => response.end(BUNDLE);
});

afterEach(async () => {
  await rm(scratch, { recursive: true, force: true });
});

/** Only this downloader is on PATH; pauses are counted instead of waited for. */
async function download(
  url: string,
  downloader: (typeof DOWNLOADERS)[number] = PRESENT,
  others: readonly string[] = [],
): Promise<JobResult> {
  const tools = await toolFolder(join(scratch, 'bin'), ['sha256sum', ...new Set(['node', downloader]), ...others], {
    sleep: `echo "$1" >> ${scratch}/pauses`,
  });
  // Debian's wget knows no variable for authorities, only its configuration file.
  await writeFile(join(scratch, 'wgetrc'), `ca_certificate = ${join(shared, 'cert.pem')}\n`);
  return runOrbJob({
    bundle: BUNDLE,
    home,
    environment: { ...server.trust, WGETRC: join(scratch, 'wgetrc'), PATH: tools },
    steps: [install({ download_url: url })],
  });
}

async function pauses(): Promise<readonly string[]> {
  return (await readFile(join(scratch, 'pauses'), 'utf8')).trim().split('\n');
}

for (const downloader of DOWNLOADERS) {
  const skip = missing(downloader);
  test(`${downloader} downloads the script`, { skip }, async () => {
    const result = await download(`${server.url}/v1/machine-id.cjs`, downloader);
    assert.equal(result.exitCode, 0, stderrOf(result));
    assert.equal(await readFile(join(home, '.teleport-machine-id/machine-id.cjs'), 'utf8'), BUNDLE);
    assert.deepEqual(server.requests, ['/v1/machine-id.cjs']);
  });

  test(`${downloader} is tried again after a server error`, { skip }, async () => {
    const statuses = [503, 429];
    server.answer = (_request, response) => response.writeHead(statuses.shift() ?? 200).end(BUNDLE);
    const result = await download(`${server.url}/machine-id.cjs`, downloader);
    assert.equal(result.exitCode, 0, stderrOf(result));
    assert.deepEqual(await pauses(), ['1', '2']);
  });

  test(`${downloader} does not install the script from an interrupted download`, { skip }, async () => {
    server.answer = (_request, response) => {
      cutShort(response);
    };
    const result = await download(`${server.url}/machine-id.cjs`, downloader);
    assert.equal(result.exitCode, 1);
    assert.deepEqual(await readdir(join(home, '.teleport-machine-id')), ['node-path']);
  });
}

const GUNZIP = ['gzip'];

test('a compressed script is decompressed', async () => {
  server.answer = (_request, response) => response.end(gzipSync(BUNDLE));
  const result = await download(`${server.url}/v1/machine-id.cjs.gz?token=a`, PRESENT, GUNZIP);
  assert.equal(result.exitCode, 0, stderrOf(result));
  assert.equal(await readFile(join(home, '.teleport-machine-id/machine-id.cjs'), 'utf8'), BUNDLE);
  assert.deepEqual((await readdir(join(home, '.teleport-machine-id'))).sort(), ['machine-id.cjs', 'node-path']);
});

test('a script that expands to more than it may have is refused, and nothing of it is left', async () => {
  const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
  server.answer = (_request, response) => response.end(bomb);
  const result = await download(`${server.url}/v1/machine-id.cjs.gz`, PRESENT, GUNZIP);
  assert.equal(result.exitCode, 1);
  assert.match(stderrOf(result), /is refused: expected SHA-256/);
  assert.deepEqual(await readdir(join(home, '.teleport-machine-id')), ['node-path']);
});

test('without gzip, the script is downloaded as it is', async () => {
  const result = await download(`${server.url}/v1/machine-id.cjs.gz`, PRESENT);
  assert.equal(result.exitCode, 0, stderrOf(result));
  assert.deepEqual(server.requests, ['/v1/machine-id.cjs']);
});

test('a script that a server has already decompressed is accepted under the name of the compressed one', async () => {
  const result = await download(`${server.url}/v1/machine-id.cjs.gz`, PRESENT, GUNZIP);
  assert.equal(result.exitCode, 0, stderrOf(result));
  assert.equal(await readFile(join(home, '.teleport-machine-id/machine-id.cjs'), 'utf8'), BUNDLE);
});

function cutShort(response: ServerResponse): void {
  response.writeHead(200, { 'content-length': BUNDLE.length });
  response.write(BUNDLE.slice(0, 1000), () => response.destroy());
}

test('after five attempts with growing pauses, the error names the alternatives', async () => {
  server.answer = (_request, response) => response.writeHead(404).end();
  const result = await download(`${server.url}/machine-id.cjs`);
  assert.equal(result.exitCode, 1);
  assert.equal(server.requests.length, 5);
  assert.deepEqual(await pauses(), ['1', '2', '4', '8']);
  assert.match(
    stderrOf(result),
    /machine-id\.cjs could not be downloaded in 5 attempts[^]*download_url[^]*bundle_path/,
  );
  assert.match(stderrOf(result), /404/);
});

test('a script with another digest is rejected immediately', async () => {
  server.answer = (_request, response) => response.end(BUNDLE.replace('the', 'not'));
  const result = await download(`${server.url}/machine-id.cjs`);
  assert.equal(result.exitCode, 1);
  assert.equal(server.requests.length, 1);
  assert.match(stderrOf(result), /is refused: expected SHA-256/);
  assert.deepEqual(await readdir(join(home, '.teleport-machine-id')), ['node-path']);
});

for (const downloader of DOWNLOADERS) {
  const skip = missing(downloader);

  test(
    `${downloader} keeps a mirror's password out of the log and shows it to the mirror alone`,
    { skip },
    async () => {
      let authorization: string | undefined;
      server.answer = (request, response) => {
        authorization = request.headers.authorization;
        // wget shows the password only to a server that asks for it.
        if (authorization === undefined) response.writeHead(401, { 'www-authenticate': 'Basic realm="mirror"' }).end();
        else response.end(BUNDLE);
      };
      const result = await download(
        `${server.url.replace('://', '://robot:hunter%402@')}/m.cjs?key=s3cret`,
        downloader,
      );
      assert.equal(result.exitCode, 0, stderrOf(result));
      assert.equal(authorization, `Basic ${Buffer.from('robot:hunter@2').toString('base64')}`);
      assert.doesNotMatch(stderrOf(result), /hunter|s3cret/);
    },
  );
}

test('a redirect is followed', async () => {
  server.answer = (request, response) =>
    request.url === '/old' ? response.writeHead(302, { location: '/new' }).end() : response.end(BUNDLE);
  const result = await download(`${server.url}/old`);
  assert.equal(result.exitCode, 0, stderrOf(result));
  assert.deepEqual(server.requests, ['/old', '/new']);
});

test('a redirect away from https is not followed', async () => {
  server.answer = (_request, response) => response.writeHead(302, { location: 'http://localhost:9/x' }).end();
  const result = await download(`${server.url}/old`);
  assert.equal(result.exitCode, 1);
  assert.match(stderrOf(result), /[Pp]rotocol/);
});

test('a URL without https is rejected before any request', async () => {
  const result = await download('http://localhost:9/machine-id.cjs');
  assert.equal(result.exitCode, 1);
  assert.match(stderrOf(result), /download_url must begin with https:\/\//);
});

test("a mirror's password and query are not logged", async () => {
  const result = await download(`${server.url.replace('://', '://robot:hunter2@')}/a@b/m.cjs?key=s3cret`);
  assert.equal(result.exitCode, 0, stderrOf(result));
  assert.deepEqual(server.requests, ['/a@b/m.cjs?key=s3cret']);
  assert.match(stderrOf(result), /downloading https:\/\/localhost:\d+\/a@b\/m\.cjs\n/);
  assert.doesNotMatch(stderrOf(result), /hunter2|s3cret/);
});
