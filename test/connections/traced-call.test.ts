import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createSecureServer, type ServerHttp2Stream } from 'node:http2';
import test, { type TestContext } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { openBulkCall } from '../../src/grpc/bulk.ts';
import { grpcOver } from '../../src/grpc/client.ts';
import { JoinResponseSchema, JoinService } from '../../src/grpc/gen/teleport/join/v1/joinservice_pb.ts';
import { AuthService, PingResponseSchema } from '../../src/grpc/gen/teleport/legacy/authservice_pb.ts';
import { encode } from '../../src/grpc/protobuf.ts';
import { dialTls } from '../../src/net/dial.ts';
import { network } from '../direct-network.ts';
import { framed } from '../fuzz/grpc-answers.ts';
import { keptTrace } from './told-events.ts';
import { selfSigned } from '../tls-certificate.ts';

const { certificate, key } = await selfSigned('localhost');
const GRPC = { ':status': 200, 'content-type': 'application/grpc' };
const NEVER = { signal: new AbortController().signal };
const FRAME_PREFIX_BYTES = 5;
/** Bytes that a server writes after our end, and that are not read (RFC 9113 section 6.8). */
const GOAWAY_BYTES = 17;
/** Field 1000, of type bytes, which none of our messages has. */
const UNKNOWN_FIELD = Buffer.concat([Buffer.from([0xc2, 0x3e, 0x64]), Buffer.alloc(100, 'secret')]);

/** A server that counts received bytes, and sends these messages after the given number. */
async function serve(t: TestContext, answers: readonly Uint8Array[], trailers: Record<string, string>) {
  const server = createSecureServer({ cert: certificate, key });
  const received: Buffer[] = [];
  let onEnd: (socket: TLSSocket) => void = () => undefined;
  const ended = new Promise<TLSSocket>((resolve) => {
    onEnd = resolve;
  });
  server.once('secureConnection', (socket: TLSSocket) =>
    socket.once('close', () => {
      onEnd(socket);
    }),
  );
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.on('error', () => undefined);
    stream.respond(GRPC, { waitForTrailers: true });
    stream.once('wantTrailers', () => {
      stream.sendTrailers(trailers);
    });
    stream.on('data', (chunk: Buffer) => received.push(chunk));
    for (const answer of answers) stream.write(framed(Buffer.from(answer)));
    stream.once('end', () => stream.end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const { trace, ...kept } = keptTrace();
  const wire = trace.connection('Auth Service');
  const dial = { address: { host: '127.0.0.1', port: address.port }, serverName: 'localhost', alpn: ['h2'] };
  const socket = await dialTls({ network, ...dial, ca: certificate, signal: new AbortController().signal, wire });
  t.after(() => socket.destroy());
  const calls = () => kept.told().filter(({ event }) => String(event).startsWith('grpc'));
  const receivedBytes = () => Buffer.concat(received).length;
  return { ...kept, socket, wire, calls, receivedBytes, ended };
}

const COMMON = { connection: 1, to: 'Auth Service' };

test('a call is traced with the sizes of its messages on the wire', async (t) => {
  const answer = Buffer.concat([encode(PingResponseSchema, { serverVersion: '18' }), UNKNOWN_FIELD]);
  const { calls, closed, ended, receivedBytes, socket, text, told, wire } = await serve(t, [answer], {
    'grpc-status': '0',
  });
  const connection = await grpcOver(socket, 'localhost', wire);
  await connection.call(AuthService.ping, {}, NEVER);
  connection.close();
  assert.deepEqual(calls(), [
    {
      ...COMMON,
      event: 'grpc',
      method: '/proto.AuthService/Ping',
      code: 'OK',
      sentMessages: 1,
      receivedMessages: 1,
      sentBytes: receivedBytes() - FRAME_PREFIX_BYTES,
      receivedBytes: answer.length,
    },
  ]);
  const [serverSide] = await Promise.all([ended, closed]);
  const { receivedBytes: read, sentBytes: written } = { ...told().at(-1) };
  assert.equal(written, serverSide.bytesRead);
  assert.ok([0, GOAWAY_BYTES].includes(serverSide.bytesWritten - Number(read)), `${String(read)} bytes`);
  assert.doesNotMatch(text(), /secret/);
});

test("a rejection is traced with its code, not with the server's message", async (t) => {
  const trailers = { 'grpc-status': '7', 'grpc-message': 'your secret is wrong' };
  const { calls, receivedBytes, socket, text, wire } = await serve(t, [], trailers);
  const connection = await grpcOver(socket, 'localhost', wire);
  await assert.rejects(connection.call(AuthService.getRole, { name: 'a secret role' }, NEVER));
  connection.close();
  const [call] = calls();
  assert.deepEqual([call?.code, call?.sentBytes], ['PermissionDenied', receivedBytes() - FRAME_PREFIX_BYTES]);
  assert.ok(Number(call?.sentBytes) > 'a secret role'.length);
  assert.doesNotMatch(text(), /secret/);
});

test('each message of a stream is traced with its direction and kind, and the trace shows that its end was not awaited', async (t) => {
  const init = { joinMethod: 'a secret method' };
  const answerBytes = encode(JoinResponseSchema, { payload: { case: 'init', value: init } });
  const clientInit = { tokenName: 'a secret token' };
  const { calls, closed, receivedBytes, socket, text, wire } = await serve(t, [answerBytes], { 'grpc-status': '0' });
  const connection = await grpcOver(socket, 'localhost', wire);
  let release: () => void = () => undefined;
  const until = new Promise<void>((resolve) => {
    release = resolve;
  });
  async function* requests() {
    yield { payload: { case: 'clientInit' as const, value: clientInit } };
    await until;
  }
  const answers = connection.stream(JoinService.join, requests(), NEVER);
  await answers.next();
  connection.close();
  release();
  await closed;
  const method = '/teleport.join.v1.JoinService/Join';
  const [sentBytes, bytes] = [receivedBytes() - FRAME_PREFIX_BYTES, answerBytes.length];
  assert.deepEqual(calls(), [
    { ...COMMON, event: 'grpc-message', method, direction: 'sent', kind: 'client_init', bytes: sentBytes },
    { ...COMMON, event: 'grpc-message', method, direction: 'received', kind: 'init', bytes },
    {
      ...COMMON,
      event: 'grpc',
      method,
      code: 'ended here',
      sentMessages: 1,
      receivedMessages: 1,
      sentBytes,
      receivedBytes: bytes,
    },
  ]);
  assert.doesNotMatch(text(), /secret/);
});

test('a call that transfers bulk data is traced once, with its totals', async (t) => {
  const answers = [Buffer.from('secret'), Buffer.alloc(70_000)];
  const { calls, receivedBytes, socket, text, wire } = await serve(t, answers, { 'grpc-status': '0' });
  const call = await openBulkCall(socket, 'localhost', '/pkg.Service/Method', wire);
  for (let at = 0; at < 3; at += 1) await call.send([Buffer.from('secret'), Buffer.alloc(1000)]);
  call.end();
  for await (const message of call.messages()) assert.ok(message.length > 0);
  call.close();
  await call.send([Buffer.from('too late')]);
  assert.deepEqual(calls(), [
    {
      ...COMMON,
      event: 'grpc',
      method: '/pkg.Service/Method',
      code: 'OK',
      sentMessages: 3,
      receivedMessages: 2,
      sentBytes: receivedBytes() - 3 * FRAME_PREFIX_BYTES,
      receivedBytes: 70_006,
    },
  ]);
  assert.doesNotMatch(text(), /secret/);
});
