/** HTTP/2 over a TLS connection that is already open. */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants, type Settings } from 'node:http2';
import { isIPv6 } from 'node:net';
import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { USER_AGENT } from '../effects/world.ts';
import { type LivenessTimes, watchLiveness } from './liveness.ts';
import { GrpcResponseError } from './status.ts';
import { StreamSlots } from './stream-slots.ts';

/**
 * What may come without being an answer: pings, settings, informational headers. Far more than the longest message and
 * what waits for a slow reader (the window), and far less than what a server that floods us would like to send.
 */
const MAX_BYTES_BETWEEN_RESPONSES = 24 * 1024 * 1024;

/** With Node's 64 KiB, a path of 50 ms there and back would carry 1.3 MB a second at most (RFC 9113 section 6.9). */
const WINDOW_BYTES = 8 * 1024 * 1024;

export interface GrpcSession {
  /** Whether a call that the server refused can be made again here. */
  readonly acceptsCalls: boolean;
  /**
   * Opens a call, whose stream carries framed messages, as soon as the server takes another stream.
   * @throws the signal's reason; any other error when the connection has ended
   */
  open(path: string, signal: AbortSignal): Promise<ClientHttp2Stream>;
  /** Called for each step of a call: a message sent, headers or a message received. */
  onSent(): void;
  onResponse(): void;
  /** To be told when the server refused a stream. */
  onRefusal(): void;
  close(): void;
}

/**
 * The connection is used as it is and never replaced: Teleport's ALPN values are not `h2`, so a library that dials by
 * itself could not open it again.
 * @param authority host name or address for `:authority`; Teleport accepts any
 */
export function grpcSession(socket: TLSSocket, authority: string, times?: LivenessTimes): GrpcSession {
  const { host, origin } = new URL(`https://${urlHost(authority)}`);
  const slots = new StreamSlots();
  const liveness = watchLiveness({
    isBusy: () => slots.isBusy,
    ping: () => {
      ping(session);
    },
    onLost: (error) => bytes.destroy(error),
    times,
  });
  let bytesBetween = 0;
  const bytes = http2Socket(socket, (length) => {
    liveness.onBytes();
    bytesBetween += length;
    if (bytesBetween > MAX_BYTES_BETWEEN_RESPONSES) bytes.destroy(flooded());
  });
  const unanswered = new Set<ClientHttp2Stream>();
  // Before Node hears of it, which on version 18 waits for the other side to close them.
  bytes.once('close', () => {
    liveness.end();
    slots.end(new Error('the connection has ended'));
    for (const stream of unanswered) stream.destroy();
  });
  const session = connect(origin, {
    createConnection: () => bytes,
    settings: { initialWindowSize: WINDOW_BYTES, enablePush: false },
  });
  session.once('connect', () => {
    widen(session);
  });
  session.on('remoteSettings', ({ maxConcurrentStreams }: Settings) => {
    slots.limit(maxConcurrentStreams ?? Infinity);
  });
  session.once('goaway', () => {
    slots.end(new Error('the server is closing the connection (GOAWAY)'));
  });
  // What breaks the connection ends its calls, which report it. The session may emit its error after them, when nobody
  // listens any more, and an error without a listener would end the process.
  session.on('error', () => undefined);
  return {
    get acceptsCalls() {
      return !session.closed && !session.destroyed;
    },
    open: async (path, signal) => {
      await slots.take(signal);
      const stream = openStream(session, slots, { host, path });
      untilResponse(stream, unanswered);
      return stream;
    },
    onSent: () => {
      bytesBetween = 0;
    },
    onResponse: () => {
      bytesBetween = 0;
      liveness.onResponse();
    },
    onRefusal: () => {
      slots.refused();
    },
    close: () => {
      liveness.end();
      session.destroy();
      bytes.destroy();
    },
  };
}

function flooded(): GrpcResponseError {
  const message = `more than ${MAX_BYTES_BETWEEN_RESPONSES} bytes came that are no answer`;
  return new GrpcResponseError('too-large', message);
}

