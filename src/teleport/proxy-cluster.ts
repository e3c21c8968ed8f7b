/** Reaches the Auth Service through the Proxy's transport service, for Proxies without TLS routing (protocol reference 4.4). */
import { Duplex } from 'node:stream';
import type { BulkCall } from '../grpc/bulk.ts';
import {
  ProxyClusterRequestSchema,
  ProxyClusterResponseSchema,
  TransportService,
} from '../grpc/gen/teleport/transport/v1/transport_service_pb.ts';
import { decode, encode } from '../grpc/protobuf.ts';
import { framePrefix, openTransport, payloadReader, type TransportTarget } from './transport.ts';

/**
 * Bytes to and from the Auth Service of the cluster: TLS comes next. Closing the stream closes the connection.
 * @throws MachineIdError PROXY_UNREACHABLE, PROXY_UNTRUSTED; the signal's reason
 */
export async function dialProxyCluster(target: TransportTarget, cluster: string): Promise<Duplex> {
  const call = await openTransport(target, TransportService.proxyCluster.path);
  // The first request has no frame: the Proxy dials before the client sends anything.
  await call.send([encode(ProxyClusterRequestSchema, { cluster })]);
  return byteStream(call);
}

function byteStream(call: BulkCall): Duplex {
  let wake: (() => void) | undefined;
  const stream = new Duplex({
    read: () => wake?.(),
    write: (chunk: Buffer, _encoding, done) => {
      call.send([framePrefix(chunk.length), chunk]).then(() => {
        done();
      }, done);
    },
    final: (done) => {
      call.end();
      done();
    },
    destroy: (error, done) => {
      call.close();
      wake?.();
      done(error);
    },
  });
  const receive = async () => {
    for await (const message of call.messages()) {
      for (const part of payloadOf(message)) {
        if (stream.destroyed) return;
        if (stream.push(part)) continue;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
    stream.push(null);
  };
  receive().catch((error: unknown) => stream.destroy(error instanceof Error ? error : new Error(String(error))));
  return stream;
}

const payloadOf = payloadReader(1, (message) => decode(ProxyClusterResponseSchema, message).frame);
