import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { AuthService } from '../../src/teleport/gen/teleport/legacy/authservice_pb.ts';
import { dialTls } from '../../src/teleport/dial.ts';
import { grpcOver } from '../../src/teleport/grpc.ts';
import { framed, http2Bytes } from '../fuzz/grpc-answers.ts';
import { http2Peer, type Peer, rawPeer } from '../fuzz/peers.ts';

const EMPTY = framed(Buffer.alloc(0));
const GOOD = {
  headers: { ':status': 200, 'content-type': 'application/grpc' },
  body: EMPTY,
  trailers: { 'grpc-status': '0' },
};

async function clientOf(context: TestContext, { ca, port }: Peer<unknown>, authority: string) {
  const { signal } = new AbortController();
  const socket = await dialTls({
    address: { host: '127.0.0.1', port },
    serverName: 'localhost',
    alpn: ['h2'],
    ca,
    signal,
  });
  const connection = grpcOver(socket, authority);
  const close = () => {
    connection.close();
  };
  context.after(close);
  const ping = () => connection.call(AuthService.ping, {}, { signal });
  return { close, ping };
}

for (const [authority, sent] of [
  ['proxy.example.com', 'proxy.example.com'],
  ['10.0.0.1', '10.0.0.1'],
  ['::1', '[::1]'],
  ['fe80::1%eth0', '[fe80::1]'],
] as const) {
  test(`calls may be made to ${authority}`, async (t) => {
    const peer = await http2Peer('localhost', GOOD);
    const { ping } = await clientOf(t, peer, authority);
    assert.equal((await ping()).serverVersion, '');
    assert.deepEqual(peer.authorities, [sent]);
  });
}

/** Of the length 0, of type DATA and of no stream: a fault of the whole connection (RFC 9113 section 6.1). */
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
