/** The two framings of a connection upgrade: WebSocket (RFC 6455), and the older form with pings. */
import { Transform, type TransformCallback } from 'node:stream';
import { ByteReader } from '../crypto/byte-reader.ts';

/** How bytes are sent to the client and received from it. */
export interface Framing {
  readonly decode: Transform;
  /** Each write becomes one chunk, so that pings can be inserted between them. */
  readonly encode: (bytes: Buffer) => Buffer;
  readonly ping: Buffer | undefined;
  /** What the server sends last, if anything. */
  readonly farewell: Buffer | undefined;
}

const OPCODE = { continuation: 0, binary: 2, close: 8, ping: 9, pong: 10 } as const;
const FINAL = 0x80;
const MASKED = 0x80;
const MAX_FRAME_BYTES = 16 * 1024 * 1024;
const NORMAL_CLOSURE = Buffer.from([0x03, 0xe8]);

export interface WebSocketRules {
  readonly pings: boolean;
  /**
   * The newest servers accept continuation frames, answer pings and send a close frame
   * (`api/client/websocketupgradeproto`); the others drop continuation frames and pings, and just close
   * (`lib/web/conn_upgrade.go` of v15 to v18).
   */
  readonly complete: boolean;
}

/** @param answer sends a frame in addition to the bytes */
export function webSocketFraming(rules: WebSocketRules, answer: (frame: Buffer) => void): Framing {
  const decode = new FrameReader(readWebSocketFrame, ({ opcode, payload }) => {
    switch (opcode) {
      case OPCODE.binary:
        return payload;
      case OPCODE.continuation:
        return rules.complete ? payload : 'nothing';
      case OPCODE.close:
        return 'end';
      case OPCODE.ping:
        if (rules.complete) {
          answer(webSocketFrame(OPCODE.pong, payload));
        }
        return 'nothing';
      default:
        return 'nothing';
    }
  });
  return {
    decode,
    encode: (bytes) => webSocketFrame(OPCODE.binary, bytes),
    ping: rules.pings ? webSocketFrame(OPCODE.ping, Buffer.from('teleport')) : undefined,
    farewell: rules.complete ? webSocketFrame(OPCODE.close, NORMAL_CLOSURE) : undefined,
  };
}

/**
 * The older form without pings is the bare bytes; with pings, each packet has its length before it, which is zero for a
 * ping.
 */
export function legacyFraming(pings: boolean): Framing {
  if (!pings) {
    return {
      decode: new FrameReader(readAll, (bytes) => bytes),
      encode: (bytes) => bytes,
      ping: undefined,
      farewell: undefined,
    };
  }
  const packet = (bytes: Buffer): Buffer => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  return {
    decode: new FrameReader(readPacket, (bytes) => bytes),
    encode: packet,
    ping: packet(Buffer.alloc(0)),
    farewell: undefined,
  };
}

export function webSocketFrame(opcode: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.from([FINAL | opcode]), lengthField(payload.length), payload]);
}

function lengthField(length: number): Buffer {
  if (length < 126) {
    return Buffer.from([length]);
  }
  const field = Buffer.alloc(length < 0x10000 ? 3 : 9);
  if (length < 0x10000) {
    field.writeUInt8(126);
    field.writeUInt16BE(length, 1);
  } else {
    field.writeUInt8(127);
    field.writeBigUInt64BE(BigInt(length), 1);
  }
  return field;
}

export interface WebSocketFrame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** An unmasked frame, whatever its FIN bit. @throws RangeError if more bytes are needed */
export function readWebSocketFrame(reader: ByteReader): WebSocketFrame {
  const opcode = reader.uint(1) & 0x0f;
  const second = reader.uint(1);
  const short = second & 0x7f;
  const length = short === 126 ? reader.uint(2) : short === 127 ? Number(reader.take(8).readBigUInt64BE()) : short;
  if (length > MAX_FRAME_BYTES) {
    throw new FrameTooLong(`a frame of ${length} bytes`);
  }
  const mask = (second & MASKED) === 0 ? undefined : reader.take(4);
  const payload = reader.take(length);
  return { opcode, payload: mask === undefined ? payload : unmask(payload, mask) };
}

class FrameTooLong extends Error {}

function unmask(payload: Buffer, mask: Buffer): Buffer {
  return Buffer.from(payload.map((byte, at) => byte ^ (mask[at % 4] ?? 0)));
}

function readPacket(reader: ByteReader): Buffer {
  return reader.vector(4);
}

function readAll(reader: ByteReader): Buffer {
  return reader.take(reader.remaining);
}

/** Splits a stream into frames, whatever its chunks. */
class FrameReader<T> extends Transform {
  readonly #read: (reader: ByteReader) => T;
  readonly #bytesOf: (frame: T) => Buffer | 'nothing' | 'end';
  #received: Buffer = Buffer.alloc(0);
  #ended = false;

  constructor(read: (reader: ByteReader) => T, bytesOf: (frame: T) => Buffer | 'nothing' | 'end') {
    super();
    this.#read = read;
    this.#bytesOf = bytesOf;
  }

  override _transform(chunk: Buffer, _encoding: string, done: TransformCallback): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    try {
      for (let frame = this.#next(); frame !== undefined; frame = this.#next()) {
        this.#take(frame.value);
      }
      done();
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #take(frame: T): void {
    const bytes = this.#ended ? 'nothing' : this.#bytesOf(frame);
    if (bytes === 'end') {
      this.#ended = true;
      this.push(null);
    } else if (bytes !== 'nothing' && bytes.length > 0) {
      this.push(bytes);
    }
  }

  #next(): { readonly value: T } | undefined {
    if (this.#received.length === 0) {
      return undefined;
    }
    const reader = new ByteReader(this.#received);
    try {
      const value = this.#read(reader);
      this.#received = this.#received.subarray(this.#received.length - reader.remaining);
      return { value };
    } catch (error) {
      if (error instanceof RangeError) {
        return undefined; // the rest of the frame has not arrived yet
      }
      throw error;
    }
  }
}
