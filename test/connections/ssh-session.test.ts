/** A session of the multiplexer with a real client; a stand-in for the call to the Proxy. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import test from 'node:test';
import type { BulkCall } from '../../src/grpc/bulk.ts';
import { ProxySSHResponseSchema } from '../../src/grpc/gen/teleport/transport/v1/transport_service_pb.ts';
import { encode } from '../../src/grpc/protobuf.ts';
import { carrySession } from '../../src/tunnels/ssh-session.ts';

/** A node that answers only when the client has sent everything. */
function answerAtTheEnd(answer: string): BulkCall {
  let onEnd: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => (onEnd = resolve));
  return {
    send: () => Promise.resolve(),
    end: onEnd,
    messages: async function* () {
      await ended;
      yield [Buffer.from(encode(ProxySSHResponseSchema, { ssh: { payload: Buffer.from(answer) } }))];
    },
    close: () => undefined,
  };
}

test('a client that has ended its input still gets what the node answers', async (t) => {
  const call = answerAtTheEnd('all of it');
  const { signal } = new AbortController();
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const options = { clusterName: 'a', proxyHost: 'b', proxy: { host: 'b', port: 443 }, signal };
    carrySession(client, { ...options, openCall: () => Promise.resolve(call) }).catch(() => client.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const client = connect({ port: address.port, host: '127.0.0.1', allowHalfOpen: true });
  client.end('web-1:3022\0input');
  assert.equal(await text(client), 'all of it');
});
