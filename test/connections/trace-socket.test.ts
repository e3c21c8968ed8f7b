import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { isIP, type Server } from 'node:net';
import test, { type TestContext } from 'node:test';
import { createServer, type TlsOptions, type TLSSocket } from 'node:tls';
import { dialTls } from '../../src/net/dial.ts';
import { network } from '../direct-network.ts';
import { selfSigned } from '../tls-certificate.ts';
import { keptTrace } from './told-events.ts';

const own = await selfSigned('teleport.cluster.local');
const other = await selfSigned('bot');

async function listen(t: TestContext, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return address.port;
}

/** Responds to 5 bytes with 7; resolves with its end of the connection when it is closed. */
async function serve(t: TestContext, options: TlsOptions = {}) {
  let onEnd: (socket: TLSSocket) => void = () => undefined;
  const ended = new Promise<TLSSocket>((resolve) => {
    onEnd = resolve;
  });
  const server = createServer({ cert: own.certificate, key: own.key, ALPNProtocols: ['h2'], ...options }, (socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.write('seven b'));
    socket.once('close', () => {
      onEnd(socket);
    });
  });
  return { port: await listen(t, server), ended };
}

const DIAL = { alpn: ['teleport-auth@x', 'h2'], serverName: 'teleport.cluster.local', ca: own.certificate };
const { signal } = new AbortController();

test('a connection is traced step by step, with what was negotiated and transferred', async (t) => {
  const { ended, port } = await serve(t);
  const { closed, text, told, trace } = keptTrace();
  const address = { host: 'localhost', port };
  const socket = await dialTls({ network, ...DIAL, address, signal, wire: trace.connection('Auth Service') });
  const { standardName } = socket.getCipher();
  socket.write('five!');
  await once(socket, 'data');
  socket.destroy();
  const serverSide = await ended;
  await closed;
  const [dns, ...rest] = told();
  const common = { connection: 1, to: 'Auth Service' };
  assert.ok(Array.isArray(dns?.addresses) && dns.addresses.every((one) => typeof one === 'string' && isIP(one) !== 0));
  assert.deepEqual(dns, { ...common, event: 'dns', name: 'localhost', addresses: dns.addresses });
  assert.ok(dns.addresses.includes('127.0.0.1'));
  assert.deepEqual(
    rest.filter(({ event }) => event !== 'tcp-failed'),
    [
      { ...common, event: 'tcp', address: '127.0.0.1', port },
      {
        ...common,
        event: 'tls',
        version: 'TLSv1.3',
        cipher: standardName,
        serverName: 'teleport.cluster.local',
        alpnOffered: DIAL.alpn,
        alpn: 'h2',
        sessionReused: false,
        subject: 'teleport.cluster.local',
        issuer: 'teleport.cluster.local',
        ...factsOf(own.certificate),
        clientCertificate: 'not asked for',
      },
      { ...common, event: 'closed', sentBytes: 5, receivedBytes: 7 },
    ],
  );
  assert.deepEqual([serverSide.bytesRead, serverSide.bytesWritten], [5, 7]);
  assert.doesNotMatch(text(), /five!|seven b/);
});

function factsOf(pem: string) {
  const { fingerprint256, validTo } = new X509Certificate(pem);
  return {
    fingerprint: fingerprint256.replaceAll(':', '').slice(0, 16).toLowerCase(),
    expiresAt: new Date(validTo).toISOString().replace('.000Z', 'Z'),
  };
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  for (const [asks, client, expected] of [
    [true, { certificate: other.certificate, key: other.key }, 'sent'],
    [true, undefined, 'asked for, not sent'],
    [false, { certificate: other.certificate, key: other.key }, 'not asked for'],
  ] as const) {
    test(`${version}: a client's certificate is ${expected}`, async (t) => {
      const limits = { minVersion: version, maxVersion: version };
      const { port } = await serve(t, { ...limits, requestCert: asks, rejectUnauthorized: false });
      const { told, trace } = keptTrace();
      const dial = { ...DIAL, address: { host: '127.0.0.1', port }, signal, wire: trace.connection('x') };
      (await dialTls({ network, ...(client === undefined ? dial : { ...dial, client }) })).destroy();
      const tls = told().find(({ event }) => event === 'tls');
      assert.deepEqual([tls?.version, tls?.clientCertificate], [version, expected]);
    });
  }
}

test('an untrusted certificate is traced, and the trace shows that it ended the connection', async (t) => {
  const { port } = await serve(t);
  const { closed, told, trace } = keptTrace();
  const dial = { ...DIAL, ca: other.certificate, address: { host: '127.0.0.1', port }, signal };
  await assert.rejects(dialTls({ network, ...dial, wire: trace.connection('x') }));
  await closed;
  assert.deepEqual(
    told().map(({ event, error, subject }) => [event, subject, error]),
    [
      ['tcp', undefined, undefined],
      ['tls', 'teleport.cluster.local', undefined],
      ['closed', undefined, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    ],
  );
});

test('tracing does not change what is trusted: the name in the first certificate counts', async (t) => {
  const { port } = await serve(t, { cert: `${other.certificate}\n${own.certificate}`, key: other.key });
  const { trace } = keptTrace();
  const dial = { ...DIAL, ca: [own.certificate, other.certificate], address: { host: '127.0.0.1', port }, signal };
  await assert.rejects(
    dialTls({ network, ...dial, wire: trace.connection('x') }),
    /not in the cert's altnames: DNS:bot/,
  );
});

test('an unknown name and a closed port end a connection that was never opened', async () => {
  for (const [host, error] of [
    ['name.invalid', /^(ENOTFOUND|EAI_AGAIN)$/],
    ['127.0.0.1', /^ECONNREFUSED$/],
  ] as const) {
    const { closed, told, trace } = keptTrace();
    await assert.rejects(
      dialTls({ network, ...DIAL, address: { host, port: 1 }, signal, wire: trace.connection('x') }),
    );
    await closed;
    const last = told().at(-1);
    assert.equal(last?.event, 'closed');
    assert.match(String(last.error), error);
  }
});
