import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import test, { type TestContext } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { egressEndpoints, type Endpoint } from '../../src/commands/doctor/egress-endpoints.ts';
import { type Verdict, verdictOf } from '../../src/commands/doctor/egress-verdict.ts';
import { MachineIdError } from '../../src/errors.ts';
import { probe, type ProbeResult, type ProbeTarget, resolveHost } from '../../src/net/probe.ts';
import { network } from '../direct-network.ts';
import { freePort } from '../e2e/free-port.ts';
import { selfSigned } from '../tls-certificate.ts';

const LIMIT_MS = 2000;
const SILENCE_MS = 300;
const signal = new AbortController().signal;

async function portOf(t: TestContext, server: Server): Promise<number> {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return address.port;
}

function endpoint(id: string): Endpoint {
  const all = egressEndpoints({
    address: { host: 'localhost', port: 1 },
    outputs: undefined,
    cluster: undefined,
    access: new Map(),
    downloads: { script: 'https://a.example.com', node: 'https://a.example.com', tools: 'https://a.example.com' },
    environment: {},
    terminatesTls: () => false,
  });
  const found = all.find((one) => one.id === id);
  assert.ok(found !== undefined, id);
  return found;
}

interface Attempt {
  readonly id?: string;
  readonly changes?: Partial<Endpoint>;
  readonly ca?: string;
  readonly limitMs?: number;
  readonly clusterName?: string;
  readonly verify?: boolean;
}

async function attempt(
  port: number,
  { id = 'web-api', changes = {}, ca, limitMs = LIMIT_MS, clusterName, verify = true }: Attempt = {},
): Promise<Verdict> {
  const one = { ...endpoint(id), port, ...changes };
  const { alpn, certificateName, host = 'localhost', protocol = 'tls', sni } = one;
  const target: ProbeTarget = {
    address: { host, port },
    addresses: resolveHost(host),
    protocol,
    purpose: 'direct',
    tls: { alpn, serverName: sni, certificateName: certificateName ?? host, ca },
  };
  const probed = await probe(target, { network, signal, timeoutMs: limitMs });
  return verdictOf({ endpoint: one, clusterName, authoritiesKnown: false, verify, limitMs }, probed);
}

function assertVerdict(found: Verdict, result: Verdict['result'], says: RegExp): void {
  assert.equal(found.result, result, found.detail);
  assert.match(found.detail, says);
  assert.match(found.detail, /^[A-Z].*\.$/);
}

test('closed: nothing listens on the port', async () => {
  assertVerdict(await attempt(await freePort()), 'closed', /refuses the TCP connection \(ECONNREFUSED\)/);
});

test('dropped: a server that never responds to the TLS ClientHello', async (t) => {
  const port = await portOf(t, createServer());
  assertVerdict(
    await attempt(port, { limitMs: SILENCE_MS }),
    'dropped',
    /no response to the TLS ClientHello with this SNI and ALPN within 0\.3 s/,
  );
});

test('dropped: a server that stops in the handshake', async (t) => {
  const port = await portOf(
    t,
    createServer((socket) => socket.write(Buffer.from('1603030100', 'hex'))),
  );
  assertVerdict(await attempt(port, { limitMs: SILENCE_MS }), 'dropped', /handshake does not complete within/);
});

for (const [how, end] of [
  ['a reset', (socket: Socket) => socket.resetAndDestroy()],
  ['an end', (socket: Socket) => socket.end()],
] as const) {
  test(`closed: ${how} instead of a TLS response`, async (t) => {
    const port = await portOf(
      t,
      createServer((socket) => socket.once('data', () => end(socket))),
    );
    assertVerdict(await attempt(port), 'closed', /closed without a TLS response \(ECONNRESET\)/);
  });
}

for (const [what, answer, says] of [
  [
    'an HTTP server',
    'HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n',
    /^The response is HTTP \("HTTP\/1\.1 400 Bad Request"\), which is not TLS\.$/,
  ],
  ['an SSH server', 'SSH-2.0-Teleport\r\n', /^The response is SSH \("SSH-2\.0-Teleport"\)/],
  ['bytes that would change a terminal', '\u001b]0;x\u0007\r\n', /^The response is 8 bytes of another protocol/],
] as const) {
  test(`unexpected server: ${what} on the port`, async (t) => {
    const port = await portOf(
      t,
      createServer((socket) => socket.end(answer)),
    );
    assertVerdict(await attempt(port), 'other', says);
  });
}

test('unexpected server: a web certificate of another authority, unless insecure is set', async (t) => {
  const { certificate, key } = await selfSigned('localhost');
  const port = await portOf(t, createTlsServer({ cert: certificate, key }));
  assertVerdict(
    await attempt(port),
    'other',
    /presents an untrusted certificate: localhost, signed by localhost \(DEPTH_ZERO_SELF_SIGNED_CERT\)/,
  );
  assertVerdict(await attempt(port, { verify: false }), 'open', /no ALPN/);
  assertVerdict(await attempt(port, { ca: certificate }), 'open', /^TLSv1\.3 opens, with no ALPN/);
});

test('unexpected server: a certificate for another name', async (t) => {
  const { certificate, key } = await selfSigned('elsewhere.example.com');
  const port = await portOf(t, createTlsServer({ cert: certificate, key }));
  assertVerdict(await attempt(port, { ca: certificate }), 'other', /ERR_TLS_CERT_ALTNAME_INVALID/);
});