/** A connection can break before it is set up, or while it is asked for this; then its calls report that. */
function widen(session: ClientHttp2Session): void {
  try {
    if (!session.destroyed) session.setLocalWindowSize(WINDOW_BYTES);
  } catch (error) {
    session.destroy(error instanceof Error ? error : undefined);
  }
}

/** Whether the answer comes, shows in the bytes that arrive. */
function ping(session: ClientHttp2Session): void {
  if (!session.destroyed && !session.connecting) session.ping(() => undefined);
}

function openStream(
  session: ClientHttp2Session,
  slots: StreamSlots,
  { host, path }: { readonly host: string; readonly path: string },
): ClientHttp2Stream {
  try {
    const stream = session.request(
      {
        [constants.HTTP2_HEADER_METHOD]: 'POST',
        [constants.HTTP2_HEADER_AUTHORITY]: host,
        [constants.HTTP2_HEADER_PATH]: path,
        [constants.HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
        [constants.HTTP2_HEADER_USER_AGENT]: USER_AGENT,
        te: 'trailers',
      },
      { endStream: false },
    );
    // The reader of the messages gets the error; until there is one, a reset must not end the process.
    stream.on('error', () => undefined);
    stream.once('close', () => {
      slots.release();
    });
    return stream;
  } catch (error) {
    slots.release();
    throw error;
  }
}

/** What is answered in full can still be read when the connection has ended. */
function untilResponse(stream: ClientHttp2Stream, unanswered: Set<ClientHttp2Stream>): void {
  const remove = () => {
    unanswered.delete(stream);
  };
  unanswered.add(stream);
  stream.once('close', remove);
  stream.once('trailers', remove);
  stream.once('response', (_headers, flags) => {
    if ((flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0) remove();
  });
}

/** A URL has IPv6 addresses in brackets, and none that is good for one network card alone. */
function urlHost(authority: string): string {
  return isIPv6(authority) ? `[${authority.replace(/%.*/, '')}]` : authority;
}

// The bytes under HTTP/2: a TLS socket whose failures always reach the session.

/** As many as wait between the socket and HTTP/2 before the socket is paused. */
const WAITING_BYTES = 256 * 1024;

/**
 * Node's HTTP/2 takes the handle of a TLS socket for itself and drops the errors of its writes. When a reset comes right
 * behind a ping, writing the answer to the ping fails, nothing more is read, and no event says so (Node 18 to 22). It uses
 * any other stream by its events, as everyone does.
 * @param onBytes called with the length of each chunk that arrives
 */
function http2Socket(socket: TLSSocket, onBytes: (length: number) => void): Duplex {
  const stream = new Duplex({
    readableHighWaterMark: WAITING_BYTES,
    writableHighWaterMark: WAITING_BYTES,
    read: () => {
      socket.resume();
    },
    write: (chunk: Buffer, _encoding, done) => {
      socket.write(chunk, done);
    },
    writev: (chunks, done) => {
      socket.cork();
      const buffers = chunks.map(({ chunk }: { chunk: Buffer }) => chunk);
      for (const buffer of buffers.slice(0, -1)) socket.write(buffer);
      socket.write(buffers.at(-1) ?? '', done);
      socket.uncork();
    },
    final: (done) => {
      socket.end(() => {
        done();
      });
    },
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  // The session hears of it first; later failures concern nobody and must not end the process.
  stream.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => {
    onBytes(chunk.length);
    if (!stream.push(chunk)) socket.pause();
  });
  socket.once('end', () => stream.push(null));
  socket.on('error', (error: Error) => stream.destroy(error));
  // Node would otherwise end its own side, assert that nothing is written after that, and write all the same.
  stream.once('end', () => stream.destroy());
  socket.once('close', () => {
    if (!socket.readableEnded) {
      stream.destroy();
      return;
    }
    // What has arrived before an orderly end is still to be read. HTTP/2 may have stopped reading, for good after a
    // breach of the protocol; with no socket to write to any more, nothing is left to wait for.
    stream.on('pause', () => stream.resume());
    stream.resume();
  });
  return stream;
}
