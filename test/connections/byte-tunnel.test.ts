/** A tunnel between real clients and a real TLS server, which stands in for the Proxy. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { createServer, type TLSSocket } from 'node:tls';
import { systemFiles } from '../../src/effects/files.ts';
import { Secret } from '../../src/effects/secret.ts';
import { sharedController, systemClock } from '../../src/effects/time.ts';
import { MachineIdError } from '../../src/errors.ts';
import { NO_RECORD } from '../../src/job/manifest.ts';
import type { ListenAddress } from '../../src/net/listen.ts';
import { openNetwork } from '../../src/net/network.ts';
import { openUpgrades } from '../../src/teleport/connection-upgrade.ts';
import { openByteTunnel } from '../../src/tunnels/byte-tunnel.ts';
import { type ConnectionCounts, newCounts } from '../../src/tunnels/connections.ts';
import { httpWire } from '../../src/tunnels/http-wire.ts';
import { mysqlWire } from '../../src/tunnels/mysql-wire.ts';
import { postgresWire } from '../../src/tunnels/postgres-wire.ts';
import type { ProxyProblem } from '../../src/tunnels/proxy-health.ts';
import { redisWire } from '../../src/tunnels/redis-wire.ts';
import type { OpenTunnel } from '../../src/tunnels/tunnel-type.ts';
import { quietWire, type Wire } from '../../src/tunnels/wire.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { selfSigned, type WebCertificate } from '../tls-certificate.ts';

const server = await selfSigned('localhost');
const [client, newer] = await Promise.all([selfSigned('client'), selfSigned('newer')]);
const LONG_MS = 60 * 60_000;

interface Tunnel extends OpenTunnel {
  readonly counts: ConnectionCounts;
  readonly lines: readonly string[];
  readonly connect: () => Promise<Socket>;
}

interface Wishes {
  readonly wire?: Wire;
  readonly listen?: ListenAddress;
  readonly maxConnections?: number;
  readonly problem?: () => ProxyProblem | undefined;
  /** The first certificate, and those of its renewals. */
  readonly certificates?: readonly (readonly [WebCertificate, lifetimeMs: number])[];
}

/** @param serve what the server does with a connection after its handshake */
async function tunnelTo(t: TestContext, serve: (socket: TLSSocket) => void, wishes: Wishes = {}): Promise<Tunnel> {
  const controller = sharedController();
  t.after(() => {
    controller.abort(new Error('the test has ended'));
  });
  const port = await startServer(t, serve);
  const {
    listen = { kind: 'tcp', host: '127.0.0.1', port: 0 },
    maxConnections = 10,
    problem = () => undefined,
  } = wishes;
  const network = openNetwork({ environment: {} });
  const trust = { ca: server.certificate, verify: true };
  const environment = { TELEPORT_TLS_ROUTING_CONN_UPGRADE: 'false' };
  const upgrades = openUpgrades({ network, trust: () => Promise.resolve(trust), environment });
  const counts = newCounts();
  const lines: string[] = [];
  const note = (line: string) => {
    lines.push(line);
  };
  const certificates = [...(wishes.certificates ?? [[client, LONG_MS] as const])];
  const work = {
    name: 'orders',
    counts,
    maxConnections,
    clock: systemClock,
    files: systemFiles,
    record: NO_RECORD,
    log: { debug: note, info: note, warn: note },
    signal: controller.signal,
    proxy: { address: { host: 'localhost', port }, network, trust, upgrades },
    health: { problem, suspect: () => undefined, onProblem: () => () => undefined, sinceMs: () => 0, outages: () => 0 },
  };
  const opened = await openByteTunnel(listen, work, () => {
    const [next, lifetimeMs] = certificates.shift() ?? [];
    if (next === undefined || lifetimeMs === undefined) return Promise.reject(refusal('no more certificates'));
    return Promise.resolve({
      certificate: {
        certificatePem: next.certificate,
        privateKeyPem: new Secret(next.key),
        hostAuthoritiesPem: [],
        expiresAtMs: Date.now() + lifetimeMs,
      },
      route: { alpn: 'teleport-postgres' },
      wire: wishes.wire ?? quietWire(systemClock),
      target: 'database orders',
      clientVariables: () => new Map(),
    });
  });
  return { ...opened, counts, lines, connect: () => connected(t, opened.address) };
}

