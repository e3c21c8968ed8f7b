/** A client of the Proxy's transport service, for the cluster's own tests. */
import { Duplex } from 'node:stream';
import type { ConnectionOptions } from 'node:tls';
import type { ClientDuplexStream } from '@grpc/grpc-js';
import { z } from 'zod';
import { hostAddress, type RawBot } from '../auth/raw-bot.ts';
import type { Cluster } from '../cluster.ts';
import { RawClient } from './raw-client.ts';

export const TRANSPORT_SERVICE = 'teleport.transport.v1.TransportService';

const Answer = z.object({ frame: z.object({ payload: z.instanceof(Buffer) }) });
const Pong = z.object({ cluster_name: z.string() });

/** Of the SSH port, which with TLS routing is the web port. */
export function transportRoute(cluster: Cluster, bot: RawBot): ConnectionOptions {
  const { ca, cert, key } = bot;
  return { ...hostAddress(cluster.info.ssh, ca), cert, key, ALPNProtocols: ['teleport-proxy-ssh-grpc', 'h2'] };
}

/** The name of the cluster, as Auth tells it through `ProxyCluster` for a cluster of the name given. */
export async function pingByTransport(proxy: RawClient, { ca, cert, key }: RawBot, name: string): Promise<string> {
  const call = proxy.duplex(TRANSPORT_SERVICE, 'ProxyCluster');
  call.write({ cluster: name });
  const servername = 'teleport.cluster.local';
  const auth = await RawClient.open({ socket: bytesOf(call), servername, ALPNProtocols: ['h2'], ca, cert, key });
  try {
    return Pong.parse(await auth.unary('proto.AuthService', 'Ping', {})).cluster_name;
  } finally {
    await auth.close();
  }
}

/** The bytes in the frames of a call. */
function bytesOf(call: ClientDuplexStream<object, unknown>): Duplex {
  const stream = new Duplex({
    read: () => undefined,
    write: (payload: Buffer, _encoding, done) => {
      call.write({ frame: { payload } });
      done();
    },
    destroy: (error, done) => {
      call.cancel();
      done(error);
    },
  });
  call.on('error', () => stream.push(null)).on('end', () => stream.push(null));
  call.on('data', (answer: unknown) => stream.push(Answer.parse(answer).frame.payload));
  return stream;
}
