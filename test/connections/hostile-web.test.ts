/** HTTPS servers that never come to the end of a response: each request ends in time and with little memory. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type TLSSocket } from 'node:tls';
import test, { after } from 'node:test';
import { gzipSync } from 'node:zlib';
import { MachineIdError } from '../../src/errors.ts';
import { openWebApi } from '../../src/net/web.ts';
import { network } from '../direct-network.ts';
import { testRetries } from '../effects/retries.ts';
import { selfSigned } from '../tls-certificate.ts';

const TIMEOUT_MS = 600;
/** A flood uses processor time, and timers are late on a busy machine. */
const MOST_MS = 20_000;
const MOST_BYTES = 96 * 1024 * 1024;

const OK = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;
const EMPTY_MEMBER = gzipSync('');

/** What precedes the flood, and what is repeated until the client hangs up. */
const FLOODS: Readonly<Record<string, readonly [first: string, then: string | Buffer]>> = {
  'informational responses': ['', 'HTTP/1.1 103 Early Hints\r\n\r\n'],
  'requests to continue': ['', 'HTTP/1.1 100 Continue\r\n\r\n'],
  'empty lines': ['', '\r\n'],
  'a status without an end': ['HTTP/1.1 200 ', 'OK '],
  'headers without an end': [OK, 'X-A: b\r\n'],
  'one header without an end': [`${OK}X-A: `, 'b'.repeat(1000)],
  'a body without a length': [`${OK}\r\n`, 'x'.repeat(1000)],
  'a body of ten gigabytes': [`${OK}Content-Length: 10000000000\r\n\r\n`, 'x'.repeat(1000)],
  'chunks without an end': [CHUNKED, `3e8\r\n${'x'.repeat(1000)}\r\n`],
  'chunks of one byte': [CHUNKED, '1\r\nx\r\n'],
  'a chunk size without an end': [CHUNKED, '0'],
  'a chunk extension without an end': [`${CHUNKED}1;`, 'a=b;'],
  'trailers without an end': [`${CHUNKED}1\r\nx\r\n0\r\n`, 'X-A: b\r\n'],
  'packed bytes that are empty': [`${OK}Content-Encoding: gzip\r\n\r\n`, EMPTY_MEMBER],
  'bytes behind the response': [`${OK}Content-Length: 2\r\n\r\n{}`, 'x'.repeat(1000)],
  'responses behind the response': [`${OK}Content-Length: 2\r\n\r\n{}`, `${OK}Content-Length: 2\r\n\r\n{}`],
};

/** Only this may be the end of a request. */
const CODES = ['PROXY_UNREACHABLE', 'RESPONSE_INVALID', 'RESPONSE_TOO_LARGE', 'TIMEOUT'];
const BLOCK_BYTES = 64 * 1024;

let flood: readonly [first: string, then: string | Buffer] = ['', ''];
const { certificate, key } = await selfSigned('localhost');
const server = createServer({ cert: certificate, key }, (socket) => {
  socket.on('error', () => undefined);
  socket.once('data', () => {
    pour(socket);
  });
});
server.on('tlsClientError', () => undefined);
server.listen(0, '127.0.0.1');
await once(server, 'listening');
after(() => server.close());

function pour(socket: TLSSocket): void {
  const [first, then] = flood;
  const part = Buffer.from(then);
  const block = Buffer.concat(Array.from({ length: Math.ceil(BLOCK_BYTES / part.length) }, () => part));
  const more = () => {
    if (!socket.destroyed && socket.write(block)) setImmediate(more);
  };
  socket.on('drain', more);
  socket.write(first);
  more();
}

function portOf(): number {
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the server has no port');
  return address.port;
}

for (const [kind, bytes] of Object.entries(FLOODS)) {
  test(`a request that is flooded with ${kind} ends in time and in little memory`, async () => {
    flood = bytes;
    const web = openWebApi({
      network,
      address: { host: 'localhost', port: portOf() },
      trust: { ca: certificate, verify: true },
      retries: testRetries({ timeoutMs: TIMEOUT_MS }),
    });
    const [startMs, before] = [performance.now(), process.memoryUsage.rss()];
    let peak = before;
    const watching = setInterval(() => {
      peak = Math.max(peak, process.memoryUsage.rss());
    }, 20);
    try {
      const { body } = await web.get('/webapi/ping');
      // What follows a complete response is not part of it.
      assert.equal(body, '{}');
    } catch (error) {
      assert.ok(error instanceof MachineIdError && CODES.includes(error.code), String(error));
    } finally {
      clearInterval(watching);
      web.close();
    }
    assert.ok(performance.now() - startMs < MOST_MS);
    assert.ok(peak - before < MOST_BYTES, `${String(peak - before)} bytes more`);
  });
}
