import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { test, type TestContext } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { z } from 'zod';
import { temporaryFolder } from '../temporary-folder.ts';
import { version } from '../orb/source.ts';
import { commandOf, type Ran, runStep } from './configs.ts';

const TAG = `v${version}`;
const REPOSITORY = '/repos/teleport-machine-id/orb';
const MADE = ['machine-id.sigstore.json', 'orb.sigstore.json'];
const ALL = [...MADE, 'LICENSES.txt', 'machine-id.cdx.json', 'machine-id.cjs', 'machine-id.cjs.gz', 'orb.yml'].sort();

/** What the product promises: half a megabyte. */
const MOST_DOWNLOADED_BYTES = 500_000;

interface StoredAsset {
  readonly id: number;
  readonly name: string;
  readonly bytes: Buffer;
  readonly state: 'uploaded' | 'starter';
}

interface StoredRelease {
  readonly tag: string;
  readonly notes: string;
  draft: boolean;
  assets: StoredAsset[];
}

/** The part of GitHub's REST API that a release needs; anything else is answered 404 and fails the test. */
class GitHub {
  readonly releases: StoredRelease[] = [];
  readonly requests: string[] = [];
  readonly unexpected: string[] = [];
  readonly tags = [TAG];
  /** Whether assets are listed with their digest, as they are since 2025. */
  hasDigests = true;
  /** The next uploads that end with 502. */
  failingUploads = 0;
  url = '';

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '' } = request;
    const url = new URL(request.url ?? '', this.url);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(z.instanceof(Buffer).parse(chunk));
    const what = `${method} ${url.pathname}`;
    this.requests.push(what);
    assert.equal(request.headers.authorization, 'Bearer a-token');
    const reply = this.reply(what, url, Buffer.concat(chunks), request.headers.accept ?? '');
    if (reply === undefined) this.unexpected.push(what);
    const { status, body } = reply ?? { status: 404, body: { message: 'Not Found' } };
    response.writeHead(status).end(Buffer.isBuffer(body) ? body : JSON.stringify(body));
  }

  private reply(what: string, url: URL, body: Buffer, accept: string): { status: number; body: unknown } | undefined {
    const [release] = this.releases;
    const [, id] = /\/releases\/assets\/(\d+)$/.exec(url.pathname) ?? [];
    const asset = release?.assets.find((one) => String(one.id) === id);
    if (what === `GET ${REPOSITORY}/releases`) {
      return { status: 200, body: this.releases.map((one) => this.shown(one)) };
    }
    if (what === `GET ${REPOSITORY}/git/ref/tags/${TAG}`) {
      return this.tags.includes(TAG) ? { status: 200, body: {} } : { status: 404, body: { message: 'Not Found' } };
    }
    if (what === `POST ${REPOSITORY}/releases`) {
      const {
        tag_name: tag,
        body: notes,
        draft,
      } = z.object({ tag_name: z.string(), body: z.string(), draft: z.boolean() }).parse(JSON.parse(body.toString()));
      this.releases.push({ tag, notes, draft, assets: [] });
      return { status: 201, body: this.shown(this.releases[0]) };
    }
    if (release === undefined) return undefined;
    if (what === 'POST /uploads/1/assets') return this.upload(release, url.searchParams.get('name') ?? '', body);
    if (what === `PATCH ${REPOSITORY}/releases/1`) {
      release.draft = z.object({ draft: z.boolean() }).parse(JSON.parse(body.toString())).draft;
      return { status: 200, body: this.shown(release) };
    }
    if (asset !== undefined && what.startsWith('DELETE ')) {
      release.assets = release.assets.filter((one) => one !== asset);
      return { status: 204, body: '' };
    }
    if (asset !== undefined && what.startsWith('GET ') && accept === 'application/octet-stream') {
      return { status: 200, body: asset.bytes };
    }
    return undefined;
  }

  private upload(release: StoredRelease, name: string, bytes: Buffer): { status: number; body: unknown } {
    if (release.assets.some((one) => one.name === name)) return { status: 422, body: { message: 'already_exists' } };
    const id = 1 + Math.max(0, ...release.assets.map((one) => one.id));
    if (this.failingUploads > 0) {
      this.failingUploads -= 1;
      release.assets.push({ id, name, bytes: Buffer.alloc(0), state: 'starter' });
      return { status: 502, body: 'Bad Gateway' };
    }
    release.assets.push({ id, name, bytes, state: 'uploaded' });
    return { status: 201, body: {} };
  }

  private shown(release: StoredRelease | undefined): object {
    return {
      id: 1,
      tag_name: release?.tag,
      draft: release?.draft,
      upload_url: `${this.url}/uploads/1/assets{?name,label}`,
      html_url: `${this.url}/releases/${release?.tag ?? ''}`,
      assets: (release?.assets ?? []).map(({ id, name, state, bytes }) => ({
        ...{ id, name, state, url: `${this.url}${REPOSITORY}/releases/assets/${id}` },
        digest: this.hasDigests ? `sha256:${createHash('sha256').update(bytes).digest('hex')}` : null,
      })),
    };
  }
}

