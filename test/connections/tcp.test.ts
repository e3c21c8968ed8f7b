import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import test, { type TestContext } from 'node:test';
import { openTcp } from '../../src/net/tcp.ts';
import { freePort } from '../e2e/free-port.ts';
import { bounded } from '../programs.ts';
import { keptTrace } from './told-events.ts';

const { signal } = new AbortController();

async function listen(t: TestContext, host: string, port = 0): Promise<{ port: number; accepted: Socket[] }> {
  const accepted: Socket[] = [];
  const server: Server = createServer((socket) => {
    accepted.push(socket.on('error', () => undefined));
  });
  server.listen(port, host);
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of accepted) socket.destroy();
  });
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return { port: address.port, accepted };
}

const LISTENER = `
const server = require('node:net').createServer();
server.listen({ host: process.argv[1], port: process.argv[2], backlog: 1 }, () => console.log('listening'));`;

/**
 * A port whose SYNs get no answer, as behind a firewall: a stopped process with a full queue of connections. Another server can
 * listen at the same port of 127.0.0.1.
 */
async function deafPort(t: TestContext, host: string): Promise<number> {
  const port = await freePort();
  const args = ['-e', LISTENER, host, String(port)];
  const child = bounded(spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] }));
  const queue: Socket[] = [];
  t.after(() => {
    child.kill('SIGKILL');
    for (const socket of queue) socket.destroy();
  });
  await once(child.stdout, 'data');
  child.kill('SIGSTOP');
  for (;;) {
    const socket = connect({ host, port }).on('error', () => undefined);
    queue.push(socket);
    const isOpen = await Promise.race([
      once(socket, 'connect').then(() => true),
      new Promise<boolean>((resolve) => setTimeout(resolve, 200, false)),
    ]);
    if (!isOpen) return port;
    assert.ok(queue.length < 20, 'the queue is never full');
  }
}

const to =
  (...addresses: readonly string[]) =>
  () =>
    Promise.resolve(addresses);

test('a silent first address delays a connection by a quarter of a second, and its attempt is closed', async (t) => {
  const port = await deafPort(t, '127.0.0.2');
  const { accepted } = await listen(t, '127.0.0.1', port);
  const { told, trace } = keptTrace();
  const startMs = performance.now();
  const wire = trace.connection('x');
  const socket = await openTcp({ host: 'a.example.com', port }, { signal, wire, lookUp: to('127.0.0.2', '127.0.0.1') });
  const tookMs = performance.now() - startMs;
  assert.equal(socket.remoteAddress, '127.0.0.1');
  assert.ok(tookMs >= 240 && tookMs < 2000, `took ${tookMs} ms`);
  assert.deepEqual(
    told().map(({ event, address, addresses }) => [event, address ?? addresses]),
    [
      ['dns', ['127.0.0.2', '127.0.0.1']],
      ['tcp', '127.0.0.1'],
    ],
  );
  socket.destroy();
  assert.equal(accepted.length, 1);
});

test('an attempt that is slower than a quarter of a second still wins', async (t) => {
  // Node 20 and later abandon an attempt after 250 ms: here, the second address would be the last one tried.
  const [slow, dead] = [await deafPort(t, '127.0.0.2'), '127.0.0.3'];
  const controller = new AbortController();
  const opening = openTcp(
    { host: 'a.example.com', port: slow },
    { signal: controller.signal, lookUp: to('127.0.0.2', dead) },
  );
  // The other address refuses at once, which does not end the first attempt.
  const settled = opening.then(
    () => 'open',
    () => 'failed',
  );
  const waited = new Promise((resolve) => setTimeout(resolve, 600, 'waiting'));
  assert.equal(await Promise.race([settled, waited]), 'waiting');
  controller.abort(new Error('time is up'));
  await assert.rejects(opening, /time is up/);
});

test('after a refusal, the next address is tried at once', async (t) => {
  const { port } = await listen(t, '127.0.0.1');
  const startMs = performance.now();
  const { told, trace } = keptTrace();
  const refusing = Array.from({ length: 20 }, (_, at) => `127.0.0.${at + 2}`);
  const options = { signal, lookUp: to(...refusing, '127.0.0.1'), wire: trace.connection('x') };
  (await openTcp({ host: 'a.example.com', port }, options)).destroy();
  // A pause of a quarter of a second before each, as after a silent one, would be five seconds.
  assert.ok(performance.now() - startMs < 5000);
  assert.deepEqual(
    told().flatMap(({ event, address, error }) => (event === 'dns' ? [] : [[event, address, error]])),
    [...refusing.map((address) => ['tcp-failed', address, 'ECONNREFUSED']), ['tcp', '127.0.0.1', undefined]],
  );
});

