import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { grpcOver } from '../../src/grpc/client.ts';
import { AuthService } from '../../src/grpc/gen/teleport/legacy/authservice_pb.ts';
import { GrpcResponseError } from '../../src/grpc/status.ts';
import { dialTls } from '../../src/net/dial.ts';
import { network } from '../direct-network.ts';
import { framed, http2Bytes } from '../fuzz/grpc-answers.ts';
import { http2Peer, type Peer, rawPeer } from '../fuzz/peers.ts';

const EMPTY = framed(Buffer.alloc(0));
const GOOD = {
  headers: { ':status': 200, 'content-type': 'application/grpc' },
  body: EMPTY,
  trailers: { 'grpc-status': '0' },
};

const NEVER = new AbortController().signal;

async function clientOf(context: TestContext, { ca, port }: Peer<unknown>, authority: string) {
  const socket = await dialTls({
    network,
    address: { host: '127.0.0.1', port },
    serverName: 'localhost',
    alpn: ['h2'],
    ca,
    signal: NEVER,
  });
  const connection = await grpcOver(socket, authority);
  const close = () => {
    connection.close();
  };
  context.after(close);
  const ping = (signal = NEVER) => connection.call(AuthService.ping, {}, { signal });
  return { close, connection, ping };
}

for (const [authority, sent] of [
  ['proxy.example.com', 'proxy.example.com'],
  ['10.0.0.1', '10.0.0.1'],
  ['::1', '[::1]'],
  ['fe80::1%eth0', '[fe80::1]'],
] as const) {
  test(`calls can be made to ${authority}`, async (t) => {
    const peer = await http2Peer('localhost', GOOD);
    const { ping } = await clientOf(t, peer, authority);
    assert.equal((await ping()).serverVersion, '');
    assert.deepEqual(peer.authorities, [sent]);
  });
}

/** Length 0, type DATA, stream 0: an error of the whole connection (RFC 9113 section 6.1). */
const BREACH = Buffer.alloc(9);

test('a server that breaks the protocol fails the call and not the process, however early the connection is closed', async (t) => {
  const peer = await rawPeer('localhost', ['h2']);
  for (const answer of [
    BREACH,
    Buffer.concat([http2Bytes(EMPTY), BREACH]),
    Buffer.concat([BREACH, http2Bytes(EMPTY)]),
  ]) {
    peer.answer = answer;
    const { close, ping } = await clientOf(t, peer, 'localhost');
    await ping().catch(() => undefined);
    close();
    await new Promise((resolve) => setTimeout(resolve, 20));
    await assert.rejects(ping());
  }
});

const two = Buffer.concat([EMPTY, EMPTY]);
const REPLIES = [
  ['no message', { body: Buffer.alloc(0) }, /received 0 messages/, 'unreadable'],
  ['two messages', { body: two }, /received 2 or more messages/, 'unreadable'],
  ['what is no message', { body: framed(Buffer.from([0x0a, 0x7f])) }, /./, 'unreadable'],
  ['a compressed message', { body: Buffer.of(1, 0, 0, 0, 0) }, /received a compressed message/, 'unreadable'],
  [
    'a message beyond all bounds',
    { body: Buffer.of(0, 1, 0, 0, 0) },
    /message of 16777216 bytes, expected at most 4194304/,
    'too-large',
  ],
] as const;

for (const [what, answer, message, fault] of REPLIES) {
  test(`${what} is not a valid reply`, async (t) => {
    const { ping } = await clientOf(t, await http2Peer('localhost', { ...GOOD, ...answer }), 'localhost');
    await assert.rejects(ping(), (error) => {
      assert.ok(error instanceof GrpcResponseError, String(error));
      assert.match(error.message, message);
      assert.equal(error.problem, fault);
      return true;
    });
  });
}

test('a refusal is reported, with or without messages before it', async (t) => {
  const refusal = { 'grpc-status': '5', 'grpc-message': 'role %22ci%22 is not found' };
  const { headers } = GOOD;
  for (const answer of [
    { headers: { ...headers, ...refusal }, body: Buffer.alloc(0), trailers: undefined },
    { headers, body: EMPTY, trailers: refusal },
  ]) {
    const { ping } = await clientOf(t, await http2Peer('localhost', answer), 'localhost');
    await assert.rejects(ping(), { name: 'GrpcError', status: 'NotFound', message: 'role "ci" is not found' });
  }
});

test('a server that speaks HTTP/2 but not gRPC is reported as such', async (t) => {
  const answer = { headers: { ':status': 403, 'content-type': 'text/html' }, body: EMPTY, trailers: undefined };
  const { ping } = await clientOf(t, await http2Peer('localhost', answer), 'localhost');
  await assert.rejects(ping(), /the response is not gRPC: HTTP status 403, content type "text\/html"/);
});

test('an aborted call does not affect other calls on the connection', async (t) => {
  const { ca, port } = await http2Peer('localhost', GOOD);
  const { connection, ping } = await clientOf(t, { answer: undefined, ca, port }, 'localhost');
  const controller = new AbortController();
  async function* requests() {
    yield {};
    controller.abort();
    await new Promise<never>(() => undefined);
  }
  const answers = connection.stream(AuthService.ping, requests(), { signal: controller.signal });
  await assert.rejects(async () => {
    for await (const answer of answers) assert.ok(answer);
  });
  await assert.rejects(ping(controller.signal), { name: 'AbortError' });
  assert.equal((await ping()).serverVersion, '');
});

test('requests that fail end the call with their error', async (t) => {
  const { connection, ping } = await clientOf(t, await http2Peer('localhost', GOOD), 'localhost');
  function* requests() {
    yield {};
    throw new Error('no more of them');
  }
  await assert.rejects(async () => {
    for await (const answer of connection.stream(AuthService.ping, requests(), { signal: NEVER })) assert.ok(answer);
  }, /no more of them/);
  assert.equal((await ping()).serverVersion, '');
});
