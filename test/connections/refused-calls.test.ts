/** Calls that a server refuses without processing them, and servers with a limit of concurrent calls. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createSecureServer } from 'node:http2';
import test, { type TestContext } from 'node:test';
import { sharedController } from '../../src/effects/time.ts';
import { openBulkCall } from '../../src/grpc/bulk.ts';
import { grpcOver } from '../../src/grpc/client.ts';
import { AuthService } from '../../src/grpc/gen/teleport/legacy/authservice_pb.ts';
import { dialTls } from '../../src/net/dial.ts';
import { network } from '../direct-network.ts';
import { selfSigned } from '../tls-certificate.ts';
import {
  frame,
  type FrameServer,
  message,
  onRequest,
  response,
  serverPreface,
  settings,
  startFrameServer,
  trailers,
} from './http2-frames.ts';

const NEVER = sharedController().signal;
const REFUSED_STREAM = Buffer.of(0, 0, 0, 7);

async function socketTo({ ca, port }: FrameServer) {
  const address = { host: '127.0.0.1', port };
  return dialTls({ network, address, serverName: 'localhost', alpn: ['h2'], ca, signal: NEVER });
}

async function clientOf(t: TestContext, server: FrameServer) {
  const connection = await grpcOver(await socketTo(server), 'localhost');
  t.after(() => {
    connection.close();
  });
  const ping = (signal = NEVER) => connection.call(AuthService.ping, {}, { signal });
  return { connection, ping };
}

function refusal(stream: number): Buffer {
  return frame('RST_STREAM', { stream, payload: REFUSED_STREAM });
}

function answer(stream: number): Buffer {
  return Buffer.concat([response(stream), message(stream), trailers(stream)]);
}

/** Refuses the given number of streams of a connection, and responds to the others. */
function serverThatRefuses(t: TestContext, times: number, streams: number[] = []): Promise<FrameServer> {
  return startFrameServer(t, (socket) => {
    socket.write(serverPreface());
    onRequest(socket, (stream) => {
      streams.push(stream);
      socket.write(streams.length <= times ? refusal(stream) : answer(stream));
    });
  });
}

test('a refused call is made again on the same connection', async (t) => {
  const streams: number[] = [];
  const { ping } = await clientOf(t, await serverThatRefuses(t, 3, streams));
  assert.equal((await ping()).serverVersion, '');
  assert.deepEqual(streams, [1, 3, 5, 7]);
});

test('a call that a server refuses repeatedly fails', async (t) => {
  const streams: number[] = [];
  const { ping } = await clientOf(t, await serverThatRefuses(t, Infinity, streams));
  await assert.rejects(ping(), { name: 'Error', message: 'the server refused the call 10 times (REFUSED_STREAM)' });
  assert.equal(streams.length, 10);
});

test('a refused bulk call is made again with everything that was sent', async (t) => {
  let streams = 0;
  const { certificate: ca, key } = await selfSigned('localhost');
  const server = createSecureServer({ cert: ca, key });
  server.on('stream', (stream) => {
    streams += 1;
    stream.on('error', () => undefined);
    if (streams < 3) {
      stream.close(7);
      return;
    }
    const received: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => received.push(chunk));
    stream.once('end', () => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.once('wantTrailers', () => {
        stream.sendTrailers({ 'grpc-status': '0' });
      });
      const bytes = Buffer.from(Buffer.concat(received).toString('hex'));
      stream.end(Buffer.concat([Buffer.of(0, 0, 0, 0, bytes.length), bytes]));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const listening = server.address();
  assert.ok(typeof listening === 'object' && listening !== null);
  const call = await openBulkCall(await socketTo({ ca, port: listening.port }), 'localhost', '/pkg.Service/Method');
  t.after(() => {
    call.close();
    server.close();
  });
  const answers: string[] = [];
  const reading = (async () => {
    for await (const part of call.messages()) answers.push(Buffer.concat(part).toString());
  })();
  for (const text of ['ab', 'cd', 'ef']) {
    await call.send([Buffer.from(text)]);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  call.end();
  await reading;
  assert.deepEqual(answers, ['00000000026162' + '00000000026364' + '00000000026566']);
});

/** Refuses calls above its limit, as Go and Node do, and responds to the others a little later. */
function serverWithLimit(t: TestContext, limit: number, open: { most: number }): Promise<FrameServer> {
  return startFrameServer(t, (socket) => {
    let now = 0;
    socket.write(serverPreface(limit));
    onRequest(socket, (stream) => {
      if (now >= limit) {
        socket.write(refusal(stream));
        return;
      }
      now += 1;
      open.most = Math.max(open.most, now);
      setTimeout(() => {
        now -= 1;
        socket.write(answer(stream));
      }, 5);
    });
  });
}

for (const limit of [1, 2, 4]) {
  test(`twenty calls at once reach a server that takes ${String(limit)} at a time`, async (t) => {
    const open = { most: 0 };
    const { ping } = await clientOf(t, await serverWithLimit(t, limit, open));
    const replies = await Promise.all(Array.from({ length: 20 }, () => ping()));
    assert.equal(replies.length, 20);
    assert.equal(open.most, limit);
  });
}

test('calls wait while the server accepts none, until they are aborted', async (t) => {
  const streams: number[] = [];
  let takes = false;
  let allow: () => void = () => undefined;
  const server = await startFrameServer(t, (socket) => {
    socket.write(serverPreface(0));
    allow = () => {
      takes = true;
      socket.write(settings(2));
    };
    onRequest(socket, (stream) => {
      streams.push(stream);
      socket.write(takes ? answer(stream) : refusal(stream));
    });
  });
  const { ping } = await clientOf(t, server);
  const first = ping();
  const controller = new AbortController();
  const second = ping(controller.signal);
  await new Promise((resolve) => setTimeout(resolve, 100));
  controller.abort(new Error('given up'));
  await assert.rejects(second, Error);
  const before = streams.length;
  allow();
  await first;
  assert.ok(before <= 2 && streams.length > before, 'nothing is opened between the limit 0 and the next');
});

test('a GOAWAY that excludes a call ends it at once, so that another connection can carry it', async (t) => {
  const server = await startFrameServer(t, (socket) => {
    socket.write(serverPreface());
    onRequest(socket, (stream) => {
      if (stream === 1) {
        socket.write(response(stream));
        return;
      }
      // Stream 1 is the last one processed; its response follows the GOAWAY.
      socket.write(frame('GOAWAY', { payload: Buffer.of(0, 0, 0, 1, 0, 0, 0, 0) }));
      setTimeout(() => socket.write(Buffer.concat([message(1), trailers(1)])), 20);
    });
  });
  const { ping } = await clientOf(t, server);
  const first = ping();
  await new Promise((resolve) => setTimeout(resolve, 50));
  await assert.rejects(ping(), { name: 'Error', message: /GOAWAY/ });
  await assert.rejects(ping(), { name: 'Error', message: /GOAWAY/ });
  assert.equal((await first).serverVersion, '', 'what was taken is answered');
});