test('the address that has answered is tried first, and the others still follow', async (t) => {
  const reached = new Map<string, string>();
  const tried = async (port: number, host = 'a.example.com') => {
    const { told, trace } = keptTrace();
    const options = { signal, reached, wire: trace.connection('x'), lookUp: to('127.0.0.2', '127.0.0.3', '127.0.0.1') };
    (await openTcp({ host, port }, options)).destroy();
    return told().flatMap(({ address, event }) => (event === 'dns' ? [] : [address]));
  };
  const { port } = await listen(t, '127.0.0.1');
  assert.deepEqual(await tried(port), ['127.0.0.2', '127.0.0.3', '127.0.0.1']);
  assert.deepEqual(await tried(port), ['127.0.0.1']);
  assert.deepEqual(await tried(port, 'b.example.com'), ['127.0.0.2', '127.0.0.3', '127.0.0.1']);
  const moved = await listen(t, '127.0.0.3', await freePort()); // one that no server of another test has at 127.0.0.1
  assert.deepEqual(await tried(moved.port), ['127.0.0.1', '127.0.0.2', '127.0.0.3']);
  assert.deepEqual(await tried(moved.port), ['127.0.0.3']);
  reached.set('a.example.com', '127.0.0.9');
  assert.deepEqual(await tried(moved.port), ['127.0.0.2', '127.0.0.3']);
});

test('families take turns, beginning with that of the first address', async (t) => {
  const { port } = await listen(t, '127.0.0.1');
  for (const [addresses, order] of [
    [
      ['::1', 'ff02::1', 'ff02::2', '127.0.0.2', '127.0.0.1'],
      ['::1', '127.0.0.2', 'ff02::1', '127.0.0.1'],
    ],
    [
      ['127.0.0.2', '127.0.0.3', '::1', '127.0.0.1'],
      ['127.0.0.2', '::1', '127.0.0.3', '127.0.0.1'],
    ],
  ] as const) {
    const { told, trace } = keptTrace();
    const wire = trace.connection('x');
    (await openTcp({ host: 'a.example.com', port }, { signal, wire, lookUp: to(...addresses) })).destroy();
    const tried = told().flatMap(({ address, event }) => (event === 'dns' ? [] : [address]));
    assert.deepEqual(tried, order);
  }
});

test('a server that listens on one family only is reached by its name', async (t) => {
  for (const host of ['127.0.0.1', '::1']) {
    const { port } = await listen(t, host);
    const socket = await openTcp({ host: 'a.example.com', port }, { signal, lookUp: to('::1', '127.0.0.1') });
    assert.equal(socket.remoteAddress, host);
    socket.destroy();
  }
});

test('if all addresses fail, the failures are reported together, one without a route last', async (t) => {
  const { port } = await listen(t, '127.0.0.9');
  const refused = openTcp({ host: 'a.example.com', port }, { signal, lookUp: to('ff02::1', '127.0.0.2', '127.0.0.3') });
  await assert.rejects(refused, (error) => {
    assert.ok(error instanceof AggregateError);
    const codes = error.errors.map((one: unknown) => (one instanceof Error && 'code' in one ? one.code : one));
    assert.deepEqual([codes.length, codes[0], codes[1]], [3, 'ECONNREFUSED', 'ECONNREFUSED']);
    return 'code' in error && error.code === 'ECONNREFUSED';
  });
  await assert.rejects(openTcp({ host: '127.0.0.2', port }, { signal }), { code: 'ECONNREFUSED' });
  await assert.rejects(openTcp({ host: 'a.example.com', port }, { signal, lookUp: to() }), /no address/);
});

test('an aborted dial opens nothing and leaves nothing open', async (t) => {
  const port = await deafPort(t, '127.0.0.2');
  const { accepted } = await listen(t, '127.0.0.1', port);
  await assert.rejects(
    openTcp({ host: '127.0.0.1', port }, { signal: AbortSignal.abort(new Error('before')) }),
    /before/,
  );
  const controller = new AbortController();
  const opening = openTcp({ host: '127.0.0.2', port }, { signal: controller.signal });
  setTimeout(() => {
    controller.abort(new Error('time is up'));
  }, 50);
  await assert.rejects(opening, /time is up/);
  assert.equal(accepted.length, 0);
});
