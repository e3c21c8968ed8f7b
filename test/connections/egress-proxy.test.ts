import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import test, { type TestContext } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { MachineIdError } from '../../src/errors.ts';
import { dialTls } from '../../src/net/dial.ts';
import { openNetwork } from '../../src/net/network.ts';
import { freePort } from '../e2e/free-port.ts';
import { selfSigned } from '../tls-certificate.ts';
import { keptTrace } from './told-events.ts';

const { signal } = new AbortController();
const TARGET = { host: 'teleport.example.com', port: 3080 };
const own = await selfSigned('localhost');
const inner = await selfSigned('teleport.example.com');

async function portOf(t: TestContext, server: Server): Promise<number> {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket.on('error', () => undefined));
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

/** Answers the first bytes of a client; the request comes out. */
async function answering(t: TestContext, ...answers: readonly (string | Buffer | undefined)[]) {
  const received: Buffer[] = [];
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    const rest = [...answers];
    socket.on('data', (bytes) => {
      received.push(bytes);
      if (rest.length === 0) return;
      const answer = rest.shift();
      if (answer === undefined) socket.destroy();
      else socket.write(answer);
    });
  });
  return { port: await portOf(t, server), received, sockets };
}

/** Resolves when the first client has closed its connection, in whichever way. */
async function clientGone([peer]: readonly Socket[]): Promise<void> {
  assert.ok(peer);
  if (!peer.closed) await new Promise((resolve) => peer.once('close', resolve));
}

interface Attempt {
  readonly value: string;
  readonly target?: typeof TARGET;
  readonly timeoutMs?: number;
  readonly ca?: string;
}

function open({ value, target = TARGET, timeoutMs = 5000, ca }: Attempt, options: object = {}): Promise<Socket> {
  const authorities = () => Promise.resolve(ca === undefined ? undefined : [ca]);
  const network = openNetwork({ environment: { HTTPS_PROXY: value }, authorities, timeoutMs });
  return network.open(target, { signal, for: 'cluster', ...options });
}

interface Failure {
  readonly says: RegExp;
  readonly hint: RegExp;
  readonly isTransient?: boolean;
}

async function assertFailure(opening: Promise<unknown>, { hint, isTransient = false, says }: Failure): Promise<void> {
  await assert.rejects(opening, (error) => {
    assert.ok(error instanceof MachineIdError, String(error));
    assert.equal(error.code, 'EGRESS_PROXY_FAILED');
    assert.match(error.message, says);
    assert.match(error.message, /(the HTTP proxy https?|the SOCKS proxy socks5):\/\/[a-z0-9.]+:\d+ \(HTTPS_PROXY\)/);
    assert.match(error.hint, hint);
    assert.equal(error.transient !== undefined, isTransient, error.message);
    assert.doesNotMatch(`${error.message} ${error.hint}`, /hunter2|somebody/);
    assert.doesNotMatch(error.message, /[.;]$/);
    return true;
  });
}

test('CONNECT names the target, and has user and password only if they are given', async (t) => {
  for (const [login, authorization] of [
    ['', undefined],
    ['somebody:hunter%402@', 'somebody:hunter@2'],
    ['somebody@', 'somebody:'],
  ] as const) {
    for (const [host, shown] of [
      ['teleport.example.com', 'teleport.example.com:3080'],
      ['2001:db8::1', '[2001:db8::1]:3080'],
    ] as const) {
      const { port, received, sockets } = await answering(
        t,
        'HTTP/1.1 200 Connection established\r\n\r\nSSH-2.0-node\r\n',
      );
      const { told, text, trace } = keptTrace();
      const wire = trace.connection('x');
      const value = `http://${login}127.0.0.1:${String(port)}`;
      const socket = await open({ value, target: { host, port: 3080 } }, { wire });
      const [line, ...headers] = Buffer.concat(received).toString().split('\r\n');
      assert.equal(line, `CONNECT ${shown} HTTP/1.1`);
      assert.deepEqual(
        headers.map((one) => one.replace(/^user-agent: machine-id\/.*$/i, 'agent')).sort(),
        [
          ...['', ''],
          ...(authorization === undefined ? [] : [`proxy-authorization: Basic ${btoa(authorization)}`]),
          'agent',
          `host: ${shown}`,
        ].sort(),
      );
      assert.equal(
        String(await once(socket, 'data')),
        'SSH-2.0-node\r\n',
        'what came with the answer is of the target',
      );
      socket.write('hello');
      const [peer] = sockets;
      assert.ok(peer);
      await once(peer, 'data');
      assert.equal(received.at(-1)?.toString(), 'hello');
      socket.destroy();
      assert.deepEqual(
        told().map(({ event, answer, target, proxy, variable }) => [event, answer, target, proxy, variable]),
        [
          ['tcp', undefined, undefined, undefined, undefined],
          ['proxy', '200 Connection established', shown, `http://127.0.0.1:${String(port)}`, 'HTTPS_PROXY'],
        ],
      );
      assert.doesNotMatch(text(), /hunter|somebody|c29tZWJvZHk/);
    }
  }
});

