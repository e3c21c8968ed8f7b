import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import test, { type TestContext } from 'node:test';
import { WebSocketServer, type WebSocket } from 'ws';
import { openWebSocket, WebSocketRefused } from '../../src/net/websocket.ts';

const REQUEST = { host: 'teleport.example.com:443', path: '/webapi/connectionupgrade', subprotocol: 'alpn-ping' };

async function dial(t: TestContext, server: Server): Promise<Socket> {
  if (!server.listening) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  const socket = connect(address.port, '127.0.0.1');
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

function open(socket: Socket, signal = new AbortController().signal): Promise<Duplex> {
  return openWebSocket(socket, { ...REQUEST, signal });
}

/** A WebSocket server of the package `ws`, which checks masks, lengths and headers. */
async function withWs(t: TestContext, serve: (client: WebSocket, headers: NodeJS.Dict<unknown>) => void) {
  const server = createServer();
  const http = createHttpServer();
  const webSockets = new WebSocketServer({ server: http, perMessageDeflate: false });
  webSockets.on('connection', (client, request) => {
    serve(client, request.headers);
  });
  server.on('connection', (socket) => http.emit('connection', socket));
  t.after(() => {
    webSockets.close();
  });
  return open(await dial(t, server));
}

/** The response to a correct request; `after` follows in the same write. */
function accepting(change: (head: string) => string, after: Buffer = Buffer.alloc(0)): Server {
  return createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (request: Buffer) => {
      const [, key = ''] = /Sec-WebSocket-Key: (.*)\r/.exec(request.toString()) ?? [];
      const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
      const head = [
        'HTTP/1.1 101 Switching Protocols',
        'Upgrade: websocket',
        'Connection: Upgrade',
        `Sec-WebSocket-Accept: ${accept}`,
        'Sec-WebSocket-Protocol: alpn-ping',
        '',
        '',
      ].join('\r\n');
      socket.write(Buffer.concat([Buffer.from(change(head)), after]));
    });
  });
}

/** A server's frame with a length below 126. */
function frame(first: number, payload: Buffer | string): Buffer {
  const bytes = Buffer.from(payload);
  return Buffer.concat([Buffer.from([first, bytes.length]), bytes]);
}

