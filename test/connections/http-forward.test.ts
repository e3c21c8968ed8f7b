/** The HTTP forward proxy inside `application-proxy`, with a target on this machine. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type RequestListener, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import test, { type TestContext } from 'node:test';
import { MachineIdError } from '../../src/errors.ts';
import { forwardProxy, KeptConnections } from '../../src/net/http-forward.ts';

async function portOf(t: TestContext, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return address.port;
}

interface Scene {
  readonly ask: (method: string, body?: string) => Promise<string>;
  /** The target's connections, in the order in which they were opened. */
  readonly opened: readonly Socket[];
  readonly kept: KeptConnections;
}

/** A proxy for one target that answers with the number of its connection, from 1 on, unless `answer` does. */
async function scene(t: TestContext, answer?: RequestListener): Promise<Scene> {
  const opened: Socket[] = [];
  const target = createServer((incoming, response) => {
    if (answer !== undefined) answer(incoming, response);
    else incoming.resume().on('end', () => response.end(String(opened.indexOf(incoming.socket) + 1)));
  });
  target.on('connection', (socket: Socket) => opened.push(socket));
  const targetPort = await portOf(t, target);
  const open = async (): Promise<Socket> => {
    const socket = connect(targetPort, '127.0.0.1');
    await once(socket, 'connect');
    return socket;
  };
  const kept = new KeptConnections(open);
  const find = () => Promise.resolve({ isHttp: true, connect: open, kept });
  const port = await portOf(t, forwardProxy({ find, carry: () => undefined, onFailure: () => undefined }));
  const ask = async (method: string, body = '') => {
    const headers = { 'Content-Length': body.length };
    const asked = request({ port, host: '127.0.0.1', method, path: 'http://target/', headers, agent: false });
    asked.end(body);
    const answered = await new Promise<IncomingMessage>((resolve, reject) => {
      asked.once('response', resolve).once('error', reject);
    });
    return `${answered.statusCode ?? 0} ${await text(answered)}`;
  };
  return { ask, opened, kept };
}

test('requests that may be sent again share a connection, and others get a new one', async (t) => {
  const { ask } = await scene(t);
  const answers: string[] = [];
  for (const method of ['GET', 'OPTIONS', 'POST', 'GET', 'PUT', 'GET']) answers.push(await ask(method));
  assert.deepEqual(answers, ['200 1', '200 1', '200 2', '200 1', '200 3', '200 1']);
  assert.deepEqual([await ask('GET', 'with a body'), await ask('GET')], ['200 4', '200 1']);
  // Its answer is complete for the client before the connection is free again.
  assert.equal(await ask('HEAD'), '200 ');
});

test('a request on a kept connection that breaks at that moment is sent again on a new one', async (t) => {
  let requests = 0;
  const { ask, opened } = await scene(t, ({ socket }, response) => {
    requests += 1;
    if (requests === 2) socket.destroy();
    else response.end(String(requests));
  });
  assert.deepEqual([await ask('GET'), await ask('GET')], ['200 1', '200 3']);
  assert.equal(opened.length, 2);
});

test('one that breaks on a new connection is an error, not sent again', async (t) => {
  let requests = 0;
  const { ask } = await scene(t, ({ socket }) => {
    requests += 1;
    socket.destroy();
  });
  assert.match(await ask('GET'), /^502 /);
  assert.equal(requests, 1);
});

test('retired connections close, those with a request once it has been answered', async (t) => {
  const answered: (() => void)[] = [];
  const { ask, kept, opened } = await scene(t, (_incoming, response) => {
    answered.push(() => response.end('late'));
  });
  const late = ask('GET');
  while (answered.length === 0) await new Promise(setImmediate);
  kept.retire();
  answered.shift()?.();
  assert.equal(await late, '200 late');
  const [socket] = opened;
  if (socket?.closed === false) await once(socket, 'close');
});

test('a target that cannot be reached is reported with its reason', async (t) => {
  const refused = () =>
    Promise.reject(new MachineIdError('PROXY_UNREACHABLE', 'connection refused', { hint: 'Start it.' }));
  const find = () => Promise.resolve({ isHttp: true, connect: refused, kept: new KeptConnections(refused) });
  const told: string[] = [];
  const options = { find, carry: () => undefined, onFailure: ({ message }: Error) => told.push(message) };
  const port = await portOf(t, forwardProxy(options));
  const asked = request({ port, host: '127.0.0.1', path: 'http://target/', agent: false }).end();
  const answered = await new Promise<IncomingMessage>((resolve) => asked.once('response', resolve));
  assert.deepEqual([answered.statusCode, told], [502, ['connection refused']]);
  assert.match(await text(answered), /"code":"PROXY_UNREACHABLE"/);
});