async function gitHub(context: TestContext): Promise<GitHub> {
  const stand = new GitHub();
  const server = createServer((request, response) => {
    stand.answer(request, response).catch((error: unknown) => {
      stand.unexpected.push(String(error));
      response.writeHead(500).end();
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  stand.url = `http://127.0.0.1:${isAddress(address) ? address.port : 0}`;
  context.after(async () => {
    server.closeAllConnections();
    await once(server.close(), 'close');
    assert.deepEqual(stand.unexpected, []);
  });
  return stand;
}

function isAddress(address: AddressInfo | string | null): address is AddressInfo {
  return typeof address === 'object' && address !== null;
}

/** This repository, with what a release has built before. */
async function releaseFolder(context: TestContext): Promise<string> {
  const folder = await temporaryFolder(context);
  for (const name of await readdir('.')) {
    if (name !== 'build' && name !== '.git') await symlink(resolve(name), join(folder, name));
  }
  await mkdir(join(folder, 'build'));
  for (const name of [...MADE, 'machine-id.cdx.json', 'orb.yml'])
    await writeFile(join(folder, 'build', name), `${name}\n`);
  return folder;
}

async function upload(cwd: string, { url }: GitHub, environment: object = {}): Promise<Ran> {
  const { PATH = '', HOME = '' } = process.env;
  const all = { PATH, HOME, GITHUB_API_URL: url, GITHUB_TOKEN: 'a-token', CIRCLE_TAG: TAG, ...environment };
  return runStep(await commandOf('Upload the assets of the release, those that are not there yet'), all, { cwd });
}

function namesOf(stand: GitHub): readonly string[] {
  return (stand.releases[0]?.assets ?? []).map(({ name }) => name).sort();
}

test('a release is a draft until its last asset is uploaded', async (context) => {
  const stand = await gitHub(context);
  const folder = await releaseFolder(context);
  const ids = { CIRCLE_ORGANIZATION_ID: 'an-organization', CIRCLE_PROJECT_ID: 'a-project' };
  const { exitCode, output } = await upload(folder, stand, ids);
  assert.equal(exitCode, 0, output);
  assert.deepEqual(namesOf(stand), ALL);
  const [release] = stand.releases;
  assert.deepEqual([release?.tag, release?.draft], [TAG, false]);
  assert.equal(stand.requests.at(-1), `PATCH ${REPOSITORY}/releases/1`);
  const script = release?.assets.find(({ name }) => name === 'machine-id.cjs')?.bytes;
  assert.deepEqual(script, await readFile('dist/machine-id.cjs'));
  const compressed = release?.assets.find(({ name }) => name === 'machine-id.cjs.gz')?.bytes ?? Buffer.alloc(0);
  assert.deepEqual(gunzipSync(compressed), script);
  assert.ok(compressed.length < MOST_DOWNLOADED_BYTES, `${compressed.length} bytes`);
  assert.match(release?.notes ?? '', /^The first version\./);
  assert.match(
    release?.notes ?? '',
    /\nSigned in CircleCI's project `a-project` of the organization `an-organization`\.$/,
  );
});

for (const hasDigests of [true, false]) {
  test(`a rerun uploads nothing, after comparing ${hasDigests ? 'digests' : 'bytes'}`, async (context) => {
    const stand = await gitHub(context);
    stand.hasDigests = hasDigests;
    const folder = await releaseFolder(context);
    await upload(folder, stand);
    const before = stand.releases[0]?.assets;
    for (const name of MADE) await writeFile(join(folder, 'build', name), 'made again, with another time');
    const { exitCode, output } = await upload(folder, stand);
    assert.equal(exitCode, 0, output);
    assert.deepEqual(stand.releases[0]?.assets, before);
    assert.match(output, /orb\.sigstore\.json exists already, from an earlier run; kept/);
    assert.equal(stand.releases.length, 1);
  });
}

test('a rerun adds the assets that an earlier run did not upload, then publishes', async (context) => {
  const stand = await gitHub(context);
  stand.releases.push({
    tag: TAG,
    notes: '',
    draft: true,
    assets: [
      { id: 1, name: 'machine-id.cjs', bytes: await readFile('dist/machine-id.cjs'), state: 'uploaded' },
      { id: 2, name: 'orb.yml', bytes: Buffer.alloc(0), state: 'starter' },
    ],
  });
  const { exitCode, output } = await upload(await releaseFolder(context), stand);
  assert.equal(exitCode, 0, output);
  assert.deepEqual(namesOf(stand), ALL);
  assert.ok(stand.releases[0]?.assets.every(({ state }) => state === 'uploaded'));
  assert.equal(stand.releases[0]?.draft, false);
});

test('an asset with different contents is an error before anything is changed', async (context) => {
  const stand = await gitHub(context);
  const other = { id: 1, name: 'machine-id.cjs', bytes: Buffer.from('other'), state: 'uploaded' } as const;
  stand.releases.push({ tag: TAG, notes: '', draft: true, assets: [other] });
  const { exitCode, output } = await upload(await releaseFolder(context), stand);
  assert.equal(exitCode, 1);
  assert.match(output, /has different contents for machine-id\.cjs: assets never change/);
  assert.deepEqual(stand.releases[0], { tag: TAG, notes: '', draft: true, assets: [other] });
});

test('an interrupted upload is tried again, after its incomplete asset is deleted', async (context) => {
  const stand = await gitHub(context);
  stand.failingUploads = 1;
  const { exitCode, output } = await upload(await releaseFolder(context), stand);
  assert.equal(exitCode, 0, output);
  assert.match(output, /got status 502: .*; trying again in 2 s/);
  assert.deepEqual(namesOf(stand), ALL);
  assert.ok(stand.releases[0]?.assets.every(({ state }) => state === 'uploaded'));
});

test('a release of a missing tag is not created', async (context) => {
  const stand = await gitHub(context);
  stand.tags.pop();
  const { exitCode, output } = await upload(await releaseFolder(context), stand);
  assert.equal(exitCode, 1);
  assert.match(output, new RegExp(`git/ref/tags/${TAG} got status 404`));
  assert.deepEqual(stand.releases, []);
});

test('without a token or a tag, everything missing is reported and no request is sent', async (context) => {
  const stand = await gitHub(context);
  const { exitCode, output } = await upload(await releaseFolder(context), stand, {
    GITHUB_TOKEN: '',
    CIRCLE_TAG: 'main',
  });
  assert.equal(exitCode, 2);
  assert.match(output, /--tag must be vX\.Y\.Z, got "main"/);
  assert.match(output, /GITHUB_TOKEN is not set/);
  assert.deepEqual(stand.requests, []);
});