for (const [what, alpn, says] of [
  ['no ALPN', undefined, /chooses no protocol, expected h2/],
  [
    'the ALPN of the web',
    ['http/1.1'],
    /rejects the ALPN: something in front of the Proxy, such as a load balancer, terminates TLS/,
  ],
] as const) {
  test(`unexpected server: a load balancer that responds with ${what}`, async (t) => {
    const { certificate, key } = await selfSigned('localhost');
    const options = { cert: certificate, key, ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }) };
    const port = await portOf(t, createTlsServer(options));
    assertVerdict(await attempt(port, { id: 'join-service', ca: certificate }), 'other', says);
  });
}

test('the transport of Teleport 15 and 16 chooses no ALPN, and is open', async (t) => {
  const { certificate, key } = await selfSigned('teleport.cluster.local');
  const port = await portOf(t, createTlsServer({ cert: certificate, key }));
  assertVerdict(await attempt(port, { id: 'ssh-transport' }), 'open', /no ALPN/);
});

test('unexpected server: a device that terminates TLS before the Auth Service signs with its own name', async (t) => {
  const { certificate, key } = await selfSigned('teleport.cluster.local');
  const port = await portOf(t, createTlsServer({ cert: certificate, key, ALPNProtocols: ['h2'] }));
  const changes = { untried: undefined, sni: 'x.teleport.cluster.local' };
  const other =
    /signed by teleport\.cluster\.local, expected one of the host authority of example\.com for teleport\.cluster\.local/;
  assertVerdict(await attempt(port, { id: 'auth', changes, clusterName: 'example.com' }), 'other', other);
  assertVerdict(await attempt(port, { id: 'auth', changes, clusterName: 'teleport.cluster.local' }), 'open', /ALPN h2/);
});

test('open: a TLS 1.2 server that requires a client certificate', async (t) => {
  const { certificate, key } = await selfSigned('teleport.cluster.local');
  const options = {
    cert: certificate,
    key,
    ca: certificate,
    requestCert: true,
    rejectUnauthorized: true,
    maxVersion: 'TLSv1.2' as const,
  };
  const port = await portOf(t, createTlsServer({ ...options, ALPNProtocols: ['h2'] }));
  const found = await attempt(port, {
    id: 'auth',
    changes: { untried: undefined },
    clusterName: 'teleport.cluster.local',
  });
  assertVerdict(found, 'open', /certificate/);
});

for (const [protocol, answer, result] of [
  ['postgres', 'S', 'open'],
  ['postgres', 'HTTP/1.1 400 Bad Request\r\n', 'other'],
  ['mysql', 'J\0\0\0\n8.0.0-Teleport', 'open'],
  ['mysql', 'SSH-2.0-x\r\n', 'other'],
  ['ssh', 'SSH-2.0-Teleport\r\n', 'open'],
  ['ssh', 'HTTP/1.1 400 Bad Request\r\n', 'other'],
  ['tcp', '', 'open'],
] as const) {
  test(`${result}: ${JSON.stringify(answer)} where ${protocol} is expected`, async (t) => {
    const port = await portOf(
      t,
      createServer((socket) => socket.write(answer)),
    );
    assertVerdict(await attempt(port, { changes: { protocol } }), result, /./);
  });
}

test('dropped and closed: a listener that sends nothing, or closes the connection', async (t) => {
  const silent = await portOf(t, createServer());
  assertVerdict(
    await attempt(silent, { changes: { protocol: 'mysql' }, limitMs: SILENCE_MS }),
    'dropped',
    /no response within 0\.3 s/,
  );
  const ending = await portOf(
    t,
    createServer((socket) => socket.end()),
  );
  assertVerdict(await attempt(ending, { changes: { protocol: 'ssh' } }), 'closed', /closed without a response/);
});

test('name not found', async () => {
  const found = await attempt(443, { changes: { host: 'nowhere.invalid' } });
  assertVerdict(found, 'unresolved', /cannot be resolved/);
});

/** Nothing on this machine can be made to drop packets, so the results are constructed. */
for (const [what, error, result, says] of [
  [
    'silence',
    new MachineIdError('TIMEOUT', 'x', { hint: 'x' }),
    'dropped',
    /no response to the TCP connection within 2 s/,
  ],
  [
    'the system gives up',
    Object.assign(new Error('x'), { code: 'ETIMEDOUT' }),
    'dropped',
    /no response to the TCP connection within 2 s/,
  ],
  ['no route', Object.assign(new Error('x'), { code: 'ENETUNREACH' }), 'closed', /cannot be reached \(ENETUNREACH\)/],
  [
    'one address silent, the other refuses',
    new AggregateError(['ETIMEDOUT', 'ECONNREFUSED'].map((code) => Object.assign(new Error(code), { code }))),
    'closed',
    /refuses the TCP connection \(ETIMEDOUT, ECONNREFUSED\)/,
  ],
] as const) {
  test(`${result} before TCP is open: ${what}`, () => {
    const probed: ProbeResult = {
      addresses: [],
      stoppedAt: 'connect',
      received: Buffer.alloc(0),
      tls: undefined,
      error,
    };
    const expected = {
      endpoint: endpoint('web-api'),
      clusterName: undefined,
      authoritiesKnown: false,
      verify: true,
      limitMs: LIMIT_MS,
    };
    assertVerdict(verdictOf(expected, probed), result, says);
  });
}