function refusal(message: string): MachineIdError {
  return new MachineIdError('AUTH_DENIED', message, { hint: 'None.' });
}

async function startServer(t: TestContext, serve: (socket: TLSSocket) => void): Promise<number> {
  const listener = createServer({
    cert: server.certificate,
    key: server.key,
    ca: [client.certificate, newer.certificate],
    requestCert: true,
    rejectUnauthorized: true,
    allowHalfOpen: true,
    ALPNProtocols: ['teleport-postgres'],
    sessionIdContext: 'proxy',
  });
  const open = new Set<TLSSocket>();
  listener.on('connection', (carrier: Socket) => {
    CARRIERS.set(carrier.remotePort, carrier);
  });
  listener.on('secureConnection', (socket) => {
    open.add(socket);
    socket.on('error', () => undefined).once('close', () => open.delete(socket));
    serve(socket);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  t.after(() => {
    for (const socket of open) socket.destroy();
    listener.close();
  });
  const address = listener.address();
  assert.ok(typeof address === 'object' && address !== null);
  return address.port;
}

/** By the port of the other end. */
const CARRIERS = new Map<number | undefined, Socket>();

/** As a machine in between does it, without an end of TLS. */
function resetUnder({ remotePort }: TLSSocket): void {
  CARRIERS.get(remotePort)?.resetAndDestroy();
}

async function connected(t: TestContext, address: string): Promise<Socket> {
  const [, host = '', port = ''] = /^([\d.]+):(\d+)$/.exec(address) ?? [];
  const to = host === '' ? { path: address } : { host, port: Number(port) };
  const socket = connect({ ...to, allowHalfOpen: true });
  socket.on('error', () => undefined);
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** All bytes until the end; rejects if the connection breaks before. */
function received(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    socket.on('data', (chunk) => (text += String(chunk)));
    socket.once('end', () => {
      resolve(text);
    });
    socket.once('close', () => {
      reject(new Error(`the connection broke after ${text.length} characters`));
    });
  });
}

const echo = (socket: TLSSocket): void => {
  socket.pipe(socket);
};

test('bytes pass in both directions, and the end of one direction leaves the other open', async (t) => {
  const { connect: open, counts } = await tunnelTo(t, (socket) => {
    received(socket).then(
      (text) => socket.end(`${text.length} bytes`),
      () => undefined,
    );
  });
  const socket = await open();
  socket.end('x'.repeat(1_000_000));
  assert.equal(await received(socket), '1000000 bytes');
  await until(() => counts.open === 0);
  assert.deepEqual([counts.total, counts.sentBytes, counts.receivedBytes], [1, 1_000_000, 13]);
});

test('a Unix socket is for this user alone, and takes the place of one whose process has ended', async (t) => {
  const path = join(await temporaryFolder(t), 'db.sock');
  const first = await tunnelTo(t, echo, { listen: { kind: 'unix', path } });
  assert.equal((await systemFiles.entry(path))?.mode, 0o600);
  const socket = await first.connect();
  socket.end('hello');
  assert.equal(await received(socket), 'hello');
  await assert.rejects(tunnelTo(t, echo, { listen: { kind: 'unix', path } }), { code: 'LISTEN_FAILED' });
});

test('a Unix socket is private from its first moment, whatever the umask of the process', async (t) => {
  const path = join(await temporaryFolder(t), 'db.sock');
  const umask = process.umask(0);
  t.after(() => process.umask(umask));
  const modes: number[] = [];
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- it is only called with a mask
  const setUmask = process.umask.bind(process);
  // Called again right after the socket was created.
  t.mock.method(process, 'umask', (mask: number) => {
    if (existsSync(path)) modes.push(statSync(path).mode & 0o777);
    return setUmask(mask);
  });
  await tunnelTo(t, echo, { listen: { kind: 'unix', path } });
  assert.deepEqual(modes, [0o600]);
  assert.equal(setUmask(umask), 0, 'other files keep the umask of the process');
});

test('a port that is taken is reported before a certificate is requested', async (t) => {
  const first = await tunnelTo(t, echo);
  const port = Number(first.address.split(':')[1]);
  const listen = { kind: 'tcp', host: '127.0.0.1', port } as const;
  await assert.rejects(tunnelTo(t, echo, { listen, certificates: [] }), {
    code: 'LISTEN_FAILED',
    message: `cannot listen at 127.0.0.1:${port}: another process listens there (EADDRINUSE)`,
  });
});

test('a client that sends faster than the other end reads has to wait', async (t) => {
  const { connect: open } = await tunnelTo(t, (socket) => {
    socket.pause();
  });
  const socket = await open();
  const chunk = Buffer.alloc(64 * 1024);
  let sent = 0;
  while (sent < 64 * 1024 * 1024 && (await isTaken(socket, chunk))) sent += chunk.length;
  assert.ok(sent < 32 * 1024 * 1024, `${sent} bytes were taken`);
});

/** Whether the chunk leaves this process within half a second. */
function isTaken(socket: Socket, chunk: Buffer): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, 500, false);
    socket.write(chunk, () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}

