import assert from 'node:assert/strict';
import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import test, { type TestContext } from 'node:test';
import { openWebApi } from '../../src/net/web.ts';
import { network } from '../direct-network.ts';
import { testRetries } from '../effects/retries.ts';
import { selfSigned } from '../tls-certificate.ts';

const { certificate, key } = await selfSigned('localhost');

async function serve(t: TestContext, listener: RequestListener): Promise<number> {
  const server = createServer({ cert: certificate, key }, listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return address.port;
}

function open(t: TestContext, port: number, { ca = certificate, timeoutMs = 5000 } = {}) {
  const retries = testRetries({ timeoutMs });
  const web = openWebApi({ network, address: { host: 'localhost', port }, trust: { ca, verify: true }, retries });
  t.after(() => {
    web.close();
  });
  return web;
}

test('a response has its status and body, and the connection is used again', async (t) => {
  const ports = new Set<number | undefined>();
  const port = await serve(t, (request, response) => {
    ports.add(request.socket.remotePort);
    response.statusCode = request.method === 'POST' ? 403 : 200;
    response.end(request.headers['content-type'] ?? 'none');
  });
  const web = open(t, port);
  const { body, sentMs, status } = await web.get('/webapi/ping');
  assert.deepEqual({ body, status }, { status: 200, body: 'none' });
  assert.ok(Math.abs(Date.now() - (sentMs ?? NaN)) < 60_000, 'the time of the answer is told');
  const posted = await web.postJson('/x', '{}');
  assert.deepEqual([posted.status, posted.body], [403, 'application/json']);
  assert.equal(ports.size, 1);
});

test('a redirect is returned and not followed', async (t) => {
  const port = await serve(t, (_request, response) => {
    response.writeHead(302, { location: 'https://elsewhere.example.com/' }).end();
  });
  assert.equal((await open(t, port).get('/')).status, 302);
});

test('a certificate of an unknown authority is not trusted', async (t) => {
  const port = await serve(t, (_request, response) => response.end());
  const other = await selfSigned('localhost');
  await assert.rejects(open(t, port, { ca: other.certificate }).get('/'), { code: 'PROXY_UNTRUSTED' });
});

test('a response above a megabyte is rejected', async (t) => {
  const port = await serve(t, (_request, response) => response.end(Buffer.alloc(1024 * 1024 + 1)));
  await assert.rejects(open(t, port).get('/'), { code: 'RESPONSE_TOO_LARGE' });
});

test('a truncated response is rejected', async (t) => {
  const port = await serve(t, (_request, response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('half');
    setTimeout(() => response.destroy(), 20);
  });
  await assert.rejects(open(t, port).get('/'), { code: 'RESPONSE_INVALID' });
});

test('a server that never responds is given up', async (t) => {
  const port = await serve(t, () => undefined);
  await assert.rejects(open(t, port, { timeoutMs: 200 }).get('/'), { code: 'TIMEOUT' });
});

test('a server that never finishes its response is given up', async (t) => {
  const port = await serve(t, (_request, response) => {
    response.write('begin');
  });
  await assert.rejects(open(t, port, { timeoutMs: 200 }).get('/'), { code: 'TIMEOUT' });
});

test('a closed port and an unknown name are unreachable', async (t) => {
  await assert.rejects(open(t, 1).get('/'), { code: 'PROXY_UNREACHABLE' });
  const web = openWebApi({
    network,
    address: { host: 'name.invalid', port: 443 },
    trust: { ca: undefined, verify: true },
    retries: testRetries(),
  });
  await assert.rejects(web.get('/'), { code: 'PROXY_UNREACHABLE', message: /cannot resolve the host name/ });
});
