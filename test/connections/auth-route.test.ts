import assert from 'node:assert/strict';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import test, { type TestContext } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { Secret } from '../../src/effects/secret.ts';
import { type AuthRoute, dialAuthRoute } from '../../src/teleport/auth-route.ts';
import { peekClientHello } from '../cluster/proxy/client-hello.ts';
import { network, noUpgrades } from '../direct-network.ts';
import { selfSigned } from '../tls-certificate.ts';

const auth = await selfSigned('teleport.cluster.local');
const stranger = await selfSigned('teleport.cluster.local');
const client = await selfSigned('bot-ci');
const HEX = '6578616d706c652e636f6d.teleport.cluster.local';

type Treatment = 'auth' | 'stranger' | 'reset' | 'close' | 'silence';

/** A router by server name, with its reaction to the cluster's name and to the Proxy's host. */
async function router(t: TestContext, byName: { readonly [HEX]: Treatment; readonly localhost: Treatment }) {
  const tls = { auth: tlsServer(auth), stranger: tlsServer(stranger) };
  const seen: string[] = [];
  const treat = async (socket: Socket) => {
    const { serverName = '' } = await peekClientHello(socket);
    seen.push(serverName);
    const treatment = serverName === HEX ? byName[HEX] : byName.localhost;
    if (treatment === 'reset') socket.resetAndDestroy();
    else if (treatment === 'close') socket.end();
    else if (treatment !== 'silence') tls[treatment].emit('connection', socket);
  };
  const server = createTcpServer((socket) => {
    socket.on('error', () => undefined);
    treat(socket).catch(() => socket.destroy());
  });
  return { address: await listening(t, server), seen };
}

function tlsServer({ certificate: cert, key }: { readonly certificate: string; readonly key: string }) {
  const server = createTlsServer({ cert, key, ALPNProtocols: ['h2'], requestCert: true, rejectUnauthorized: false });
  server.on('secureConnection', (socket) => socket.on('error', () => undefined));
  return server;
}

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

/** Two seconds pass immediately, unless the test is patient. */
function clock(patient = false) {
  const pauses: number[] = [];
  return {
    pauses,
    nowMs: () => 0,
    elapsedMs: () => 0,
    sleep: (ms: number) => {
      pauses.push(ms);
      return patient ? new Promise<void>(() => undefined) : Promise.resolve();
    },
  };
}

function dialOf(
  address: { host: string; port: number },
  options: { readonly route?: AuthRoute; patient?: boolean } = {},
) {
  const reasons: string[] = [];
  const route: AuthRoute = options.route ?? { way: undefined };
  const dial = {
    network,
    upgrades: noUpgrades,
    address,
    clusterName: 'example.com',
    authorities: [auth.certificate],
    certificatePem: client.certificate,
    privateKeyPem: new Secret(client.key),
    route,
    onOtherWay: (reason: string) => reasons.push(reason),
    clock: clock(options.patient),
    signal: new AbortController().signal,
  };
  return { dial, reasons, route };
}

test("the Auth Service is reached by the cluster's name in hexadecimal, with one attempt", async (t) => {
  const { address, seen } = await router(t, { [HEX]: 'auth', localhost: 'reset' });
  const { dial, reasons, route } = dialOf(address, { patient: true });
  for (const expected of ['cluster-name', 'cluster-name']) {
    const { way, socket } = await dialAuthRoute(dial);
    assert.equal(way, expected);
    assert.equal(socket.alpnProtocol, 'h2');
    socket.destroy();
  }
  assert.deepEqual(seen, [HEX, HEX]);
  assert.deepEqual(reasons, []);
  assert.equal(route.way, 'cluster-name');
});

for (const treatment of ['reset', 'close', 'stranger'] as const) {
  test(`the Proxy's host is tried once when the result of the cluster's name is: ${treatment}`, async (t) => {
    const { address, seen } = await router(t, { [HEX]: treatment, localhost: 'auth' });
    const { dial, reasons, route } = dialOf(address, { patient: true });
    const { way, socket } = await dialAuthRoute(dial);
    socket.destroy();
    assert.equal(way, 'proxy-name');
    assert.equal(route.way, 'proxy-name');
    assert.deepEqual(seen, [HEX, 'localhost']);
    assert.equal(reasons.length, 1);
    assert.match(
      reasons[0] ?? '',
      new RegExp(
        `with the TLS server name ${HEX} \\(.+\\); trying the TLS server name localhost, a connection upgrade through a load balancer$`,
      ),
    );
  });
}

test("the Proxy's host is tried in parallel with the cluster's name after two seconds of silence", async (t) => {
  const { address, seen } = await router(t, { [HEX]: 'silence', localhost: 'auth' });
  const { dial, reasons } = dialOf(address);
  const { way, socket } = await dialAuthRoute(dial);
  socket.destroy();
  assert.equal(way, 'proxy-name');
  assert.deepEqual(dial.clock.pauses, [2000]);
  assert.deepEqual(seen, [HEX, 'localhost']);
  assert.match(reasons[0] ?? '', /\(no response within 2 s\)/);
});

test('later connections use only the name that has worked', async (t) => {
  const { address, seen } = await router(t, { [HEX]: 'auth', localhost: 'reset' });
  const { dial } = dialOf(address, { route: { way: 'proxy-name' }, patient: true });
  await assert.rejects(dialAuthRoute(dial), { code: 'ECONNRESET' });
  assert.deepEqual(seen, ['localhost']);
});

test('when both names fail, the error names both and is the more informative of the two', async (t) => {
  const ended = await router(t, { [HEX]: 'reset', localhost: 'close' });
  const neither = {
    code: 'AUTH_UNREACHABLE',
    message: new RegExp(`; tried the TLS server name ${HEX}, the TLS server name localhost$`),
  };
  await assert.rejects(dialAuthRoute(dialOf(ended.address, { patient: true }).dial), neither);
  const inspected = await router(t, { [HEX]: 'reset', localhost: 'stranger' });
  await assert.rejects(dialAuthRoute(dialOf(inspected.address, { patient: true }).dial), { code: 'AUTH_UNTRUSTED' });
});

test('a closed port is not tried with another name', async (t) => {
  const server = createTcpServer();
  const address = await listening(t, server);
  await new Promise((resolve) => server.close(resolve));
  const { dial, reasons } = dialOf(address);
  await assert.rejects(dialAuthRoute(dial), { code: 'ECONNREFUSED' });
  assert.deepEqual(reasons, []);
});

test('a dial that is aborted ends both attempts with the reason of its signal', async (t) => {
  const { address, seen } = await router(t, { [HEX]: 'silence', localhost: 'silence' });
  const controller = new AbortController();
  const { dial } = dialOf(address);
  const result = dialAuthRoute({ ...dial, signal: controller.signal });
  const reason = new Error('time is up');
  const timer = setInterval(() => {
    if (seen.length === 2) controller.abort(reason);
  }, 10);
  t.after(() => {
    clearInterval(timer);
  });
  await assert.rejects(result, reason);
});