test('a connection that breaks upstream breaks the one of the client, which does not see a regular end', async (t) => {
  const { connect: open, counts } = await tunnelTo(t, (socket) => {
    socket.write('half');
    socket.once('data', () => {
      resetUnder(socket);
    });
  });
  const socket = await open();
  const text = received(socket);
  await once(socket, 'data');
  socket.write('go on');
  await assert.rejects(text, { message: 'the connection broke after 4 characters' });
  await until(() => counts.open === 0);
  assert.deepEqual([counts.total, counts.broken], [1, 1]);
});

test('later connections resume the TLS session of an earlier one', async (t) => {
  const resumed: boolean[] = [];
  const { connect: open } = await tunnelTo(t, (socket) => {
    resumed.push(socket.isSessionReused());
    echo(socket);
  });
  for (const text of ['one', 'two']) {
    const socket = await open();
    socket.end(text);
    assert.equal(await received(socket), text);
  }
  assert.deepEqual(resumed, [false, true]);
});

test('new connections present the renewed certificate, and an expired one that cannot be renewed refuses them', async (t) => {
  const presented: string[] = [];
  const serve = (socket: TLSSocket) => {
    presented.push(String(socket.getPeerX509Certificate()?.subject));
    echo(socket);
  };
  const { connect: open, lines } = await tunnelTo(t, serve, {
    certificates: [
      [client, 600],
      [newer, 2400],
    ],
    wire: redisWire,
  });
  const exchange = async (text: string) => {
    const socket = await open();
    socket.end(text);
    return received(socket);
  };
  assert.equal(await exchange('one'), 'one');
  await until(() => lines.some((line) => line.startsWith('the certificate of orders was renewed')));
  assert.equal(await exchange('two'), 'two');
  assert.deepEqual(
    presented.map((subject) => /CN=(\w+)/.exec(subject)?.[1]),
    ['client', 'newer'],
  );
  await until(() => lines.some((line) => /new connections work until .*: no more certificates$/.test(line)));
  await until(async () =>
    (await exchange('three')).startsWith('-ERR machine-id tunnel orders: the certificate of orders expired'),
  );
});

const NO_ANSWER: ProxyProblem = {
  error: refusal('no answer within 10 s'),
  sinceMs: Date.UTC(2026, 0, 1),
  isSilent: true,
};
const REASON =
  /machine-id tunnel orders: the Proxy localhost:\d+ has not answered since 2026-01-01T00:00:00Z: no answer within 10 s/;

const STARTUP = Buffer.from('\0\0\0\x09\0\x03\0\0\0', 'latin1');

const REFUSALS: readonly (readonly [protocol: string, wire: Wire, says: string | Buffer, form: RegExp])[] = [
  [
    'PostgreSQL',
    postgresWire({ username: 'ci', database: 'd' }),
    STARTUP,
    /^E.{4}SFATAL\0VFATAL\0C08006\0Mmachine-id/s,
  ],
  ['MySQL', mysqlWire({ username: 'u', database: 'd' }), '', /^.{3}\0\xff.{2}machine-id/s],
  ['Redis', redisWire, 'PING\r\n', /^-ERR machine-id/],
  ['HTTP', httpWire('a.example.com'), 'GET / HTTP/1.1\r\n\r\n', /^HTTP\/1\.1 502 Bad Gateway\r\n.*\r\n\r\nmachine-id/s],
];

