/** Connections that break in ways that Node's HTTP/2 does not report. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import test, { type TestContext } from 'node:test';
import { openBulkCall } from '../../src/grpc/bulk.ts';
import { GrpcCall } from '../../src/grpc/call.ts';
import { grpcOver } from '../../src/grpc/client.ts';
import { AuthService } from '../../src/grpc/gen/teleport/legacy/authservice_pb.ts';
import { grpcSession } from '../../src/grpc/session.ts';
import { dialTls } from '../../src/net/dial.ts';
import { network } from '../direct-network.ts';
import {
  FLAGS,
  frame,
  type FrameServer,
  message,
  onFrame,
  onRequest,
  ping,
  response,
  serverPreface,
  startFrameServer,
  trailers,
} from './http2-frames.ts';

const NEVER = new AbortController().signal;
/** Far more than a busy machine needs, and far less than any deadline of a call. */
const MOST_MS = 5000;

const BEGUN: readonly Buffer[] = [serverPreface(), Buffer.concat([response(1), message(1)])];

/** Responds to each first call with the parts, each in its own TLS record. */
function serverThatSends(t: TestContext, parts: readonly Buffer[]): Promise<FrameServer> {
  return startFrameServer(t, (socket) => {
    onRequest(socket, () => {
      for (const part of parts) socket.write(part);
    });
  });
}

interface Relay {
  readonly port: number;
  /** From now on, holds back the server's bytes; then sends them to the client in one piece, followed by a reset. */
  holdAndReset(afterMs: number): void;
}

/** In this process, so that the client cannot read anything between the bytes and the reset. */
async function startRelay(t: TestContext, to: FrameServer): Promise<Relay> {
  let held: Buffer[] | undefined;
  let client: Socket | undefined;
  const relay = createServer((front) => {
    client = front;
    const back = connect(to.port, '127.0.0.1');
    for (const socket of [front, back]) {
      socket.on('error', () => undefined);
      t.after(() => socket.destroy());
    }
    front.pipe(back);
    back.on('data', (bytes) => {
      if (held === undefined) front.write(bytes);
      else held.push(bytes);
    });
  });
  relay.listen(0, '127.0.0.1');
  await once(relay, 'listening');
  t.after(() => relay.close());
  const address = relay.address();
  assert.ok(typeof address === 'object' && address !== null);
  return {
    port: address.port,
    holdAndReset: (afterMs) => {
      held = [];
      setTimeout(() => {
        client?.write(Buffer.concat(held ?? []));
        client?.resetAndDestroy();
      }, afterMs);
    },
  };
}

async function dial(port: number, ca: string) {
  const address = { host: '127.0.0.1', port };
  return dialTls({ network, address, serverName: 'localhost', alpn: ['h2'], ca, signal: NEVER });
}

async function within<T>(work: Promise<T>): Promise<T> {
  const startMs = performance.now();
  const slow = new Promise<never>((_resolve, reject) => {
    setTimeout(() => {
      reject(new Error('nothing was noticed'));
    }, MOST_MS).unref();
  });
  try {
    return await Promise.race([work, slow]);
  } finally {
    assert.ok(performance.now() - startMs < MOST_MS);
  }
}

const RESET = { code: 'ECONNRESET' };

const SENT: readonly (readonly [what: string, parts: readonly Buffer[]])[] = [
  ['a ping', [...BEGUN, ping()]],
  ['a ping before any answer', [serverPreface(), ping()]],
  ['many pings', [...BEGUN, ...Array.from({ length: 50 }, ping)]],
  ['data alone', BEGUN],
];