const REFUSALS: readonly (readonly [answer: string, login: string, failure: Failure])[] = [
  [
    'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="x"\r\n\r\n',
    '',
    { says: /requires a user and a password \(HTTP status 407\)$/, hint: /^Add them to HTTPS_PROXY/ },
  ],
  [
    'HTTP/1.1 407 Proxy Authentication Required\r\n\r\n',
    'somebody:hunter2@',
    { says: /rejected the user and password \(HTTP status 407\)$/, hint: /^Correct user and password in HTTPS_PROXY/ },
  ],
  [
    'HTTP/1.1 407 Unauthorized\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM abc=\r\n\r\n',
    'somebody:hunter2@',
    {
      says: /offers only the authentication Negotiate, NTLM, expected Basic \(HTTP status 407\)/,
      hint: /accept Basic/,
    },
  ],
  [
    'HTTP/1.1 403 Forbidden\r\n\r\n',
    '',
    { says: /does not allow connections to teleport\.example\.com:3080 \(HTTP status 403\)/, hint: /NO_PROXY/ },
  ],
  ...[500, 502, 503, 504].map(
    (status) =>
      [
        `HTTP/1.0 ${status} Nope\r\nContent-Type: text/html\r\n\r\n<html>hunter2</html>`,
        '',
        {
          says: new RegExp(`cannot connect to teleport\\.example\\.com:3080 \\(HTTP status ${status}\\)$`),
          hint: /Check that the proxy resolves and reaches teleport\.example\.com:3080/,
          isTransient: true,
        },
      ] as const,
  ),
  // Go's clients accept no other 2xx, either.
  ...[201, 204, 302, 400, 405, 501].map(
    (status) =>
      [
        `HTTP/1.1 ${status} Nope\r\nLocation: https://login.example.com\r\n\r\n`,
        '',
        {
          says: new RegExp(`answered CONNECT teleport\\.example\\.com:3080 with HTTP status ${status}, expected 200$`),
          hint: /allows CONNECT to port 3080, and not of another web server/,
        },
      ] as const,
  ),
  ...['HTTP/1.1 200 OK\r\n\r\n<!DOCTYPE html><title>Log in', 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n'].map(
    (page) => [page, '', { says: /with a web page, expected a tunnel$/, hint: /captive portal/ }] as const,
  ),
  ...['SSH-2.0-OpenSSH_9.2\r\n', '\x05\xff', '\x15\x03\x01\0\x02\x02\x46'].map(
    (bytes) => [bytes, '', { says: /does not speak HTTP: its answer to CONNECT/, hint: /Write socks5:\/\// }] as const,
  ),
  [
    `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}`,
    '',
    { says: /does not speak HTTP: its answer to CONNECT .* cannot be read/, hint: /Check the port/ },
  ],
];

for (const [answer, login, failure] of REFUSALS) {
  test(`an HTTP proxy answers ${JSON.stringify(answer.slice(0, 50))}${login === '' ? '' : ' to a login'}`, async (t) => {
    const { port, sockets } = await answering(t, Buffer.from(answer, 'latin1'));
    await assertFailure(open({ value: `http://${login}127.0.0.1:${String(port)}` }), failure);
    await clientGone(sockets);
  });
}

test('an HTTP proxy closes the connection, or says nothing', async (t) => {
  const closing = await answering(t, undefined);
  const hint = /^Check the scheme and the port in HTTPS_PROXY, and the log of the proxy/;
  const says = /closed the connection instead of answering the request for teleport\.example\.com:3080/;
  await assertFailure(open({ value: `127.0.0.1:${String(closing.port)}` }), { says, hint, isTransient: true });
  const half = await answering(t, 'HTTP/1.1 200');
  for (const { port, sockets } of [await answering(t), half]) {
    await assertFailure(open({ value: `127.0.0.1:${String(port)}`, timeoutMs: 500 }), {
      says: /did not answer the request for teleport\.example\.com:3080 within 0\.4 s$/,
      hint: /a firewall behind it may drop the packets/,
      isTransient: true,
    });
    await clientGone(sockets);
  }
});

test('a proxy that cannot be reached is named, and how', async (t) => {
  const nobody = await freePort();
  const connecting =
    /^cannot connect to the (HTTP|SOCKS) proxy \w+:\/\/127\.0\.0\.1:\d+ \(HTTPS_PROXY\): .*ECONNREFUSED/;
  for (const scheme of ['http', 'https', 'socks5']) {
    await assertFailure(open({ value: `${scheme}://127.0.0.1:${nobody}` }), {
      says: connecting,
      hint: /^Check the host and port in HTTPS_PROXY, and that the proxy runs/,
      isTransient: true,
    });
  }
  await assert.rejects(open({ value: 'http://somebody:hunter2@proxy.invalid:3128' }), (error) => {
    assert.ok(error instanceof MachineIdError);
    assert.match(
      error.message,
      /^cannot resolve the host name of the HTTP proxy http:\/\/proxy\.invalid:3128 \(HTTPS_P/,
    );
    assert.match(error.hint, /^Correct the host name in HTTPS_PROXY/);
    return true;
  });
  const plain = await answering(t, 'HTTP/1.1 400 Bad Request\r\n\r\n');
  await assertFailure(open({ value: `https://127.0.0.1:${String(plain.port)}` }), {
    says: /^cannot open TLS to the HTTP proxy https:.* does not speak TLS/,
    hint: /write http:\/\/ instead of https:\/\//,
  });
});

/** A real HTTP proxy, over TLS, that connects everything to one server. */
async function tlsProxy(t: TestContext, to: number): Promise<number> {
  const http = createHttpServer().on('connect', (_request, socket, head) => {
    const upstream = connect(to, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      upstream.write(head);
      upstream.pipe(socket).pipe(upstream);
    });
    upstream.on('error', () => socket.destroy());
    socket.on('error', () => upstream.destroy());
  });
  const server = createTlsServer({ cert: own.certificate, key: own.key }, (socket) => http.emit('connection', socket));
  return portOf(t, server);
}

test('TLS to the server runs inside TLS to an https:// proxy, whose certificate is checked', async (t) => {
  const teleport = createTlsServer({ cert: inner.certificate, key: inner.key, ALPNProtocols: ['h2'] }, (socket) => {
    socket.on('error', () => undefined).pipe(socket);
  });
  const port = await tlsProxy(t, await portOf(t, teleport));
  const value = `https://localhost:${String(port)}`;
  const { closed, told, trace } = keptTrace();
  const authorities = () => Promise.resolve([own.certificate]);
  const network = openNetwork({ environment: { HTTPS_PROXY: value }, authorities });
  const wire = trace.connection('x');
  const socket = await dialTls({ network, address: TARGET, alpn: ['h2'], ca: inner.certificate, signal, wire });
  socket.write('hello');
  assert.equal(String(await once(socket, 'data')), 'hello');
  socket.destroy();
  await closed;
  assert.deepEqual(
    told().flatMap(({ event, subject }) => (event === 'dns' || event === 'tcp-failed' ? [] : [[event, subject]])),
    [
      ['tcp', undefined],
      ['tls', 'localhost'],
      ['proxy', undefined],
      ['tls', 'teleport.example.com'],
      ['closed', undefined],
    ],
  );
  const hint = /^If a private authority signed it, pass its PEM with --ca-file, SSL_CERT_FILE or NODE_EXTRA_CA_CERTS/;
  const says =
    /^the certificate of the HTTP proxy https:\/\/localhost:\d+ \(HTTPS_PROXY\) is not trusted: .*SELF_SIGNED/;
  await assertFailure(open({ value }), { says, hint });
  const other = `https://127.0.0.1:${String(port)}`;
  await assertFailure(open({ value: other, ca: own.certificate }), { says: /not trusted: .*ALTNAME_INVALID/, hint });
});

const LOGIN = 'somebody:hunter2@';
const GRANTED = [5, 0, 0, 1, 127, 0, 0, 1, 0, 80];

for (const [name, login, host, answers, requests] of [
  [
    'a name',
    '',
    'teleport.example.com',
    [[5, 0], GRANTED],
    ['050100', `0501000314${hexOf('teleport.example.com')}0c08`],
  ],
  [
    'an IPv4 address',
    '',
    '192.0.2.1',
    [
      [5, 0],
      [...GRANTED.slice(0, 3), 3, 2, 97, 98, 0, 80],
    ],
    ['050100', '05010001c00002010c08'],
  ],
  [
    'an IPv6 address',
    '',
    '2001:db8::1:2',
    [
      [5, 0],
      [5, 0, 0, 4, ...Array.from({ length: 16 }, () => 0), 0, 80],
    ],
    ['050100', '0501000420010db80000000000000000000100020c08'],
  ],
  [
    'a login',
    LOGIN,
    '::ffff:192.0.2.1',
    [[5, 2], [1, 0], GRANTED],
    ['05020002', `0108${hexOf('somebody')}07${hexOf('hunter2')}`, '0501000400000000000000000000ffffc00002010c08'],
  ],
  ['a login that is not asked for', LOGIN, '192.0.2.1', [[5, 0], GRANTED], ['05020002', '05010001c00002010c08']],
] as const) {
  test(`a SOCKS proxy is asked for a connection, with ${name}`, async (t) => {
    const [last = GRANTED, ...first] = [...answers].reverse();
    const spoken = Buffer.concat([Buffer.from(last), Buffer.from('SSH-2.0-node')]);
    const { port, received, sockets } = await answering(t, ...first.reverse().map((one) => Buffer.from(one)), spoken);
    const socket = await open({ value: `socks5://${login}127.0.0.1:${String(port)}`, target: { host, port: 3080 } });
    assert.deepEqual(
      received.map((one) => one.toString('hex')),
      requests,
    );
    assert.equal(String(await once(socket, 'data')), 'SSH-2.0-node');
    socket.write('hello');
    const [peer] = sockets;
    assert.ok(peer);
    await once(peer, 'data');
    assert.equal(received.at(-1)?.toString(), 'hello');
  });
}

function hexOf(text: string): string {
  return Buffer.from(text).toString('hex');
}

test('TLS runs over a connection of a SOCKS proxy, whose answers arrive byte by byte', async (t) => {
  const teleport = createTlsServer({ cert: inner.certificate, key: inner.key, ALPNProtocols: ['h2'] }, (socket) => {
    socket.on('error', () => undefined).pipe(socket);
  });
  const to = await portOf(t, teleport);
  const server = createServer((socket) => {
    const send = async (answer: readonly number[]) => {
      for (const byte of answer) {
        socket.write(Buffer.of(byte));
        await new Promise((resolve) => setTimeout(resolve, 3));
      }
    };
    socket.once('data', () => {
      void send([5, 0]);
      socket.once('data', () => {
        // The client continues at the last byte.
        const [last = 0, ...others] = [...GRANTED].reverse();
        void send(others.reverse()).then(() => {
          socket.pipe(connect(to, '127.0.0.1')).pipe(socket);
          socket.write(Buffer.of(last));
        });
      });
    });
  });
  const network = openNetwork({ environment: { ALL_PROXY: `socks5h://127.0.0.1:${String(await portOf(t, server))}` } });
  const socket = await dialTls({ network, address: TARGET, alpn: ['h2'], ca: inner.certificate, signal });
  socket.write('hello');
  assert.equal(String(await once(socket, 'data')), 'hello');
  socket.destroy();
});

const SOCKS_FAILURES: readonly (readonly [
  name: string,
  login: string,
  answers: readonly (readonly number[])[],
  Failure,
])[] = [
  ['requires a login', '', [[5, 255]], { says: /requires a login$/, hint: /^Add user and password to HTTPS_PROXY/ }],
  [
    'accepts no method',
    LOGIN,
    [[5, 255]],
    { says: /accepts neither connections without a login nor/, hint: /RFC 1929/ },
  ],
  [
    'rejects the login',
    LOGIN,
    [
      [5, 2],
      [1, 1],
    ],
    { says: /rejected the user and password$/, hint: /^Correct user/ },
  ],
  [
    'wants another method',
    '',
    [[5, 1]],
    { says: /sent the login method 1, which was not offered/, hint: /report this/ },
  ],
  [
    'wants a login that was not offered',
    '',
    [[5, 2]],
    { says: /login method 2, which was not offered/, hint: /report/ },
  ],
  [
    'has a login of another version',
    LOGIN,
    [
      [5, 2],
      [5, 0],
    ],
    { says: /sent version 5 of the login/, hint: /report/ },
  ],
  [
    'speaks HTTP',
    '',
    [[...Buffer.from('HTTP/1.1 400 Bad')]],
    { says: /version 5: it speaks HTTP, expected 05/, hint: /http:/ },
  ],
  [
    'speaks SOCKS 4',
    '',
    [[0, 91]],
    { says: /is not a SOCKS proxy of version 5: its first bytes are 00 5b/, hint: /port/ },
  ],
  [
    'sends a reply of SOCKS 4',
    '',
    [
      [5, 0],
      [4, 0, 0, 1],
    ],
    { says: /sent a reply of version 4/, hint: /report/ },
  ],
  [
    'sends an unknown address',
    '',
    [
      [5, 0],
      [5, 0, 0, 9],
    ],
    { says: /an address of the unknown type 9/, hint: /report/ },
  ],
  ...(
    [
      [1, /cannot connect to teleport\.example\.com:3080 and gives no reason \(SOCKS reply 1\)/, true],
      [2, /does not allow connections to teleport\.example\.com:3080 \(SOCKS reply 2\)/, false],
      [3, /has no route to the network of teleport\.example\.com:3080 \(SOCKS reply 3\)/, true],
      [4, /cannot reach or resolve the host of teleport\.example\.com:3080 \(SOCKS reply 4\)/, true],
      [5, /reports that teleport\.example\.com:3080 refused the connection \(SOCKS reply 5\)/, true],
      [6, /reports that the packets to teleport\.example\.com:3080 expired in transit \(SOCKS reply 6\)/, true],
      [7, /does not support the command CONNECT, which .* needs \(SOCKS reply 7\)/, false],
      [8, /does not support the type of the address teleport\.example\.com:3080 \(SOCKS reply 8\)/, false],
      [9, /refused the connection to .* with an unknown reply \(SOCKS reply 9\)/, false],
    ] as const
  ).map(
    ([reply, says, isTransient]) =>
      [
        `replies ${reply}`,
        '',
        [
          [5, 0],
          [5, reply, 0, 1],
        ],
        { says, isTransient, hint: /NO_PROXY/ },
      ] as const,
  ),
];

for (const [name, login, answers, failure] of SOCKS_FAILURES) {
  test(`a SOCKS proxy ${name}`, async (t) => {
    const { port, sockets } = await answering(t, ...answers.map((one) => Buffer.from(one)));
    await assertFailure(open({ value: `socks5://${login}127.0.0.1:${String(port)}` }), failure);
    await clientGone(sockets);
  });
}

test('a SOCKS proxy closes the connection at any point, or says nothing', async (t) => {
  const closed = {
    says: /closed the connection instead of answering/,
    hint: /the log of the proxy/,
    isTransient: true,
  };
  for (const answers of [
    [],
    [[5, 0]],
    [[5, 2]],
    [
      [5, 2],
      [1, 0],
    ],
  ]) {
    const { port } = await answering(t, ...answers.map((one) => Buffer.from(one)), undefined);
    await assertFailure(open({ value: `socks5://${LOGIN}127.0.0.1:${String(port)}` }), closed);
  }
  const ending = createServer((socket) => socket.end(Buffer.of(5)));
  await assertFailure(open({ value: `socks5://127.0.0.1:${String(await portOf(t, ending))}` }), closed);
  for (const answers of [
    [],
    [[5]],
    [[5, 0]],
    [
      [5, 0],
      [5, 0, 0, 3, 9],
    ],
  ]) {
    const { port } = await answering(t, ...answers.map((one) => Buffer.from(one)));
    await assertFailure(open({ value: `socks5://127.0.0.1:${String(port)}`, timeoutMs: 250 }), {
      says: /did not answer the request for teleport\.example\.com:3080 within 0\.2 s/,
      hint: /firewall/,
      isTransient: true,
    });
  }
});

test('a dial that is aborted while the proxy is asked closes the connection, with the reason of its signal', async (t) => {
  for (const scheme of ['http', 'socks5', 'https']) {
    const { port, sockets } = await answering(t);
    const controller = new AbortController();
    const opening = open({ value: `${scheme}://127.0.0.1:${String(port)}` }, { signal: controller.signal });
    setTimeout(() => {
      controller.abort(new Error('time is up'));
    }, 100);
    await assert.rejects(opening, /^Error: time is up$/);
    await clientGone(sockets);
  }
});
