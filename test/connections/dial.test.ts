import assert from 'node:assert/strict';
import { createServer as createTcpServer, type Server } from 'node:net';
import test, { type TestContext } from 'node:test';
import { createServer, type TlsOptions } from 'node:tls';
import { dialTls } from '../../src/net/dial.ts';
import { network } from '../direct-network.ts';
import { selfSigned } from '../tls-certificate.ts';

const own = await selfSigned('teleport.cluster.local');

async function listen(t: TestContext, server: Server): Promise<{ host: string; port: number }> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return { host: '127.0.0.1', port: address.port };
}

function serve(t: TestContext, options: TlsOptions = {}, onServerName: (name: string) => void = () => undefined) {
  const server = createServer({ cert: own.certificate, key: own.key, ALPNProtocols: ['h2'], ...options }, (socket) => {
    onServerName(String(socket.servername));
    socket.on('error', () => undefined);
    socket.end();
  });
  return listen(t, server);
}

const DIAL = { alpn: ['teleport-auth@x', 'h2'], serverName: 'teleport.cluster.local', ca: own.certificate };

test('a connection is open after its handshake, with the requested SNI and ALPN', async (t) => {
  let onServerName: (name: string) => void = () => undefined;
  const serverName = new Promise<string>((resolve) => {
    onServerName = resolve;
  });
  const address = await serve(t, {}, (name) => {
    onServerName(name);
  });
  const socket = await dialTls({ network, ...DIAL, address, signal: new AbortController().signal });
  assert.equal(socket.alpnProtocol, 'h2');
  assert.equal(socket.authorized, true);
  assert.equal(await serverName, 'teleport.cluster.local');
  socket.destroy();
});

test('a certificate for another name is refused', async (t) => {
  const address = await serve(t);
  const dial = dialTls({
    network,
    ...DIAL,
    serverName: 'other.example.com',
    address,
    signal: new AbortController().signal,
  });
  await assert.rejects(dial, { code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
});

test('a server that speaks none of the protocols is refused', async (t) => {
  const address = await serve(t);
  const dial = dialTls({
    network,
    ...DIAL,
    alpn: ['teleport-proxy-grpc'],
    address,
    signal: new AbortController().signal,
  });
  await assert.rejects(dial, /no application protocol/);
});

test('a connection that is closed during the handshake is refused', async (t) => {
  const address = await listen(
    t,
    createTcpServer((socket) => socket.destroy()),
  );
  await assert.rejects(dialTls({ network, ...DIAL, address, signal: new AbortController().signal }));
});

test('a dial to a silent server ends with the reason of its signal', async (t) => {
  const address = await listen(
    t,
    createTcpServer(() => undefined),
  );
  const controller = new AbortController();
  const dial = dialTls({ network, ...DIAL, address, signal: controller.signal });
  const reason = new Error('time is up');
  setTimeout(() => {
    controller.abort(reason);
  }, 30);
  await assert.rejects(dial, reason);
});
