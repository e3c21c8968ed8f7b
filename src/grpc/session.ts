/** An HTTP/2 session for gRPC over a TLS connection that is already open. */
import type { OutgoingHttpHeaders } from 'node:http';
import type * as Http2 from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream, Settings } from 'node:http2';
import { isIPv6 } from 'node:net';
import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { USER_AGENT } from '../effects/world.ts';
import { type LivenessTimes, watchLiveness } from './liveness.ts';
import { GrpcResponseError } from './status.ts';
import { StreamSlots } from './stream-slots.ts';

/**
 * Limits bytes that are not part of a response: pings, settings, informational headers. Far more than the longest message
 * plus the flow-control window, and far less than a flooding server would send.
 */
const MAX_BYTES_BETWEEN_RESPONSES = 24 * 1024 * 1024;

/** With Node's default of 64 KiB, a connection with a round trip of 50 ms carries at most 1.3 MB/s (RFC 9113 section 6.9). */
const WINDOW_BYTES = 8 * 1024 * 1024;

/** How many bytes may be on their way, for each call and in total. */
export interface Windows {
  readonly callBytes: number;
  readonly connectionBytes: number;
}

const ONE_CALL: Windows = { callBytes: WINDOW_BYTES, connectionBytes: WINDOW_BYTES };

let http2: Promise<typeof Http2> | undefined;

/**
 * Loads Node's HTTP/2, which takes 8 ms: `dialTls` can call it once the ClientHello is sent, so that it is loaded while the server
 * responds. Without that, the session loads it.
 */
export function loadHttp2(): Promise<typeof Http2> {
  http2 ??= Promise.resolve().then(() => import('node:http2'));
  return http2;
}

/** Sent with each call, beside the headers of the protocol ("Custom-Metadata" of the gRPC project). */
export type Metadata = Readonly<OutgoingHttpHeaders>;

export interface SessionOptions {
  readonly times?: LivenessTimes | undefined;
  readonly windows?: Windows;
  readonly metadata?: Metadata;
}

export interface GrpcSession {
  /** Whether a refused call can be sent again on this connection. */
  readonly acceptsCalls: boolean;
  /** Resolves when the server has sent its settings, which come first; rejects if the connection ends before. */
  readonly answered: Promise<void>;
  /**
   * Opens the stream of a call as soon as the server accepts another stream.
   * @throws the signal's reason; any other error if the connection has ended
   */
  open(path: string, signal: AbortSignal): Promise<ClientHttp2Stream>;
  /** Call it for each message sent. */
  onSent(): void;
  /** Call it when headers or a message are received. */
  onResponse(): void;
  /** Call it when the server refuses a stream. */
  onRefusal(): void;
  close(): void;
}

/**
 * Uses the given connection and never replaces it: Teleport's ALPN values are not `h2`, so a library that dials by itself
 * could not open it.
 * @param authority host name or address for `:authority`; Teleport accepts any
 */
