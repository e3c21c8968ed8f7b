import assert from 'node:assert/strict';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import test, { type TestContext } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { forcedAnswer, openUpgrades, UPGRADE_VARIABLE } from '../../src/teleport/connection-upgrade.ts';
import { network } from '../direct-network.ts';
import { startUnofferedChoice } from '../e2e/tls-terminator.ts';
import { selfSigned } from '../tls-certificate.ts';

const own = await selfSigned('localhost');
const { signal } = new AbortController();
const ADDRESS = { host: 'proxy.example.com', port: 443 };

async function listening(t: TestContext, server: Server) {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => open.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return { host: 'localhost', port: address.port };
}

function upgrades(environment: Record<string, string> = {}, ca = own.certificate) {
  const messages: string[] = [];
  const trust = () => Promise.resolve({ ca, verify: true });
  const onNeeded = (message: string) => messages.push(message);
  return { messages, ...openUpgrades({ network, trust, environment, onNeeded }) };
}

function tlsServer(options: { readonly ALPNProtocols?: string[] }) {
  const server = createTlsServer({ cert: own.certificate, key: own.key, ...options });
  server.on('tlsClientError', () => undefined);
  server.on('secureConnection', (socket) => socket.on('error', () => undefined));
  return server;
}

// Protocol reference 1.4: exactly three outcomes mean that the upgrade is needed.

test('a server that chooses no ALPN protocol needs the upgrade, and is tested once', async (t) => {
  const server = tlsServer({});
  let connections = 0;
  server.on('connection', () => (connections += 1));
  const address = await listening(t, server);
  const { known, messages, needed } = upgrades();
  assert.equal(known(address), undefined);
  assert.deepEqual(await Promise.all([needed(address, signal), needed(address, signal)]), [true, true]);
  assert.equal(await needed(address, signal), true);
  assert.equal(known(address), true);
  assert.equal(connections, 1);
  assert.deepEqual(messages, [
    `a load balancer at localhost:${address.port} terminates TLS: connections are upgraded to pass it`,
  ]);
});

test('an address whose other connection has shown it is not tested, unless the user decides', async () => {
  const { conclude, finding, messages, needed } = upgrades();
  conclude(ADDRESS, 'the server chooses no ALPN protocol');
  conclude(ADDRESS, 'the same again');
  assert.equal(await needed(ADDRESS, signal), true);
  assert.deepEqual(finding(ADDRESS), { isNeeded: true, by: 'test', seen: 'the server chooses no ALPN protocol' });
  assert.equal(messages.length, 1);

  const forced = upgrades({ [UPGRADE_VARIABLE]: 'false' });
  forced.conclude(ADDRESS, 'the server chooses no ALPN protocol');
  assert.equal(await forced.needed(ADDRESS, signal), false);
  assert.deepEqual(forced.messages, []);
});

test('a server that answers with the alert no_application_protocol needs the upgrade', async (t) => {
  const address = await listening(t, tlsServer({ ALPNProtocols: ['h2', 'http/1.1'] }));
  assert.equal(await upgrades().needed(address, signal), true);
});

test('a server that chooses a protocol that was not offered needs the upgrade', async (t) => {
  const { address, certificate } = await startUnofferedChoice(t, { behind: 'localhost:1' });
  const port = Number(address.split(':')[1]);
  assert.equal(await upgrades({}, certificate).needed({ host: 'localhost', port }, signal), true);
});

test('a server that chooses the protocol does not need it', async (t) => {
  const address = await listening(t, tlsServer({ ALPNProtocols: ['teleport-reversetunnel'] }));
  const { messages, needed } = upgrades();
  assert.equal(await needed(address, signal), false);
  assert.deepEqual(messages, []);
});

const OTHER_FAILURES: readonly (readonly [string, (socket: Socket) => void])[] = [
  ['closes the connection', (socket) => socket.end()],
  ['resets the connection', (socket) => socket.resetAndDestroy()],
  ['does not speak TLS', (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ['sends another alert', (socket) => socket.end(Buffer.from([21, 3, 3, 0, 2, 2, 40]))],
];
for (const [what, treat] of OTHER_FAILURES) {
  test(`a server that ${what} does not need it`, async (t) => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => {
        treat(socket);
      });
    });
    assert.equal(await upgrades().needed(await listening(t, server), signal), false);
  });
}

test('a certificate that is not trusted, and a closed port, do not need it', async (t) => {
  const stranger = await selfSigned('localhost');
  const address = await listening(t, tlsServer({}));
  assert.equal(await upgrades({}, stranger.certificate).needed(address, signal), false);
  const server = createTcpServer();
  const closed = await listening(t, server);
  await new Promise((resolve) => server.close(resolve));
  assert.equal(await upgrades().needed(closed, signal), false);
});

test('a test that is given up ends with the reason of its signal', async (t) => {
  const address = await listening(t, createTcpServer());
  const controller = new AbortController();
  const result = upgrades().needed(address, controller.signal);
  controller.abort(new Error('time is up'));
  await assert.rejects(result, /time is up/);
});

const FORCED: readonly (readonly [string, boolean])[] = [
  ['true', true],
  ['yes', true],
  ['1', true],
  ['false', false],
  ['no', false],
  ['maybe', false],
  ['proxy.example.com:443=true', true],
  ['https://proxy.example.com:443=yes', true],
  ['example.com:443=yes', false],
  ['other.example.com:443=true', false],
  ['other.example.com:443=true,true', true],
  ['true;proxy.example.com:443=false', false],
  ['proxy.example.com:443=maybe,true', true],
  ['true,false', false],
  [' true ', true],
];
for (const [value, expected] of FORCED) {
  test(`${UPGRADE_VARIABLE}=${JSON.stringify(value)} means ${expected ? 'an upgrade' : 'none'}, without a test`, async () => {
    assert.equal(forcedAnswer(value, ADDRESS), expected);
    const { known, needed } = upgrades({ [UPGRADE_VARIABLE]: value });
    assert.equal(known(ADDRESS), expected);
    assert.equal(await needed(ADDRESS, signal), expected);
  });
}

const REFUSALS: readonly (readonly [string, RegExp, boolean])[] = [
  ['404 Not Found', /does not send \/webapi\/connectionupgrade to the Proxy/, false],
  ['400 Bad Request', /removes the header Upgrade/, false],
  ['403 Forbidden', /wants a login or blocks WebSocket/, false],
  ['503 Service Unavailable', /does not reach the Proxy/, true],
];
for (const [status, cause, isTransient] of REFUSALS) {
  test(`an upgrade that is refused with ${status} fails with a likely cause`, async (t) => {
    const server = tlsServer({});
    server.on('secureConnection', (socket) => {
      socket.once('data', () => socket.end(`HTTP/1.1 ${status}\r\n\r\n`));
    });
    const address = await listening(t, server);
    await assert.rejects(upgrades().open(address, { signal }), (error) => {
      assert.ok(error instanceof Error && 'code' in error && 'likelyCauses' in error && 'transient' in error);
      assert.equal(error.code, 'UPGRADE_REFUSED');
      assert.match(String(error.likelyCauses), cause);
      assert.equal(error.transient !== undefined, isTransient);
      return true;
    });
  });
}

test('an upgrade without a trusted web certificate fails as every connection to the Proxy does', async (t) => {
  const stranger = await selfSigned('localhost');
  const address = await listening(t, tlsServer({}));
  await assert.rejects(upgrades({}, stranger.certificate).open(address, { signal }), { code: 'PROXY_UNTRUSTED' });
});
