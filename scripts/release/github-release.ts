/**
 * Creates a GitHub release with its assets through the REST API. Can be run again at any time: existing assets are compared
 * and kept, missing ones are added. Assets never change, because published orbs download them.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';

export interface Asset {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Whether every build creates the same bytes; false for files with a signature or a time. */
  readonly isReproducible: boolean;
}

export interface ReleaseRequest {
  /** For example `https://api.github.com`. */
  readonly api: string;
  readonly token: string;
  /** `owner/name`. */
  readonly repository: string;
  readonly tag: string;
  readonly notes: string;
  readonly assets: readonly Asset[];
  readonly say: (line: string) => void;
}

const AssetReply = z.object({
  id: z.number(),
  name: z.string(),
  url: z.string(),
  state: z.string(),
  digest: z.string().nullish(),
});
const ReleaseReply = z.object({
  id: z.number(),
  tag_name: z.string(),
  draft: z.boolean(),
  upload_url: z.string(),
  html_url: z.string(),
  assets: z.array(AssetReply),
});

type Release = z.infer<typeof ReleaseReply>;

/** A request to GitHub failed; trying again may help if `isPassing`. */
export class GitHubError extends Error {
  override readonly name = 'GitHubError';
  readonly isPassing: boolean;

  constructor(message: string, isPassing: boolean, options?: ErrorOptions) {
    super(message, options);
    this.isPassing = isPassing;
  }
}

const REQUEST_TIMEOUT_MS = 120_000;

/** Keeps the release a draft, which is not public, until all of its assets are uploaded. @throws GitHubError */
export async function publishRelease(request: ReleaseRequest): Promise<void> {
  const release = (await existingRelease(request)) ?? (await newDraft(request));
  const missing = await missingAssets(release, request);
  for (const asset of missing) {
    await upload(release, asset, request);
    request.say(`uploaded ${asset.name}, ${asset.bytes.length} bytes`);
  }
  if (release.draft) {
    const path = `/repos/${request.repository}/releases/${release.id}`;
    await call(request, 'PATCH', `${request.api}${path}`, { json: { draft: false } });
  }
  request.say(`${request.tag} is published: ${release.html_url}`);
}

/** Searches the list of releases: only it contains drafts, for users with write access. */
async function existingRelease(request: ReleaseRequest): Promise<Release | undefined> {
  const reply = await call(request, 'GET', `${request.api}/repos/${request.repository}/releases?per_page=100`);
  const releases = z.array(ReleaseReply).parse(await reply.json());
  return releases.find((release) => release.tag_name === request.tag);
}

/** Checks that the tag exists: otherwise, creating the release would create the tag on the default branch. */
async function newDraft(request: ReleaseRequest): Promise<Release> {
  const { api, repository, tag, notes } = request;
  await call(request, 'GET', `${api}/repos/${repository}/git/ref/tags/${tag}`);
  const json = { tag_name: tag, name: tag, body: notes, draft: true };
  const reply = await call(request, 'POST', `${api}/repos/${repository}/releases`, { json });
  return ReleaseReply.parse(await reply.json());
}

/** Compares all existing assets before anything is uploaded. */
async function missingAssets(release: Release, request: ReleaseRequest): Promise<readonly Asset[]> {
  const missing: Asset[] = [];
  const differing: string[] = [];
  for (const asset of request.assets) {
    const there = release.assets.find(({ name }) => name === asset.name);
    if (there?.state === 'uploaded') {
      const isSame = !asset.isReproducible || (await digestOf(there, request)) === digest(asset.bytes);
      if (!isSame) differing.push(asset.name);
      request.say(`${asset.name} exists already${asset.isReproducible ? '' : ', from an earlier run; kept'}`);
      continue;
    }
    // An interrupted upload leaves an incomplete asset, whose name is taken.
    if (there !== undefined) await call(request, 'DELETE', there.url);
    missing.push(asset);
  }
  if (differing.length > 0) {
    const names = differing.join(', ');
    throw new GitHubError(
      `the release ${request.tag} has different contents for ${names}: assets never change, so release a new version`,
      false,
    );
  }
  return missing;
}

async function digestOf(there: z.infer<typeof AssetReply>, request: ReleaseRequest): Promise<string> {
  if (there.digest?.startsWith('sha256:') === true) return there.digest.slice('sha256:'.length);
  const reply = await call(request, 'GET', there.url, { accept: 'application/octet-stream' });
  return digest(new Uint8Array(await reply.arrayBuffer()));
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function upload(release: Release, asset: Asset, request: ReleaseRequest): Promise<void> {
  // The URL is a template: …/assets{?name,label}
  const url = `${release.upload_url.replace(/\{.*$/, '')}?name=${encodeURIComponent(asset.name)}`;
  await call(request, 'POST', url, { bytes: asset.bytes });
}

interface CallOptions {
  readonly json?: object;
  readonly bytes?: Uint8Array;
  readonly accept?: string;
}

async function call(
  { token }: ReleaseRequest,
  method: string,
  url: string,
  { json, bytes, accept = 'application/vnd.github+json' }: CallOptions = {},
): Promise<Response> {
  const type = bytes === undefined ? 'application/json' : 'application/octet-stream';
  const body = bytes === undefined ? json && JSON.stringify(json) : Buffer.from(bytes);
  const headers = {
    authorization: `Bearer ${token}`,
    accept,
    'content-type': type,
    'x-github-api-version': '2022-11-28',
  };
  const request = { method, headers, signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) };
  const what = `${method} ${url}`;
  const reply = await fetch(url, body === undefined ? request : { ...request, body }).catch((cause: unknown) => {
    throw new GitHubError(`${what} got no response: ${String(cause)}`, true, { cause });
  });
  if (reply.ok) return reply;
  throw new GitHubError(`${what} got status ${reply.status}: ${await reply.text()}`, reply.status >= 500);
}
