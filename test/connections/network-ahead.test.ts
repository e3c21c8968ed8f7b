/** A connection that is opened before it is needed. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import test, { type TestContext } from 'node:test';
import type { Clock } from '../../src/effects/time.ts';
import { openNetwork } from '../../src/net/network.ts';
import type { WireConnection } from '../../src/net/trace.ts';

async function scene(t: TestContext) {
  const signal = AbortSignal.timeout(20_000);
  const accepted: Socket[] = [];
  const server = createServer((socket) => accepted.push(socket.on('error', () => undefined).resume()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of accepted) socket.destroy();
    server.close();
  });
  const listening = server.address();
  assert.ok(typeof listening === 'object' && listening !== null);
  let nowMs = 0;
  const clock: Pick<Clock, 'elapsedMs'> = { elapsedMs: () => nowMs };
  const network = openNetwork({ environment: {} });
  const address = { host: '127.0.0.1', port: listening.port };
  const until = async (count: number) => {
    while (accepted.length < count) {
      signal.throwIfAborted();
      await new Promise(setImmediate);
    }
  };
  const open = () => network.open(address, { signal, for: 'cluster' });
  const pass = (durationMs: number) => (nowMs += durationMs);
  return {
    accepted,
    address,
    clock,
    network,
    open,
    pass,
    signal,
    until,
    begin: () => network.ahead(address, { signal, clock }),
  };
}

test('the next connection to the address is the one that was begun, and only that one', async (t) => {
  const { accepted, begin, open, until } = await scene(t);
  begin();
  await until(1);
  const first = await open();
  assert.equal(accepted.length, 1);
  assert.equal(first.localPort, accepted[0]?.remotePort);
  await open();
  await until(2);
});

test('one that is in use is not closed with those that nothing uses', async (t) => {
  const { begin, open, until } = await scene(t);
  const close = begin();
  await until(1);
  const socket = await open();
  close();
  await new Promise(setImmediate);
  assert.equal(socket.destroyed, false);
});

test('of several that were begun, each is used once, and those that nothing uses are closed', async (t) => {
  const { accepted, begin, open, until } = await scene(t);
  const closers = [begin(), begin(), begin()];
  await until(3);
  const used = [await open(), await open()];
  for (const close of closers) close();
  await until(3);
  const ports = accepted.map(({ remotePort }) => remotePort);
  assert.equal(new Set(used.map(({ localPort }) => localPort)).size, 2);
  for (const { destroyed, localPort } of used) assert.ok(!destroyed && ports.includes(localPort));
  const [unused] = accepted.filter(({ remotePort }) => used.every(({ localPort }) => localPort !== remotePort));
  assert.ok(unused);
  if (!unused.closed) await once(unused, 'close');
});

test('its events belong to the connection that uses it', async (t) => {
  const { address, begin, network, signal, until } = await scene(t);
  begin();
  await until(1);
  const events: string[] = [];
  const wire: WireConnection = { emit: ({ event }) => events.push(event), stopwatch: () => () => 0 };
  await network.open(address, { signal, for: 'cluster', wire });
  assert.deepEqual(events, ['tcp']);
});

test('a connection to another address, or for another purpose, leaves it alone', async (t) => {
  const one = await scene(t);
  const other = await scene(t);
  one.begin();
  await one.until(1);
  await one.network.open(other.address, { signal: one.signal, for: 'cluster' });
  await other.until(1);
  await one.network.open(one.address, { signal: one.signal, for: 'https' });
  await one.until(2);
});

test('one that the server has closed, or that is old, is replaced', async (t) => {
  const { accepted, begin, open, pass, until } = await scene(t);
  begin();
  await until(1);
  accepted[0]?.destroy();
  await new Promise((resolve) => setTimeout(resolve, 50));
  const socket = await open();
  await until(2);
  assert.equal(socket.destroyed, false);
  begin();
  await until(3);
  pass(6000);
  await open();
  await until(4);
});

test('one that nothing uses is closed, and one that cannot be opened changes nothing', async (t) => {
  const { accepted, begin, clock, network, signal, until } = await scene(t);
  const close = begin();
  await until(1);
  close();
  const [socket] = accepted;
  if (socket?.closed === false) await once(socket, 'close');
  const nowhere = { host: '127.0.0.1', port: 1 };
  network.ahead(nowhere, { signal, clock });
  await assert.rejects(network.open(nowhere, { signal, for: 'cluster' }), { code: 'ECONNREFUSED' });
});