async function readUntilEnd(stream: Duplex): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) {
    assert.ok(Buffer.isBuffer(chunk));
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

test('bytes pass both ways through a WebSocket server, in every form of length', async (t) => {
  const sizes = [0, 1, 125, 126, 65_535, 65_536, 1_000_000];
  const stream = await withWs(t, (client) => {
    client.on('message', (data, isBinary) => {
      assert.ok(isBinary);
      client.send(data, { binary: true });
    });
  });
  for (const size of sizes.filter((one) => one > 0)) {
    const sent = randomBytes(size);
    stream.write(sent);
    const received: Buffer[] = [];
    while (received.reduce((sum, { length }) => sum + length, 0) < size) {
      const chunk: unknown = stream.read();
      if (Buffer.isBuffer(chunk)) received.push(chunk);
      else await once(stream, 'readable');
    }
    assert.ok(Buffer.concat(received).equals(sent), `${size} bytes`);
  }
});

test('the request names the one subprotocol, the path and the host', async (t) => {
  let seen: NodeJS.Dict<unknown> = {};
  await withWs(t, (_client, headers) => {
    seen = headers;
  });
  const { host, upgrade, connection, 'sec-websocket-protocol': protocol } = seen;
  assert.deepEqual([host, upgrade, connection, protocol], [REQUEST.host, 'websocket', 'Upgrade', 'alpn-ping']);
});

test('a ping is answered by a pong with its payload', async (t) => {
  const payload = new Promise<string>((resolve) => {
    void withWs(t, (client) => {
      client.ping('teleport');
      client.on('pong', (data) => {
        resolve(data.toString());
      });
    }).then((stream) => stream.resume());
  });
  assert.equal(await payload, 'teleport');
});

test('a Close frame, and the end of the connection, are the end of the stream', async (t) => {
  const closed = await withWs(t, (client) => {
    client.send(Buffer.from('last words'));
    client.close(1000);
  });
  assert.equal(await readUntilEnd(closed), 'last words');
  const cut = await withWs(t, (client) => {
    client.send(Buffer.from('cut'), () => {
      client.terminate();
    });
  });
  assert.equal(await readUntilEnd(cut), 'cut');
});

test('destroying the stream closes the connection', async (t) => {
  const closed = new Promise<void>((resolve) => {
    void withWs(t, (client) => {
      client.on('close', () => {
        resolve();
      });
    }).then((stream) => stream.destroy());
  });
  await closed;
});

test('frames that follow the response in the same packet are not lost, nor frames that are split anywhere', async (t) => {
  const frames = Buffer.concat([
    frame(0x02, 'one '), // a message in three parts, with a ping and a text message in between
    frame(0x89, 'ping'),
    frame(0x00, ''),
    frame(0x80, 'two '),
    frame(0x81, 'ignored'),
    frame(0x8a, 'an unasked pong'),
    Buffer.concat([Buffer.from([0x82, 127, 0, 0, 0, 0, 0, 0, 0, 5]), Buffer.from('three')]),
    frame(0x88, ''),
    frame(0x82, 'after the end'),
  ]);
  const together = await open(
    await dial(
      t,
      accepting((head) => head, frames),
    ),
  );
  assert.equal(await readUntilEnd(together), 'one two three');

  const byByte = accepting((head) => head);
  byByte.on('connection', (socket) => {
    socket.setNoDelay(true);
    socket.once('data', () => {
      const send = async () => {
        for (const byte of frames) {
          socket.write(Buffer.from([byte]));
          await new Promise(setImmediate);
        }
      };
      send().catch(() => undefined);
    });
  });
  assert.equal(await readUntilEnd(await open(await dial(t, byByte))), 'one two three');
});

const REFUSED: readonly (readonly [string, (head: string) => string, RegExp])[] = [
  [
    'status 404',
    () => 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n',
    /^the response has status 404, expected 101$/,
  ],
  ['status 200', () => 'HTTP/1.1 200 OK\r\n\r\n<html>', /status 200/],
  ['something that is not HTTP', () => 'SSH-2.0-Teleport\r\n\r\n', /^the response is not HTTP$/],
  ['a wrong digest', (head) => head.replace(/Accept: ./, 'Accept: !'), /does not answer the request for a WebSocket/],
  ['another protocol', (head) => head.replace('Upgrade: websocket', 'Upgrade: h2c'), /does not answer the request/],
  [
    'no subprotocol',
    (head) => head.replace(/Sec-WebSocket-Protocol.*\r\n/, ''),
    /subprotocol none, expected "alpn-ping"/,
  ],
  ['another subprotocol', (head) => head.replace('alpn-ping', 'alpn'), /subprotocol "alpn", expected "alpn-ping"/],
  ['a header without end', () => `HTTP/1.1 101 x\r\n${'x'.repeat(20_000)}`, /header of more than 16384 bytes/],
];
for (const [what, change, expected] of REFUSED) {
  test(`${what} is not a WebSocket`, async (t) => {
    const socket = await dial(t, accepting(change));
    await assert.rejects(open(socket), (error) => error instanceof WebSocketRefused && expected.test(error.message));
  });
}

test('a connection that is closed or silent before the response ends the attempt', async (t) => {
  const closing = createServer((socket) => socket.end());
  await assert.rejects(open(await dial(t, closing)), /closed before a response to the upgrade/);
  const silent = createServer(() => undefined);
  const controller = new AbortController();
  const attempt = open(await dial(t, silent), controller.signal);
  controller.abort(new Error('enough'));
  await assert.rejects(attempt, /enough/);
});

const MALFORMED: readonly (readonly [string, Buffer])[] = [
  ['a mask', Buffer.from([0x82, 0x81, 0, 0, 0, 0, 1])],
  ['reserved bits', frame(0xc2, 'x')],
  ['an unknown opcode', frame(0x83, 'x')],
  ['a ping in parts', frame(0x09, 'x')],
  ['a ping of 126 bytes', Buffer.concat([Buffer.from([0x89, 126, 0, 126]), Buffer.alloc(126)])],
  ['an impossible length', Buffer.from([0x82, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])],
];
for (const [what, bytes] of MALFORMED) {
  test(`a frame with ${what} ends the stream with an error`, async (t) => {
    const stream = await open(
      await dial(
        t,
        accepting((head) => head, bytes),
      ),
    );
    await assert.rejects(readUntilEnd(stream), /received a WebSocket frame with/);
  });
}

test('a server that sends pings and reads nothing does not fill the memory', async (t) => {
  const ping = frame(0x89, 'x'.repeat(125));
  const server = accepting((head) => head);
  server.on('connection', (socket) => {
    socket.once('data', () => {
      socket.pause();
      for (let sent = 0; sent < 100_000; sent += 1) socket.write(ping);
    });
  });
  const socket = await dial(t, server);
  const stream = await open(socket);
  stream.resume();
  while (socket.bytesRead < 100_000 * ping.length) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(socket.writableLength < 1024 * 1024, `${socket.writableLength} bytes wait to be sent`);
});

test('a reader that stops reading stops the server', async (t) => {
  const chunk = Buffer.concat([Buffer.from([0x82, 126, 0xff, 0xff]), Buffer.alloc(65_535)]);
  let sent = 0;
  const server = accepting((head) => head);
  server.on('connection', (socket) => {
    socket.once('data', () => {
      const more = () => {
        while (sent < 64 * 1024 * 1024) {
          sent += chunk.length;
          if (!socket.write(chunk)) return;
        }
      };
      socket.on('drain', more);
      more();
    });
  });
  await open(await dial(t, server));
  let before = -1;
  while (before !== sent) {
    before = sent;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.ok(sent < 64 * 1024 * 1024, 'everything was sent to a reader that reads nothing');
});
