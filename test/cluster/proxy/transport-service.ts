/** `teleport.transport.v1.TransportService`: carries SSH connections to nodes, which are real sshd processes, and TLS to Auth. */
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { z } from 'zod';
import { failWith, type GrpcServer, userAgentOf } from '../auth/grpc.ts';
import { AMBIGUOUS, findNode, type Nodes } from '../data/nodes.ts';
import { observe } from '../records.ts';
import { accessDenied, badParameter, notFound, TeleportError, toTeleportError } from '../data/teleport-errors.ts';
import type { World } from '../world.ts';

const Frame = z.object({ payload: z.instanceof(Buffer) });

const FirstRequest = z.object({
  dial_target: z.object({ host_port: z.string(), cluster: z.string(), login_name: z.string() }),
  ssh: Frame.optional(),
});

const LaterRequest = z.object({ ssh: Frame.optional() });

const ClusterRequest = z.object({ cluster: z.string(), frame: Frame.nullish() });

type Stream = ServerDuplexStream<unknown, object>;

const SERVICE = 'teleport.transport.v1.TransportService';

export function serveTransportService(server: GrpcServer, world: World, authPort: number): void {
  server.addUnary(SERVICE, {
    GetClusterDetails: { serve: () => ({ details: { fips_enabled: world.build.fips } }) },
  });
  server.addBidirectional(SERVICE, 'ProxyCluster', async (call, { hello, listener }) => {
    const record = world.records.add({
      listener,
      kind: 'proxy-cluster',
      ...hello,
      userAgent: userAgentOf(call),
      fields: {},
    });
    await observe(record, async () => {
      const requests: AsyncIterator<unknown> = call.iterator({ destroyOnReturn: false });
      const first = await requests.next();
      if (first.done === true) {
        throw badParameter('failed receiving first frame');
      }
      const { cluster, frame } = ClusterRequest.parse(first.value);
      record.fields.cluster = cluster;
      const socket = await dialCluster(cluster, { clusterName: world.clusterName, authPort });
      await carry(
        call,
        { requests, payloadOf: clusterPayload, wrap: (payload) => ({ frame: { payload } }) },
        socket,
        frame?.payload,
      );
    });
  });
  server.addBidirectional(SERVICE, 'ProxySSH', async (call, connection) => {
    const { hello, listener } = connection;
    const record = world.records.add({
      listener,
      kind: 'proxy-ssh',
      ...hello,
      userAgent: userAgentOf(call),
      fields: {},
    });
    await observe(record, async () => {
      // The client may end its side first, but must still get the node's responses.
      const requests: AsyncIterator<unknown> = call.iterator({ destroyOnReturn: false });
      failWith(world.faults.replies['proxy-ssh'], connection);
      if (connection.identity === undefined) {
        throw accessDenied('access denied');
      }
      // Texts of `ProxySSH` in lib/srv/transport/transportv1/transport.go.
      const first = FirstRequest.safeParse((await requests.next()).value);
      if (!first.success) {
        throw badParameter('first frame must contain a dial target');
      }
      const { dial_target: target, ssh } = first.data;
      Object.assign(record.fields, { hostPort: target.host_port, cluster: target.cluster, login: target.login_name });
      const socket = await dial(world.nodes, { host: hostOf(target.host_port), cluster: target.cluster });
      call.write({ details: { fips_enabled: false } });
      await carry(
        call,
        { requests, payloadOf: sshPayload, wrap: (payload) => ({ ssh: { payload } }) },
        socket,
        ssh?.payload,
      );
    });
  });
}

/** Like Go's net.SplitHostPort: a port is required, and an IPv6 address has brackets. */
function hostOf(hostPort: string): string {
  const [, bracketed, plain] = /^(?:\[([^[\]]*)\]|([^:[\]]*)):[^:[\]]*$/.exec(hostPort) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined) {
    throw badParameter('dial target contains an invalid hostport');
  }
  return host;
}

interface Target {
  readonly host: string;
  readonly cluster: string;
}

/** Any client with a certificate may dial every node: the node checks logins and labels. */
async function dial(nodes: Nodes, target: Target): Promise<Socket> {
  try {
    return await connectTo(nodes, target);
  } catch (error) {
    const { kind, message } = toTeleportError(error);
    throw message.startsWith(AMBIGUOUS) ? error : new TeleportError(kind, `failed to dial target host\n\t${message}`);
  }
}

async function connectTo(nodes: Nodes, { host, cluster }: Target): Promise<Socket> {
  const node = findNode(nodes, host, cluster);
  if (node.port === undefined) {
    // The beginning and the end of `getTunnelErrorMessage` in lib/reversetunnel/localsite.go.
    throw new TeleportError(
      'ConnectionProblem',
      `Teleport proxy failed to connect to "node" agent "${node.name}" over reverse tunnel: this usually means that the agent is offline or has disconnected`,
    );
  }
  const socket = connect({ port: node.port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  await once(socket, 'connect');
  return socket;
}

/** Auth of this cluster, also for an empty name; leaf clusters cannot be reached. */
async function dialCluster(
  cluster: string,
  { authPort, clusterName }: { readonly clusterName: string; readonly authPort: number },
): Promise<Socket> {
  if (cluster !== '' && cluster !== clusterName) {
    throw notFound(`failed dialing cluster "${cluster}"\n\tcluster "${cluster}" is not found`);
  }
  const socket = connect({ port: authPort, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  await once(socket, 'connect');
  return socket;
}

/** The messages of a method, and the bytes in them. */
interface Frames {
  readonly requests: AsyncIterator<unknown>;
  readonly payloadOf: (request: unknown) => Buffer | undefined;
  readonly wrap: (payload: Buffer) => object;
}

function sshPayload(request: unknown): Buffer | undefined {
  return LaterRequest.parse(request).ssh?.payload;
}

function clusterPayload(request: unknown): Buffer {
  const { frame } = ClusterRequest.parse(request);
  if (!frame) {
    throw badParameter('received invalid frame');
  }
  return frame.payload;
}

/**
 * Both directions in parallel, each as fast as its reader; the end of the client's side is the end of the node's input.
 */
async function carry(call: Stream, frames: Frames, socket: Socket, first?: Buffer): Promise<void> {
  call.on('cancelled', () => socket.destroy());
  const upwards = (async () => {
    if (first !== undefined) {
      await send(socket, first);
    }
    for (let next = await frames.requests.next(); next.done !== true; next = await frames.requests.next()) {
      const payload = frames.payloadOf(next.value);
      if (payload !== undefined) {
        await send(socket, payload);
      }
    }
    socket.end();
  })();
  upwards.catch((error: unknown) => socket.destroy(error instanceof Error ? error : undefined));
  const answers: AsyncIterable<Buffer> = socket;
  for await (const payload of answers) {
    if (!call.write(frames.wrap(payload))) {
      await once(call, 'drain');
    }
  }
}

async function send(socket: Socket, payload: Buffer): Promise<void> {
  if (!socket.write(payload)) {
    await once(socket, 'drain');
  }
}
