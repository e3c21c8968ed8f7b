import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { peekClientHello } from './client-hello.ts';

const offer = { servername: 'teleport.cluster.local', ALPNProtocols: ['teleport-auth@abc', 'h2'] };
const expected = { serverName: 'teleport.cluster.local', alpn: ['teleport-auth@abc', 'h2'] };

test('a ClientHello is read and left on the socket unchanged', async () => {
  const hello = await captureClientHello();
  const { read, left } = await peekAt([hello]);
  assert.deepEqual(read, expected);
  assert.deepEqual(left, hello);
});

test('a ClientHello that arrives byte by byte is read', async () => {
  const hello = await captureClientHello();
  const pieces = [hello.subarray(0, 1), hello.subarray(1, 4), hello.subarray(4, 60), hello.subarray(60)];
  assert.deepEqual((await peekAt(pieces)).read, expected);
});

test('a ClientHello in several records is read', async () => {
  const hello = await captureClientHello();
  const [header, message] = [hello.subarray(0, 3), hello.subarray(5)];
  const record = (part: Buffer): Buffer =>
    Buffer.concat([header, Buffer.from([part.length >> 8, part.length & 255]), part]);
  const split = Buffer.concat([record(message.subarray(0, 50)), record(message.subarray(50))]);
  assert.deepEqual((await peekAt([split])).read, expected);
});

const strangers: readonly { readonly name: string; readonly bytes: Buffer }[] = [
  { name: 'plain HTTP', bytes: Buffer.from('GET / HTTP/1.1\r\n\r\n') },
  { name: 'another handshake message', bytes: Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0]) },
  { name: 'a ClientHello whose inner lengths lie', bytes: Buffer.from([22, 3, 1, 0, 5, 1, 0, 0, 1, 9]) },
];
for (const { name, bytes } of strangers) {
  test(`${name} is refused`, async () => {
    await assert.rejects(peekAt([bytes]), /not a TLS ClientHello/);
  });
}

test('a client that disconnects in the middle is refused', async () => {
  const hello = await captureClientHello();
  await assert.rejects(peekAt([hello.subarray(0, 20)], 'leave'), /closed before its ClientHello was complete/);
});

/** The first bytes of Node's own TLS client. */
async function captureClientHello(): Promise<Buffer> {
  const { server, port } = await listening();
  const client = connectTls({ port, host: '127.0.0.1', ...offer });
  client.on('error', () => undefined);
  const socket = await accepted(server);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(socket, 'data');
  client.destroy();
  server.close();
  return Buffer.concat(chunks);
}

async function peekAt(
  pieces: readonly Buffer[],
  then: 'stay' | 'leave' = 'stay',
): Promise<{ read: Awaited<ReturnType<typeof peekClientHello>>; left: unknown }> {
  const { server, port } = await listening();
  const client = connect({ port, host: '127.0.0.1', noDelay: true });
  const socket = await accepted(server);
  try {
    const [read] = await Promise.all([peekClientHello(socket), send(client, pieces, then)]);
    return { read, left: socket.read() };
  } finally {
    client.destroy();
    socket.destroy();
    server.close();
  }
}

async function send(client: Socket, pieces: readonly Buffer[], then: 'stay' | 'leave'): Promise<void> {
  for (const piece of pieces) {
    client.write(piece);
    await delay(5);
  }
  if (then === 'leave') {
    client.destroy();
  }
}

async function listening(): Promise<{ server: ReturnType<typeof createServer>; port: number }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(isAddress(address));
  return { server, port: address.port };
}

function isAddress(address: ReturnType<ReturnType<typeof createServer>['address']>): address is AddressInfo {
  return address !== null && typeof address !== 'string';
}

function accepted(server: ReturnType<typeof createServer>): Promise<Socket> {
  return new Promise((resolve) => {
    server.once('connection', resolve);
  });
}
