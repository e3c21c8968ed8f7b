/** gRPC over a TLS connection that is already open. */
import { connect } from 'node:http2';
import { isIPv6 } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { ConnectError, type Transport } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { traceCalls } from './trace-calls.ts';
import type { WireConnection } from './wire-trace.ts';

export interface GrpcConnection {
  readonly transport: Transport;
  /** Ends the connection; calls that are under way fail. */
  close(): void;
}

/** gRPC's own default for a received message; no answer that a bot reads comes near it. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

/**
 * The connection is used as it is and never replaced: Teleport's ALPN values are not `h2`, so a library that dials by
 * itself could not open it again.
 * @param authority host name or address for `:authority`; Teleport accepts any
 */
export function grpcOver(socket: TLSSocket, authority: string, wire?: WireConnection): GrpcConnection {
  const calls = wire === undefined ? undefined : traceCalls(wire);
  const { host, origin } = new URL(`https://${urlHost(authority)}`);
  const session = connect(origin, { createConnection: () => socket });
  // What breaks the connection ends its calls, which tell of it. The session may say so after them, when nobody listens
  // any more, and then ends the process: connect-node's own manager of sessions is not used for that.
  session.on('error', () => undefined);
  const transport = createGrpcTransport({
    baseUrl: origin,
    sessionManager: {
      authority: origin,
      request: (method, path, headers, options) => {
        const pseudoHeaders = { ':method': method, ':authority': host, ':path': path };
        return Promise.resolve().then(() => session.request({ ...headers, ...pseudoHeaders }, options));
      },
      notifyResponseByteRead: () => undefined,
    },
    acceptCompression: [],
    interceptors: calls === undefined ? [] : [calls.interceptor],
    readMaxBytes: MAX_MESSAGE_BYTES,
  });
  const close = () => {
    calls?.end();
    session.destroy();
    socket.destroy();
  };
  return { transport, close };
}

/** A URL has IPv6 addresses in brackets, and none that is good for one network card alone. */
function urlHost(authority: string): string {
  return isIPv6(authority) ? `[${authority.replace(/%.*/, '')}]` : authority;
}

/** The gRPC error in an error, if it is one. */
export function asGrpcError(error: unknown): ConnectError | undefined {
  return error instanceof ConnectError ? error : undefined;
}