for (const [what, parts] of SENT) {
  test(`a reset right behind ${what} ends a call at once`, async (t) => {
    const server = await serverThatSends(t, parts);
    const relay = await startRelay(t, server);
    const connection = await grpcOver(await dial(relay.port, server.ca), 'localhost');
    t.after(() => {
      connection.close();
    });
    relay.holdAndReset(100);
    await assert.rejects(within(connection.call(AuthService.ping, {}, { signal: NEVER })), RESET);
    await assert.rejects(connection.call(AuthService.ping, {}, { signal: NEVER }), Error);
  });

  test(`a reset right behind ${what} ends a stream at once, while its client sends`, async (t) => {
    const server = await serverThatSends(t, parts);
    const relay = await startRelay(t, server);
    const call = await openBulkCall(await dial(relay.port, server.ca), 'localhost', '/pkg.Service/Method');
    t.after(() => {
      call.close();
    });
    relay.holdAndReset(100);
    const over = new AbortController();
    const sending = (async () => {
      while (!over.signal.aborted) {
        await call.send([Buffer.alloc(1000)]);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    })();
    const reading = (async () => {
      for await (const part of call.messages()) assert.ok(part);
    })();
    await assert.rejects(within(reading), RESET);
    over.abort();
    await within(sending);
  });
}

const SPOILT_HEADERS = frame('HEADERS', { stream: 1, flags: FLAGS.END_HEADERS, payload: Buffer.alloc(40, 0xff) });

for (const [what, bytes] of [
  ['before any frame', Buffer.alloc(0)],
  ['inside a frame', Buffer.concat([...BEGUN, message(1, Buffer.alloc(100)).subarray(0, 50)])],
  ['after headers that cannot be read', Buffer.concat([serverPreface(), SPOILT_HEADERS, message(1)])],
  ['after a whole message', Buffer.concat(BEGUN)],
] as const) {
  test(`an orderly end ${what} ends a call at once`, async (t) => {
    const server = await startFrameServer(t, (socket) => {
      onRequest(socket, () => socket.end(bytes));
    });
    const call = await openBulkCall(await dial(server.port, server.ca), 'localhost', '/pkg.Service/Method');
    t.after(() => {
      call.close();
    });
    const reading = (async () => {
      for await (const part of call.messages()) assert.ok(part);
    })();
    await assert.rejects(within(reading), Error);
  });
}

/** The real timing, a hundred times as fast. */
const FAST = { tickMs: 50, lostTicks: 3, pauseTicks: 66 };

async function callWatched(t: TestContext, server: FrameServer): Promise<GrpcCall> {
  const session = await grpcSession(await dial(server.port, server.ca), 'localhost', { times: FAST });
  t.after(() => {
    session.close();
  });
  return new GrpcCall(session, '/pkg.Service/Method');
}

test('a server that is gone without a reset is noticed, while its client waits', async (t) => {
  const server = await startFrameServer(t, (socket) => {
    for (const part of BEGUN) socket.write(part);
  });
  const call = await callWatched(t, server);
  const reading = (async () => {
    for await (const part of call.messages()) assert.ok(part);
  })();
  await assert.rejects(within(reading), {
    message: /^the connection was lost: .* did not respond to a ping/,
  });
});

test('a call waits for a slow server that answers pings', async (t) => {
  const server = await startFrameServer(t, (socket) => {
    onFrame(socket, ({ flags, payload, stream, type }) => {
      if (type === 'HEADERS') {
        socket.write(Buffer.concat(BEGUN));
        setTimeout(() => socket.write(trailers(stream)), 1000);
      }
      if (type === 'PING' && flags === 0) socket.write(frame('PING', { flags: FLAGS.ACK, payload }));
    });
  });
  const call = await callWatched(t, server);
  let messages = 0;
  for await (const part of call.messages()) messages += part.length;
  assert.equal(messages, 0, 'one message came, of no bytes');
});

test('a connection that ends before it is set up ends its calls and not the process', async (t) => {
  const server = await startFrameServer(t, () => undefined);
  const session = await grpcSession(await dial(server.port, server.ca), 'localhost');
  const call = new GrpcCall(session, '/pkg.Service/Method');
  session.close();
  await assert.rejects(call.messages().next(), Error);
  const socket = await dial(server.port, server.ca);
  socket.destroy();
  const closed = new GrpcCall(await grpcSession(socket, 'localhost'), '/pkg.Service/Method');
  await assert.rejects(within(closed.messages().next()), Error);
});
