/**
 * A server that floods each client that makes a request, ignoring its windows. It runs in its own process, so that its
 * memory is not counted. Prints the port of each kind of flood, and its certificate, as one line of JSON.
 */
import type { TLSSocket } from 'node:tls';
import {
  FLAGS,
  frame,
  header,
  message,
  onRequest,
  ping,
  response,
  RESPONSE_HEADERS,
  serverPreface,
  startFrameServer,
} from './http2-frames.ts';

const { ACK, END_HEADERS, PADDED } = FLAGS;
const LARGE = Buffer.alloc(16 * 1024, 'x');

function many(count: number, part: Buffer): Buffer {
  return Buffer.concat(Array.from({ length: count }, () => part));
}

/** A literal header that the client must store (RFC 7541 section 6.2.1); after that, one byte refers to it. */
const INDEXED = Buffer.concat([
  Buffer.of(0x40, 1),
  Buffer.from('a'),
  Buffer.of(0x7f, 0x81, 0x1e),
  LARGE.subarray(0, 4000),
]);
const SAME_AGAIN = Buffer.of(0x80 | 62);

/** What precedes the flood, and what is repeated. */
export const FLOODS: Readonly<Record<string, (stream: number) => readonly [first: Buffer, then: Buffer]>> = {
  'empty messages': (stream) => [response(stream), frame('DATA', { stream, payload: Buffer.alloc(16_000) })],
  'tiny messages in tiny frames': (stream) => [response(stream), many(1000, message(stream, Buffer.of(0x1a, 0)))],
  'empty frames': (stream) => [response(stream), many(1000, frame('DATA', { stream }))],
  'bytes of one message': (stream) => [
    Buffer.concat([response(stream), frame('DATA', { stream, payload: Buffer.of(0, 0, 64, 0, 0) })]),
    frame('DATA', { stream, payload: LARGE }),
  ],
  'data before any headers': (stream) => [Buffer.alloc(0), frame('DATA', { stream, payload: LARGE })],
  pings: () => [Buffer.alloc(0), many(1000, ping())],
  'answers to pings': () => [Buffer.alloc(0), many(1000, frame('PING', { flags: ACK, payload: Buffer.alloc(8) }))],
  'acknowledged settings': () => [Buffer.alloc(0), many(1000, frame('SETTINGS', { flags: ACK }))],
  priorities: (stream) => [
    Buffer.alloc(0),
    many(1000, frame('PRIORITY', { stream, payload: Buffer.of(0, 0, 0, 0, 15) })),
  ],
  'frames of no known type': (stream) => [Buffer.alloc(0), frame('UNKNOWN', { stream, payload: LARGE })],
  padding: (stream) => [
    response(stream),
    many(100, frame('DATA', { stream, flags: PADDED, payload: Buffer.concat([Buffer.of(255), Buffer.alloc(255)]) })),
  ],
  'changing tables of headers': () => [
    Buffer.alloc(0),
    many(
      100,
      Buffer.concat(
        [0, 65_535].map((size) =>
          frame('SETTINGS', { payload: Buffer.of(0, 1, 0, 0, Math.floor(size / 256), size % 256) }),
        ),
      ),
    ),
  ],
  settings: () => [Buffer.alloc(0), many(1000, frame('SETTINGS'))],
  'window updates': () => [Buffer.alloc(0), many(1000, frame('WINDOW_UPDATE', { payload: Buffer.of(0, 0, 0, 1) }))],
  'informational headers': (stream) => [
    Buffer.alloc(0),
    many(
      100,
      frame('HEADERS', {
        stream,
        flags: END_HEADERS,
        payload: Buffer.concat([Buffer.of(0x08, 3), Buffer.from('103')]),
      }),
    ),
  ],
  'trailers without an end': (stream) => [
    response(stream),
    many(100, frame('HEADERS', { stream, flags: END_HEADERS, payload: header('grpc-status', '0') })),
  ],
  'continued headers': (stream) => [
    frame('HEADERS', { stream, payload: RESPONSE_HEADERS }),
    many(100, frame('CONTINUATION', { stream, payload: header('a', 'b'.repeat(100)) })),
  ],
  'empty continuations': (stream) => [
    frame('HEADERS', { stream, payload: RESPONSE_HEADERS }),
    many(1000, frame('CONTINUATION', { stream })),
  ],
  'headers that unpack to much': (stream) => [
    Buffer.alloc(0),
    frame('HEADERS', {
      stream,
      flags: END_HEADERS,
      payload: Buffer.concat([RESPONSE_HEADERS, INDEXED, many(10_000, SAME_AGAIN)]),
    }),
  ],
  'resets of streams that are not open': (stream) => [
    Buffer.alloc(0),
    many(1000, frame('RST_STREAM', { stream: stream + 2, payload: Buffer.alloc(4) })),
  ],
  'promises of pushes': (stream) => [
    Buffer.alloc(0),
    many(100, frame('PUSH_PROMISE', { stream, flags: END_HEADERS, payload: Buffer.of(0, 0, 0, 2, 0x82) })),
  ],
  'alternative services': () => [
    Buffer.alloc(0),
    many(
      10,
      frame('ALTSVC', { payload: Buffer.concat([Buffer.of(0, 8), Buffer.from('https://'), LARGE.subarray(0, 8000)]) }),
    ),
  ],
  farewells: () => [
    Buffer.alloc(0),
    many(
      10,
      frame('GOAWAY', {
        payload: Buffer.concat([Buffer.of(0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0), LARGE.subarray(0, 8000)]),
      }),
    ),
  ],
};

function flood(socket: TLSSocket, [first, then]: readonly [Buffer, Buffer]): void {
  const block = many(Math.max(1, Math.floor(65_536 / then.length)), then);
  socket.write(Buffer.concat([serverPreface(), first]));
  const more = () => {
    while (!socket.destroyed) if (!socket.write(block)) return;
  };
  socket.on('drain', more);
  more();
}

if (process.argv[2] === 'serve') {
  const servers = await Promise.all(
    Object.entries(FLOODS).map(async ([kind, frames]) => {
      const server = await startFrameServer({ after: () => undefined }, (socket) => {
        onRequest(socket, (stream) => {
          flood(socket, frames(stream));
        });
      });
      return [kind, server] as const;
    }),
  );
  process.stdout.write(`${JSON.stringify(Object.fromEntries(servers))}\n`);
}
