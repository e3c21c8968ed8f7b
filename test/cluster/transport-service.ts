/** `teleport.transport.v1.TransportService`: carries SSH connections to nodes, which are real sshd processes. */
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { z } from 'zod';
import type { Connection } from './connection.ts';
import type { GrpcServer } from './grpc.ts';
import { findNode, type Nodes } from './nodes.ts';
import { observe } from './records.ts';
import { accessDenied, badParameter, TeleportError } from './teleport-errors.ts';
import type { World } from './world.ts';

const Frame = z.object({ payload: z.instanceof(Buffer) });

const FirstRequest = z.object({
  dial_target: z.object({ host_port: z.string(), cluster: z.string(), login_name: z.string() }),
  ssh: Frame.optional(),
});

const LaterRequest = z.object({ ssh: Frame.optional() });

type Stream = ServerDuplexStream<unknown, object>;

export function serveTransportService(server: GrpcServer, world: World, nodes: Nodes): void {
  server.addBidirectional('teleport.transport.v1.TransportService', 'ProxySSH', async (call, connection) => {
    const { hello, listener } = connection;
    const record = world.records.add({ listener, kind: 'proxy-ssh', ...hello, fields: {} });
    await observe(record, async () => {
      // The client may end its side first; the call must live on for the node's answers.
      const requests: AsyncIterator<unknown> = call.iterator({ destroyOnReturn: false });
      const first = FirstRequest.safeParse((await requests.next()).value);
      if (!first.success) {
        throw badParameter('the first message must hold a dial target');
      }
      const { dial_target: target, ssh } = first.data;
      Object.assign(record.fields, { hostPort: target.host_port, cluster: target.cluster, login: target.login_name });
      const socket = await dial(nodes, target, rolesOf(connection));
      call.write({ details: { fips_enabled: false } });
      await carry(call, requests, socket, ssh?.payload);
    });
  });
}

function rolesOf({ identity }: Connection): readonly string[] {
  if (identity === undefined) {
    throw accessDenied('access denied');
  }
  return identity.roles;
}

async function dial(
  nodes: Nodes,
  target: { readonly host_port: string; readonly cluster: string },
  roles: readonly string[],
): Promise<Socket> {
  const name = target.host_port.replace(/:\d+$/, '');
  const node = findNode(nodes, name, target.cluster);
  if (!node.roles.some((role) => roles.includes(role))) {
    throw accessDenied(`access denied to node ${name}`);
  }
  if (node.port === undefined) {
    throw new TeleportError('ConnectionProblem', `failed to dial target host ${name}: the node is offline`);
  }
  const socket = connect({ port: node.port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  await once(socket, 'connect');
  return socket;
}

/** Both directions at once, each no faster than its reader; the client's end is the node's end of input. */
async function carry(call: Stream, requests: AsyncIterator<unknown>, socket: Socket, first?: Buffer): Promise<void> {
  call.on('cancelled', () => socket.destroy());
  const upwards = (async () => {
    if (first !== undefined) {
      await send(socket, first);
    }
    for (let next = await requests.next(); next.done !== true; next = await requests.next()) {
      const payload = LaterRequest.parse(next.value).ssh?.payload;
      if (payload !== undefined) {
        await send(socket, payload);
      }
    }
    socket.end();
  })();
  upwards.catch(() => socket.destroy());
  const answers: AsyncIterable<Buffer> = socket;
  for await (const payload of answers) {
    if (!call.write({ ssh: { payload } })) {
      await once(call, 'drain');
    }
  }
}

async function send(socket: Socket, payload: Buffer): Promise<void> {
  if (!socket.write(payload)) {
    await once(socket, 'drain');
  }
}
