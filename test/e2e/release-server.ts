/** An HTTPS server that offers archives as Teleport's CDN does: with digests, ranges and ETags. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { type AssetServer, startAssetServer } from '../orb/asset-server.ts';

export interface ReleaseServer extends AssetServer {
  /** Adds a file and its digest, or another digest if given. */
  offer(name: string, contents: Uint8Array, digest?: string): void;
  /** Closes each of the next connections after this many bytes of the file. */
  readonly cutsAt: number[];
  ranges: boolean;
}

/** Runs as long as the tests of the file. */
export async function startReleaseServer(host?: string): Promise<ReleaseServer> {
  const folder = await mkdtemp(join(tmpdir(), 'releases-'));
  const assets = await startAssetServer(folder, host);
  after(async () => {
    await assets.close();
    await rm(folder, { recursive: true, force: true });
  });
  const files = new Map<string, Buffer>();
  const server: ReleaseServer = Object.assign(assets, {
    offer: (name: string, contents: Uint8Array, digest = sha256(contents)) => {
      files.set(`/${name}`, Buffer.from(contents));
      files.set(`/${name}.sha256`, Buffer.from(`${digest}  ${name}\n`));
    },
    cutsAt: [],
    ranges: true,
  });
  assets.answer = (request, response) => {
    const file = files.get(request.url ?? '');
    if (file === undefined) response.writeHead(404).end('<Error><Code>NoSuchKey</Code></Error>');
    else send(file, request, response, server);
  };
  return server;
}

export function sha256(contents: Uint8Array): string {
  return createHash('sha256').update(contents).digest('hex');
}

function send(file: Buffer, request: IncomingMessage, response: ServerResponse, server: ReleaseServer): void {
  const tag = `"${sha256(file).slice(0, 32)}"`;
  const [, first] = /^bytes=(\d+)-$/.exec(request.headers.range ?? '') ?? [];
  const fits = request.headers['if-range'] === undefined || request.headers['if-range'] === tag;
  const from = server.ranges && fits && first !== undefined ? Number(first) : undefined;
  const body = file.subarray(from ?? 0);
  response.writeHead(from === undefined ? 200 : 206, {
    'content-length': body.length,
    etag: tag,
    ...(from === undefined ? {} : { 'content-range': `bytes ${from}-${file.length - 1}/${file.length}` }),
  });
  const cutAt = request.url?.endsWith('.sha256') === true ? undefined : server.cutsAt.shift();
  if (cutAt === undefined) response.end(body);
  else response.write(body.subarray(0, cutAt - (from ?? 0)), () => response.destroy());
}
