/** HTTP/2 over a TLS connection that is already open. */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import { isIPv6 } from 'node:net';
import type { TLSSocket } from 'node:tls';

/** With Node's 64 KiB, a path of 50 ms there and back would carry 1.3 MB a second at most (RFC 9113 section 6.9). */
const WINDOW_BYTES = 8 * 1024 * 1024;

export interface GrpcSession {
  /** Opens a call, whose stream carries framed messages. */
  open(path: string): ClientHttp2Stream;
  close(): void;
}

/**
 * The connection is used as it is and never replaced: Teleport's ALPN values are not `h2`, so a library that dials by
 * itself could not open it again.
 * @param authority host name or address for `:authority`; Teleport accepts any
 */
export function grpcSession(socket: TLSSocket, authority: string): GrpcSession {
  const { host, origin } = new URL(`https://${urlHost(authority)}`);
  const session = connect(origin, {
    createConnection: () => socket,
    settings: { initialWindowSize: WINDOW_BYTES, enablePush: false },
  });
  session.once('connect', () => {
    session.setLocalWindowSize(WINDOW_BYTES);
  });
  // What breaks the connection ends its calls, which tell of it. The session may say so after them, when nobody
  // listens any more, and an error without a listener would end the process.
  session.on('error', () => undefined);
  return {
    open: (path) => openStream(session, host, path),
    close: () => {
      session.destroy();
      socket.destroy();
    },
  };
}

function openStream(session: ClientHttp2Session, host: string, path: string): ClientHttp2Stream {
  const stream = session.request(
    {
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_AUTHORITY]: host,
      [constants.HTTP2_HEADER_PATH]: path,
      [constants.HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
      te: 'trailers',
    },
    { endStream: false },
  );
  // Whoever reads the messages is told; until somebody does, a reset must not end the process.
  stream.on('error', () => undefined);
  return stream;
}

/** A URL has IPv6 addresses in brackets, and none that is good for one network card alone. */
function urlHost(authority: string): string {
  return isIPv6(authority) ? `[${authority.replace(/%.*/, '')}]` : authority;
}
