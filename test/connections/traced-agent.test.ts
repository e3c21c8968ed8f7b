import assert from 'node:assert/strict';
import { once } from 'node:events';
import test, { type TestContext } from 'node:test';
import { createServer } from 'node:tls';
import { openDownloadServer } from '../../src/commands/install-tools/download-server.ts';
import { openWebApi } from '../../src/net/web.ts';
import { network } from '../direct-network.ts';
import { testRetries } from '../effects/retries.ts';
import { selfSigned } from '../tls-certificate.ts';
import { keptTrace } from './told-events.ts';

const { certificate, key } = await selfSigned('localhost');
const trust = { ca: certificate, elsewhere: () => [certificate], verify: true };

/** Responds to every request with these bytes, and counts the bytes of each request. */
async function serve(t: TestContext, answers: readonly string[]) {
  const requests: number[] = [];
  const server = createServer({ cert: certificate, key }, (socket) => {
    let received = '';
    socket.setEncoding('latin1').on('error', () => undefined);
    socket.on('data', (chunk: string) => {
      received += chunk;
      const [head = '', body] = received.split('\r\n\r\n');
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
      if (body === undefined || body.length < length) return;
      requests.push(received.length);
      received = '';
      socket.write(answers[requests.length - 1] ?? '');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return { port: address.port, requests };
}

function answer(status: string, body: string, ...headers: readonly string[]): string {
  return [`HTTP/1.1 ${status}`, `Content-Length: ${String(body.length)}`, ...headers, '', body].join('\r\n');
}

test('requests on one connection are traced with their own sizes, and never with their content', async (t) => {
  const answers = [answer('200 OK', 'secret answer'), answer('403 Forbidden', 'x'.repeat(5000))];
  const { port, requests } = await serve(t, answers);
  const { closed, text, told, trace } = keptTrace();
  const web = openWebApi({ network, address: { host: 'localhost', port }, trust, retries: testRetries(), trace });
  await web.get('/webapi/ping?question=secret');
  await web.postJson('/v1/webapi/host/credentials', JSON.stringify({ id_token: 'secret'.repeat(100) }));
  web.close();
  await closed;
  const common = { connection: 1, to: 'web API' };
  const sizes = requests.map((sentBytes, at) => ({ sentBytes, receivedBytes: answers[at]?.length ?? 0 }));
  const sum = (name: 'sentBytes' | 'receivedBytes') => sizes.reduce((total, size) => total + size[name], 0);
  assert.deepEqual(
    told().filter(({ event }) => event === 'https' || event === 'closed'),
    [
      { ...common, event: 'https', method: 'GET', path: '/webapi/ping', status: 200, ...sizes[0] },
      { ...common, event: 'https', method: 'POST', path: '/v1/webapi/host/credentials', status: 403, ...sizes[1] },
      { ...common, event: 'closed', sentBytes: sum('sentBytes'), receivedBytes: sum('receivedBytes') },
    ],
  );
  assert.ok((requests[1] ?? 0) > 600, 'the body is part of the size');
  assert.doesNotMatch(text(), /secret/);
});

test('a request without a response is traced as one', async (t) => {
  const { port, requests } = await serve(t, []);
  const { told, trace } = keptTrace();
  const web = openWebApi({
    network,
    address: { host: 'localhost', port },
    trust,
    retries: testRetries({ timeoutMs: 2000 }),
    trace,
  });
  await assert.rejects(web.get('/webapi/ping'), { code: 'TIMEOUT' });
  web.close();
  const https = told().find(({ event }) => event === 'https');
  assert.deepEqual(https, {
    connection: 1,
    to: 'web API',
    event: 'https',
    method: 'GET',
    path: '/webapi/ping',
    sentBytes: requests[0],
    receivedBytes: 0,
  });
});

test('each step of a redirected download is traced, without user and password', async (t) => {
  const answers = [answer('302 Found', '', 'Location: /there?signature=secret'), answer('200 OK', 'x'.repeat(100_000))];
  const { port, requests } = await serve(t, answers);
  const { text, told, trace } = keptTrace();
  const server = openDownloadServer({ network, trust, trace });
  const { body } = await server.get(new URL(`https://user:secret@localhost:${String(port)}/here`), { stallMs: 5000 });
  let bytes = 0;
  for await (const part of body) bytes += part.length;
  server.close();
  assert.equal(bytes, 100_000);
  assert.deepEqual(
    told().flatMap(({ event, path, receivedBytes, sentBytes, status }) =>
      event === 'https' ? [[path, status, sentBytes, receivedBytes]] : [],
    ),
    [
      ['/here', 302, requests[0], answers[0]?.length],
      ['/there', 200, requests[1], answers[1]?.length],
    ],
  );
  assert.doesNotMatch(text(), /secret|user/);
});
