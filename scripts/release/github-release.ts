/**
 * Puts a release with its assets on GitHub, by its REST API. It may be run again at any time: what is there already is
 * compared and left, what is missing is added. Assets never change, since orbs that are published download them.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';

export interface Asset {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Whether every build makes the same bytes; what holds a signature or a time does not. */
  readonly isReproducible: boolean;
}

export interface ReleaseRequest {
  /** Such as `https://api.github.com`. */
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

/** GitHub did not do what it was asked to; another try may help when `isPassing`. */
export class GitHubError extends Error {
  override readonly name = 'GitHubError';
  readonly isPassing: boolean;

  constructor(message: string, isPassing: boolean, options?: ErrorOptions) {
    super(message, options);
    this.isPassing = isPassing;
  }
}

const REQUEST_TIMEOUT_MS = 120_000;

/** The release is a draft, which nobody sees, until all of its assets are there. @throws GitHubError */
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

/** Drafts are only in the list, to those who may write. */
async function existingRelease(request: ReleaseRequest): Promise<Release | undefined> {
  const reply = await call(request, 'GET', `${request.api}/repos/${request.repository}/releases?per_page=100`);
  const releases = z.array(ReleaseReply).parse(await reply.json());
  return releases.find((release) => release.tag_name === request.tag);
}

/** A release of a tag that does not exist would make the tag, on whatever the default branch has. */
async function newDraft(request: ReleaseRequest): Promise<Release> {
  const { api, repository, tag, notes } = request;
  await call(request, 'GET', `${api}/repos/${repository}/git/ref/tags/${tag}`);
  const json = { tag_name: tag, name: tag, body: notes, draft: true };
  const reply = await call(request, 'POST', `${api}/repos/${repository}/releases`, { json });
  return ReleaseReply.parse(await reply.json());
}

/** Everything is compared before anything is uploaded. */
async function missingAssets(release: Release, request: ReleaseRequest): Promise<readonly Asset[]> {
  const missing: Asset[] = [];
  const differing: string[] = [];
  for (const asset of request.assets) {
    const there = release.assets.find(({ name }) => name === asset.name);
    if (there?.state === 'uploaded') {
      const isSame = !asset.isReproducible || (await digestOf(there, request)) === digest(asset.bytes);
      if (!isSame) differing.push(asset.name);
      request.say(`${asset.name} is there already${asset.isReproducible ? '' : ', from an earlier run; kept'}`);
      continue;
    }
    // An upload that broke leaves an asset without its bytes, whose name is taken.
    if (there !== undefined) await call(request, 'DELETE', there.url);
    missing.push(asset);
  }
  if (differing.length > 0) {
    const names = differing.join(', ');
    throw new GitHubError(
      `the release ${request.tag} has other bytes as ${names}: assets never change, so release a new version`,
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
  // The address is a template: …/assets{?name,label}
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
    throw new GitHubError(`${what} had no answer: ${String(cause)}`, true, { cause });
  });
  if (reply.ok) return reply;
  throw new GitHubError(`${what} was answered ${reply.status}: ${await reply.text()}`, reply.status >= 500);
}
