/** HTTP/2 frames as bytes (RFC 9113 section 6), and a TLS server that sends whatever a test builds from them. */
import { once } from 'node:events';
import { createServer, type TLSSocket } from 'node:tls';
import { selfSigned } from '../tls-certificate.ts';

const TYPES = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
  ALTSVC: 10,
  /** Of no specification: it must be ignored (RFC 9113 section 5.5). */
  UNKNOWN: 0x55,
} as const;

const NAMES = [
  'DATA',
  'HEADERS',
  'RST_STREAM',
  'SETTINGS',
  'PUSH_PROMISE',
  'PING',
  'GOAWAY',
  'WINDOW_UPDATE',
  'CONTINUATION',
] as const;

export const FLAGS = { END_STREAM: 1, ACK: 1, END_HEADERS: 4, PADDED: 8 } as const;

export interface Frame {
  readonly stream?: number;
  readonly flags?: number;
  readonly payload?: Uint8Array;
}

export function frame(type: keyof typeof TYPES, content: Frame = {}): Buffer {
  const { flags = 0, payload = Buffer.alloc(0), stream = 0 } = content;
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(TYPES[type], 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

const MAX_CONCURRENT_STREAMS = 3;

export function settings(maxConcurrentStreams: number): Buffer {
  const payload = Buffer.alloc(6);
  payload.writeUInt16BE(MAX_CONCURRENT_STREAMS);
  payload.writeUInt32BE(maxConcurrentStreams, 2);
  return frame('SETTINGS', { payload });
}

/** The server's first frame, and its acknowledgment of the client's. */
export function serverPreface(maxConcurrentStreams = 100): Buffer {
  return Buffer.concat([settings(maxConcurrentStreams), frame('SETTINGS', { flags: FLAGS.ACK })]);
}

export function ping(): Buffer {
  return frame('PING', { payload: Buffer.alloc(8, 1) });
}

/** A literal without indexing and without Huffman coding (RFC 7541 section 6.2.2). */
export function header(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.of(0, name.length), Buffer.from(name), Buffer.of(value.length), Buffer.from(value)]);
}

/** `:status: 200` from the static table, and gRPC's content type. */
export const RESPONSE_HEADERS = Buffer.concat([Buffer.of(0x88), header('content-type', 'application/grpc')]);

export function response(stream: number): Buffer {
  return frame('HEADERS', { stream, flags: FLAGS.END_HEADERS, payload: RESPONSE_HEADERS });
}

export function trailers(stream: number): Buffer {
  const flags = FLAGS.END_HEADERS | FLAGS.END_STREAM;
  return frame('HEADERS', { stream, flags, payload: header('grpc-status', '0') });
}

/** One gRPC message, empty by default. */
export function message(stream: number, bytes: Uint8Array = Buffer.alloc(0)): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(bytes.length, 1);
  return frame('DATA', { stream, payload: Buffer.concat([prefix, bytes]) });
}

export interface FrameServer {
  readonly port: number;
  /** PEM of the authority that signed its certificate. */
  readonly ca: string;
}

/** The server is closed when this ends. */
interface Owner {
  readonly after: (work: () => void) => void;
}

/** @param serve is called with each connection after its handshake */
export async function startFrameServer(owner: Owner, serve: (socket: TLSSocket) => void): Promise<FrameServer> {
  const { certificate, key } = await selfSigned('localhost');
  const sockets = new Set<TLSSocket>();
  const server = createServer({ cert: certificate, key, ALPNProtocols: ['h2'] }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    serve(socket);
  });
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  owner.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address !== 'object') throw new Error('the server has no address');
  return { port: address.port, ca: certificate };
}

export interface ReceivedFrame extends Required<Frame> {
  readonly type: keyof typeof TYPES | undefined;
}

const PREFACE_BYTES = 24;
const HEAD_BYTES = 9;

/** Calls back with each frame that a client sends after its preface. */
export function onFrame(socket: TLSSocket, serve: (frame: ReceivedFrame) => void): void {
  let held = Buffer.alloc(0);
  let hasPreface = false;
  socket.on('data', (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    if (!hasPreface && held.length >= PREFACE_BYTES) {
      held = held.subarray(PREFACE_BYTES);
      hasPreface = true;
    }
    while (hasPreface && held.length >= HEAD_BYTES) {
      const end = HEAD_BYTES + held.readUIntBE(0, 3);
      if (held.length < end) return;
      const type = NAMES.find((name) => TYPES[name] === held.readUInt8(3));
      const frame = { flags: held.readUInt8(4), stream: held.readUInt32BE(5), payload: held.subarray(HEAD_BYTES, end) };
      held = held.subarray(end);
      serve({ type, ...frame });
    }
  });
}

/** Calls back with the number of each stream that a client opens. */
export function onRequest(socket: TLSSocket, serve: (stream: number) => void): void {
  onFrame(socket, ({ stream, type }) => {
    if (type === 'HEADERS') serve(stream);
  });
}
