/** gRPC over a TLS connection that is already open. */
import type { TLSSocket } from 'node:tls';
import { ConnectError, type Transport } from '@connectrpc/connect';
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';

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
 * @param authority host name for `:authority`; Teleport accepts any
 */
export function grpcOver(socket: TLSSocket, authority: string): GrpcConnection {
  const baseUrl = `https://${authority}`;
  const sessionManager = new Http2SessionManager(baseUrl, undefined, { createConnection: () => socket });
  const transport = createGrpcTransport({
    baseUrl,
    sessionManager,
    acceptCompression: [],
    readMaxBytes: MAX_MESSAGE_BYTES,
  });
  const close = () => {
    sessionManager.abort();
    socket.destroy();
  };
  return { transport, close };
}

/** The gRPC error in an error, if it is one. */
export function asGrpcError(error: unknown): ConnectError | undefined {
  return error instanceof ConnectError ? error : undefined;
}
