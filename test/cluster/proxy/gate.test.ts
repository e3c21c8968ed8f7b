import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import test, { type TestContext } from 'node:test';
import { requestWeb } from '../auth/raw-bot.ts';
import { Gate } from './gate.ts';
import { withCluster } from '../temporary-cluster.ts';

/** In front of a server that sends back what it gets. */
async function echoBehindGate(t: TestContext): Promise<Gate> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined).pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const gate = await Gate.start(0, () => address.port);
  t.after(async () => {
    await gate.close();
    server.close();
  });
  return gate;
}

async function dial({ port }: Gate): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.on('error', () => undefined); // the gate resets it at the end of the test
  return socket;
}

async function echoed(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  return String((await once(socket, 'data', { signal: AbortSignal.timeout(20_000) }))[0]);
}

test('connections are reset, and new ones can be opened', async (t) => {
  const gate = await echoBehindGate(t);
  const socket = await dial(gate);
  assert.equal(await echoed(socket, 'one'), 'one');
  const broken = once(socket, 'error');
  gate.drop();
  assert.match(String((await broken)[0]), /ECONNRESET/);
  assert.equal(await echoed(await dial(gate), 'two'), 'two');
});

test('a gate that is shut refuses connections, and accepts them at the same port when it is open again', async (t) => {
  const gate = await echoBehindGate(t);
  await gate.shut();
  await assert.rejects(dial(gate), { code: 'ECONNREFUSED' });
  await gate.reopen();
  assert.equal(await echoed(await dial(gate), 'three'), 'three');
});

test('during a stall connections are accepted and nothing passes; afterwards everything does', async (t) => {
  const gate = await echoBehindGate(t);
  const old = await dial(gate);
  assert.equal(await echoed(old, 'a'), 'a');
  gate.stall();
  const received: string[] = [];
  const fresh = await dial(gate);
  for (const socket of [old, fresh]) {
    socket.on('data', (bytes) => received.push(String(bytes))).write('b');
  }
  await pause(50);
  assert.deepEqual(received, []);
  gate.resume();
  for (const end = Date.now() + 20_000; received.length < 2 && Date.now() < end;) await pause(5);
  assert.deepEqual(received, ['b', 'b']);
});

test('a half-closed connection stays open in the other direction, also when it is late', async (t) => {
  const gate = await echoBehindGate(t);
  gate.delayMs = 10;
  const socket = connect({ port: gate.port, host: '127.0.0.1', allowHalfOpen: true });
  const received: string[] = [];
  socket.on('data', (bytes) => received.push(String(bytes)));
  socket.end('late');
  await once(socket, 'end', { signal: AbortSignal.timeout(20_000) });
  assert.equal(received.join(''), 'late');
});

test('a cluster behind a gate reports the port of the gate', async () => {
  await withCluster({ gate: true, front: 'l7' }, async (cluster) => {
    assert.equal(cluster.info.proxy, `localhost:${String(cluster.gate?.port)}`);
    assert.equal((await requestWeb(cluster, 'GET', '/webapi/ping')).status, 200);
    await cluster.gate?.shut();
    await assert.rejects(requestWeb(cluster, 'GET', '/webapi/ping'), { code: 'ECONNREFUSED' });
  });
});