for (const [protocol, wire, says, form] of REFUSALS) {
  test(`${protocol} clients read why they are refused while the Proxy does not answer`, async (t) => {
    const { connect: open, counts } = await tunnelTo(t, echo, { wire, problem: () => NO_ANSWER });
    const socket = await open();
    socket.setEncoding('latin1');
    socket.write(says);
    const text = await received(socket);
    assert.match(text, form);
    assert.match(text, REASON);
    assert.equal(counts.refused, 1);
  });
}

test('more connections than the limit are refused, and accepted again once others have ended', async (t) => {
  const { connect: open, counts } = await tunnelTo(t, echo, { wire: redisWire, maxConnections: 1 });
  const first = await open();
  first.write('a');
  await once(first, 'data');
  assert.match(
    await received(await open()),
    /^-ERR machine-id tunnel orders: 1 connections are open, which is the limit/,
  );
  first.end();
  await until(() => counts.open === 0);
  const next = await open();
  next.end('b');
  assert.equal(await received(next), 'b');
});

test('a Proxy that closes a connection without a byte is not an answer', async (t) => {
  const signal = AbortSignal.timeout(10_000);
  const closing = await tunnelTo(t, (socket) => socket.end());
  await assert.rejects(closing.probe(signal), {
    code: 'TUNNEL_FAILED',
    message: 'the Proxy closed the connection without a byte',
  });
});

/** Sends one after another, each but the first as an answer to something. */
const answers = (texts: readonly string[]) => (socket: TLSSocket) => {
  const rest = texts.map((text) => Buffer.from(text, 'latin1'));
  const next = () => socket.write(rest.shift() ?? '');
  next();
  socket.on('data', next);
};

const MYSQL = mysqlWire({ username: 'u', database: 'd' });
const GREETING = '\x02\0\0\0\x0a5';

const PROBES: readonly (readonly [what: string, wire: Wire, answer: string | string[], refusal?: RegExp])[] = [
  [
    'a PostgreSQL server that is ready',
    postgresWire({ username: 'u', database: 'd' }),
    'R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I',
  ],
  [
    'a PostgreSQL server that refuses the login',
    postgresWire({ username: 'u', database: 'd' }),
    'E\0\0\0\x1bSFATAL\0Maccess denied\0\0',
    /the database answers: access denied/,
  ],
  ['a MySQL server that accepts the login', MYSQL, [GREETING, '\x03\0\0\x02\0\0\0']],
  ['a MySQL server that asks for another login', MYSQL, [GREETING, '\x02\0\0\x02\xfe\0', '\x03\0\0\x04\0\0\0']],
  ['a MySQL error', MYSQL, '\x0c\0\0\0\xff\x15\x04no access', /the database answers: no access/],
  [
    'a MySQL server that refuses the login',
    MYSQL,
    [GREETING, '\x12\0\0\x02\xff\x15\x04#28000no access'],
    /the database answers: no access/,
  ],
  ['another answer to the login', MYSQL, [GREETING, GREETING], /a packet of the kind 10, expected 0 or 254/],
  ['a Redis answer', redisWire, '+PONG\r\n'],
  ['a Redis server that wants a password', redisWire, '-NOAUTH Authentication required.\r\n'],
  ['a Redis error', redisWire, '-ERR access denied\r\n', /the database answers: ERR access denied/],
  ['any HTTP answer of an application', httpWire('a'), 'HTTP/1.1 404 Not Found\r\n\r\n'],
  ['an application that the Proxy does not reach', httpWire('a'), 'HTTP/1.1 502 Bad Gateway\r\n\r\n', /does not reach/],
  ['an answer that is not HTTP', httpWire('a'), 'SSH-2.0-x\r\n', /"SSH-2.0-x", which is not HTTP/],
];

for (const [what, wire, answer, expected] of PROBES) {
  test(`the probe of a tunnel ${expected === undefined ? 'accepts' : 'reports'} ${what}`, async (t) => {
    const { probe } = await tunnelTo(t, answers([answer].flat()), { wire });
    const probed = probe(AbortSignal.timeout(10_000));
    if (expected === undefined) await probed;
    else await assert.rejects(probed, { code: 'TUNNEL_FAILED', message: expected });
  });
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20));
}