export async function grpcSession(
  socket: TLSSocket,
  authority: string,
  { times, windows: { callBytes, connectionBytes } = ONE_CALL, metadata = {} }: SessionOptions = {},
): Promise<GrpcSession> {
  const { connect } = await loadHttp2();
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
  let isAnswered: () => void = () => undefined;
  const answered = new Promise<void>((resolve, reject) => {
    isAnswered = resolve;
    bytes.once('error', reject);
    bytes.once('close', () => {
      reject(new Error('the server closed the connection'));
    });
  });
  answered.catch(() => undefined); // the calls report it
  // Node must not do this: version 18 waits for the peer to close the streams.
  bytes.once('close', () => {
    liveness.end();
    slots.end(new Error('the connection is closed'));
    for (const stream of unanswered) stream.destroy();
  });
  const session = connect(origin, {
    createConnection: () => bytes,
    settings: { initialWindowSize: callBytes, enablePush: false },
  });
  session.once('connect', () => {
    widen(session, connectionBytes);
  });
  session.on('remoteSettings', ({ maxConcurrentStreams }: Settings) => {
    slots.limit(maxConcurrentStreams ?? Infinity);
    isAnswered();
  });
  session.once('goaway', () => {
    slots.end(new Error('the server is closing the connection (GOAWAY)'));
  });
  // A broken connection ends its calls, which report it. The session may emit its error after that, and an error without a
  // listener would crash the process.
  session.on('error', () => undefined);
  return {
    get acceptsCalls() {
      return !session.closed && !session.destroyed;
    },
    answered,
    open: async (path, signal) => {
      await slots.take(signal);
      const stream = openStream(session, slots, { host, path, metadata });
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
  const message = `received more than ${MAX_BYTES_BETWEEN_RESPONSES} bytes that are not part of a response`;
  return new GrpcResponseError('too-large', message);
}

/** The connection may break before or during this; its calls then report it. */
function widen(session: ClientHttp2Session, bytes: number): void {
  try {
    if (!session.destroyed) session.setLocalWindowSize(bytes);
  } catch (error) {
    session.destroy(error instanceof Error ? error : undefined);
  }
}

/** Needs no callback: the response shows in the bytes that arrive. */
function ping(session: ClientHttp2Session): void {
  if (!session.destroyed && !session.connecting) session.ping(() => undefined);
}

function openStream(
  session: ClientHttp2Session,
  slots: StreamSlots,
  { host, metadata, path }: { readonly host: string; readonly path: string; readonly metadata: Metadata },
): ClientHttp2Stream {
  try {
    const stream = session.request(
      {
        ':method': 'POST',
        ':authority': host,
        ':path': path,
        'content-type': 'application/grpc',
        'user-agent': USER_AGENT,
        te: 'trailers',
        ...metadata,
      },
      { endStream: false },
    );
    // The reader of the messages gets the error; until there is one, a reset must not crash the process.
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

/** A call with a complete response can still be read after the connection has ended, so it is not tracked here. */
function untilResponse(stream: ClientHttp2Stream, unanswered: Set<ClientHttp2Stream>): void {
  const remove = () => {
    unanswered.delete(stream);
  };
  unanswered.add(stream);
  stream.once('close', remove);
  stream.once('trailers', remove);
  stream.once('response', (_headers, flags) => {
    if ((flags & END_STREAM) !== 0) remove();
  });
}

/** The flag of a HEADERS frame that ends the stream (RFC 9113 section 6.2). */
const END_STREAM = 1;

/** A URL needs brackets around an IPv6 address, and does not allow its zone. */
function urlHost(authority: string): string {
  return isIPv6(authority) ? `[${authority.replace(/%.*/, '')}]` : authority;
}

/** Buffered between the socket and HTTP/2 before the socket is paused. */
const WAITING_BYTES = 256 * 1024;

/**
 * Wraps the socket so that its errors reach the session. Node's HTTP/2 uses the handle of a TLS socket directly and drops
 * write errors: if a reset follows a ping, writing the ping's response fails, nothing more is read, and no event reports it
 * (Node 18 to 22). With any other stream it uses the stream's events.
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
  // The session's own listener runs first; later errors are irrelevant and must not crash the process.
  stream.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => {
    onBytes(chunk.length);
    if (!stream.push(chunk)) socket.pause();
  });
  socket.once('end', () => stream.push(null));
  socket.on('error', (error: Error) => stream.destroy(error));
  // Otherwise Node ends its own side, asserts that nothing is written after that, and still writes.
  stream.once('end', () => stream.destroy());
  socket.once('close', () => {
    if (!socket.readableEnded) {
      stream.destroy();
      return;
    }
    // Bytes received before an orderly end must still be read. HTTP/2 may have paused, forever after a protocol error.
    // With the socket closed there is nothing to wait for, so keep reading.
    stream.on('pause', () => stream.resume());
    stream.resume();
  });
  // It may have closed while HTTP/2 was loaded; the session must exist before it learns that.
  if (socket.destroyed) queueMicrotask(() => stream.destroy());
  return stream;
}
