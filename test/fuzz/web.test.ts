/** Bytes that are barely HTTP/1.1, and bodies that are larger than they appear. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { openDownloadServer } from '../../src/commands/install-tools/download-server.ts';
import { MachineIdError } from '../../src/errors.ts';
import { openWebApi } from '../../src/net/web.ts';
import { discover } from '../../src/teleport/ping.ts';
import { network } from '../direct-network.ts';
import { fakeClock } from '../effects/fake-clock.ts';
import { testRetries } from '../effects/retries.ts';
import { bytesLike } from './mutations.ts';
import { rawPeer } from './peers.ts';
import { fuzz, settles } from './property.ts';

const peer = await rawPeer('localhost', ['http/1.1']);
const address = { host: 'localhost', port: peer.port };

function http(status: string, headers: Readonly<Record<string, string>>, body: Buffer | string): Buffer {
  const lines = Object.entries({ 'Content-Length': String(Buffer.byteLength(body)), ...headers });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return Buffer.concat([Buffer.from(`HTTP/1.1 ${status}\r\n${head}\r\n`), Buffer.from(body)]);
}

const ping = JSON.stringify({ cluster_name: 'root.example.com', server_version: '18.2.4' });
const json = { 'Content-Type': 'application/json' };
const chunked = `${ping.length.toString(16)}\r\n${ping}\r\n0\r\nTrailer: x\r\n\r\n`;
const pings = [
  http('200 OK', json, ping),
  http('200 OK', { ...json, 'Content-Encoding': 'gzip' }, gzipSync(ping)),
  http('200 OK', { ...json, 'Content-Encoding': 'deflate' }, deflateSync(ping)),
  http('200 OK', { ...json, 'Content-Encoding': 'br' }, brotliCompressSync(ping)),
  Buffer.from(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunked}`),
  Buffer.concat([Buffer.from('HTTP/1.1 100 Continue\r\n\r\n'), http('200 OK', json, ping)]),
  http('302 Found', { Location: 'https://elsewhere.example.com/' }, ''),
  http('503 Service Unavailable', json, JSON.stringify({ error: { message: 'no' } })),
];

function openWeb() {
  return openWebApi({
    network,
    address,
    trust: { ca: peer.ca, verify: true },
    retries: testRetries({ timeoutMs: 1000 }),
  });
}

fuzz(
  'a changed answer over HTTP is read or refused',
  bytesLike(...pings),
  async (bytes) => {
    peer.answer = bytes;
    const web = openWeb();
    try {
      assert.equal(
        (await discover(web, testRetries({ deadlineMs: 5000, clock: fakeClock() }))).serverVersion.major > 0,
        true,
      );
    } finally {
      web.close();
    }
  },
  { runs: 150 },
);

const HUGE = Buffer.alloc(64 * 1024 * 1024);
const BOMBS = { gzip: gzipSync(HUGE), deflate: deflateSync(HUGE), br: brotliCompressSync(HUGE) };

for (const [encoding, body] of Object.entries(BOMBS)) {
  test(`64 MiB that come as ${String(body.length)} bytes of ${encoding} are refused before they are unpacked`, async () => {
    peer.answer = http('200 OK', { 'Content-Encoding': encoding }, body);
    const web = openWeb();
    const before = process.memoryUsage.rss();
    await assert.rejects(web.get('/'), { code: 'RESPONSE_TOO_LARGE' });
    assert.ok(process.memoryUsage.rss() - before < HUGE.length / 2);
    web.close();
  });
}

test('headers without an end are refused', async () => {
  const headers = Array.from({ length: 200_000 }, (_, at) => `X-${String(at)}: y\r\n`).join('');
  peer.answer = Buffer.from(`HTTP/1.1 200 OK\r\n${headers}`);
  const web = openWeb();
  await settles(() => web.get('/'));
  await assert.rejects(web.get('/'), MachineIdError);
  web.close();
});

const archive = Buffer.alloc(3000, 'x');
const downloads = [
  http('200 OK', { ETag: '"a"' }, archive),
  http('206 Partial Content', { 'Content-Range': 'bytes 0-2999/3000' }, archive),
  http('302 Found', { Location: `https://localhost:${String(peer.port)}/other` }, ''),
  http('301 Moved Permanently', { Location: '//user:pass%zz@[::1]:x/' }, ''),
];

fuzz(
  'a changed answer of the server of releases is handed on or refused',
  bytesLike(...downloads),
  async (bytes) => {
    peer.answer = bytes;
    const server = openDownloadServer({ network, trust: { ca: peer.ca, elsewhere: () => [peer.ca], verify: true } });
    try {
      const reply = await server.get(new URL(`https://localhost:${String(peer.port)}/a`), { stallMs: 300 });
      let received = 0;
      for await (const part of reply.body) received += part.length;
      assert.ok(received <= bytes.length && reply.status > 0 && reply.header('constructor') === undefined);
    } finally {
      server.close();
    }
  },
  { runs: 80 },
);
