import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createSecureServer, type ServerHttp2Stream } from 'node:http2';
import test, { type TestContext } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { USER_AGENT } from '../../src/effects/world.ts';
import { type BulkCall, openBulkCall } from '../../src/grpc/bulk.ts';
import { GrpcError } from '../../src/grpc/status.ts';
import { selfSigned } from '../tls-certificate.ts';

type Serve = (stream: ServerHttp2Stream) => void;

const { certificate, key } = await selfSigned('localhost');
const GRPC = { ':status': 200, 'content-type': 'application/grpc' };

/** A call to a server that responds as `serve` says. */
async function callTo(t: TestContext, serve: Serve): Promise<BulkCall> {
  const server = createSecureServer({ cert: certificate, key });
  server.on('stream', (stream, headers) => {
    assert.equal(headers[':path'], '/pkg.Service/Method');
    assert.equal(headers['content-type'], 'application/grpc');
    assert.equal(headers['user-agent'], USER_AGENT);
    assert.equal(headers.version, undefined, 'a version is compared with the least that the server supports');
    stream.on('error', () => undefined);
    serve(stream);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const socket: TLSSocket = connect({
    port: address.port,
    host: '127.0.0.1',
    servername: 'localhost',
    ca: certificate,
    ALPNProtocols: ['h2'],
  });
  await once(socket, 'secureConnect');
  const call = await openBulkCall(socket, 'localhost', '/pkg.Service/Method');
  t.after(() => {
    call.close();
    server.close();
  });
  return call;
}

async function textsOf(call: BulkCall): Promise<readonly string[]> {
  const texts: string[] = [];
  for await (const message of call.messages()) texts.push(Buffer.concat(message).toString());
  return texts;
}

function framed(text: string): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(Buffer.byteLength(text), 1);
  return Buffer.concat([prefix, Buffer.from(text)]);
}

function end(stream: ServerHttp2Stream, trailers: Record<string, string>): void {
  stream.once('wantTrailers', () => {
    stream.sendTrailers(trailers);
  });
  stream.end();
}

for (const size of [1, 2, 4, 5, 6, 7, 100]) {
  test(`messages are read completely, whatever their chunks: in pieces of ${String(size)}`, async (t) => {
    const call = await callTo(t, (stream) => {
      stream.respond(GRPC, { waitForTrailers: true });
      const bytes = Buffer.concat(['one', '', 'three', 'x'.repeat(300)].map(framed));
      const write = (at: number): void => {
        if (at >= bytes.length) end(stream, { 'grpc-status': '0' });
        else stream.write(bytes.subarray(at, at + size), () => setImmediate(write, at + size));
      };
      write(0);
    });
    assert.deepEqual(await textsOf(call), ['one', '', 'three', 'x'.repeat(300)]);
  });
}

test("parts are sent as one message, and ending our side does not end the server's", async (t) => {
  const call = await callTo(t, (stream) => {
    const received: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => received.push(chunk));
    stream.once('end', () => {
      stream.respond(GRPC, { waitForTrailers: true });
      stream.write(framed(Buffer.concat(received).toString('hex')));
      end(stream, { 'grpc-status': '0' });
    });
  });
  await call.send([Buffer.from('ab'), Buffer.from('cd')]);
  await call.send([]);
  call.end();
  assert.deepEqual(await textsOf(call), [`0000000004${Buffer.from('abcd').toString('hex')}0000000000`]);
});

test('the status of the server becomes the error, with its message decoded', async (t) => {
  const trailersOnly = { ...GRPC, 'grpc-status': '7', 'grpc-message': 'access%20denied' };
  const call = await callTo(t, (stream) => {
    stream.respond(trailersOnly, { endStream: true });
  });
  await assert.rejects(textsOf(call), (error) => {
    assert.ok(error instanceof GrpcError);
    assert.deepEqual([error.status, error.message], ['PermissionDenied', 'access denied']);
    return true;
  });
  const other = await callTo(t, (stream) => {
    stream.respond(GRPC, { waitForTrailers: true });
    end(stream, { 'grpc-status': '99', 'grpc-message': '100%' });
  });
  await assert.rejects(textsOf(other), (error) => {
    assert.ok(error instanceof GrpcError);
    assert.deepEqual([error.status, error.message], ['Unknown', '100%']);
    return true;
  });
});

const broken: readonly (readonly [what: string, serve: Serve, message: RegExp])[] = [
  [
    'no gRPC server',
    (stream) => {
      stream.respond({ ':status': 502, 'content-type': 'text/html' });
      stream.end('<html>');
    },
    /the response is not gRPC: HTTP status 502, content type "text\/html"/,
  ],
  [
    'an end without a status',
    (stream) => {
      stream.respond(GRPC);
      stream.end(framed('x'));
    },
    /closed during the call/,
  ],
  [
    'half a message',
    (stream) => {
      stream.respond(GRPC, { waitForTrailers: true });
      stream.write(framed('whole').subarray(0, 7));
      end(stream, { 'grpc-status': '0' });
    },
    /ended inside a message/,
  ],
  [
    'a compressed message',
    (stream) => {
      stream.respond(GRPC);
      stream.write(Buffer.from([1, 0, 0, 0, 0]));
    },
    /compressed message/,
  ],
  [
    'a message beyond all bounds',
    (stream) => {
      stream.respond(GRPC);
      stream.write(Buffer.from([0, 0xff, 0xff, 0xff, 0xff]));
    },
    /received a message of 4294967295 bytes/,
  ],
  ['a connection that is cut', (stream) => stream.session?.destroy(), /./],
];

for (const [what, serve, message] of broken) {
  test(`${what} ends the call with an error`, async (t) => {
    const call = await callTo(t, serve);
    await assert.rejects(textsOf(call), (error) => error instanceof Error && message.test(error.message));
    await call.send([Buffer.from('nobody takes this')]);
  });
}

test('a server that does not read makes the sender wait', async (t) => {
  const call = await callTo(t, (stream) => stream.pause());
  const block = Buffer.alloc(1024 * 1024);
  let sent = 0;
  const sending = (async () => {
    for (; sent < 200; sent += 1) await call.send([block]);
  })();
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.ok(sent < 20, `${String(sent)} MiB were taken in`);
  call.close();
  await sending;
});
