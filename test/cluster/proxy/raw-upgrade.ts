/** A client of the connection upgrade for the cluster's own tests, which sends and receives single frames. */
import { Duplex } from 'node:stream';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { webAddress } from '../auth/raw-bot.ts';
import { dialTls } from './raw-client.ts';
import { ByteReader } from '../crypto/byte-reader.ts';
import type { Cluster } from '../cluster.ts';
import { readWebSocketFrame, type WebSocketFrame } from './upgrade-framing.ts';

const ZERO_MASK = Buffer.alloc(4);
const HEAD_END = '\r\n\r\n';
const BINARY = 2;
/** Of RFC 6455 section 1.3. */
export const SAMPLE_KEY = Buffer.from('the sample nonce').toString('base64');

/** With the mask bit set, as required for a client's frames; Go's client masks with zeros. */
export function clientFrame(opcode: number, payload: Buffer, mask: Buffer = ZERO_MASK, final = true): Buffer {
  const length = Buffer.alloc(3);
  length.writeUInt8(0x80 | 126);
  length.writeUInt16BE(payload.length, 1);
  const masked = Buffer.from(payload.map((byte, at) => byte ^ (mask[at % 4] ?? 0)));
  return Buffer.concat([Buffer.from([(final ? 0x80 : 0) | opcode]), length, mask, masked]);
}

/** The headers of a WebSocket handshake, as clients of 17.3.1 and later send them. */
export function webSocket(protocol: string, key: string = SAMPLE_KEY): Record<string, string> {
  return {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': key,
    'Sec-WebSocket-Protocol': protocol,
  };
}

export class RawUpgrade {
  /** The header lines of the response. */
  readonly head: string;
  readonly socket: TLSSocket;
  /** Every received frame. */
  readonly frames: WebSocketFrame[] = [];
  /** The bytes inside the frames. */
  readonly stream: Duplex;
  /** Resolves when the server has closed the connection. */
  readonly closed: Promise<void>;
  mask: Buffer = ZERO_MASK;
  /** Sends all but the first byte of each write as a continuation frame. */
  fragment = false;
  #received: Buffer;
  readonly #form: 'websocket' | 'packets' | 'bytes';

  private constructor(socket: TLSSocket, head: string, rest: Buffer) {
    this.socket = socket;
    this.head = head;
    this.#received = rest;
    this.#form = /^upgrade: websocket/im.test(head) ? 'websocket' : head.includes('alpn-ping') ? 'packets' : 'bytes';
    this.stream = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        this.#write(chunk);
        done();
      },
      destroy: (error, done) => {
        socket.destroy();
        done(error);
      },
    });
    this.closed = new Promise((resolve) => {
      socket.once('end', resolve).once('close', resolve);
    });
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#readAll();
    });
    // What is written after the server has closed it is lost, as on a network; the end of the stream follows.
    socket.on('error', () => undefined);
    socket.once('close', () => this.stream.push(null)).resume();
  }

  /**
   * @param address of a load balancer; by default that of the cluster
   * @throws Error with the response if it is not 101
   */
  static async open(
    cluster: Cluster,
    headers: Record<string, string>,
    address: ConnectionOptions = webAddress(cluster),
  ): Promise<RawUpgrade> {
    const socket = await dialTls(address);
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
    socket.write(
      ['GET /webapi/connectionupgrade HTTP/1.1', `Host: ${cluster.info.proxy}`, ...lines, '', ''].join('\r\n'),
    );
    const received = await readHead(socket);
    const end = received.indexOf(HEAD_END);
    const head = received.toString('utf8', 0, end);
    if (!head.startsWith('HTTP/1.1 101 ')) {
      socket.destroy();
      throw new Error(received.toString());
    }
    return new RawUpgrade(socket, head, received.subarray(end + HEAD_END.length));
  }

  #write(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; at += 0x4000) {
      this.#writePart(chunk.subarray(at, at + 0x4000));
    }
  }

  #writePart(part: Buffer): void {
    if (this.#form === 'bytes') {
      this.socket.write(part);
    } else if (this.#form === 'packets') {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(part.length);
      this.socket.write(Buffer.concat([length, part]));
    } else if (this.fragment) {
      this.socket.write(clientFrame(BINARY, part.subarray(0, 1), this.mask, false));
      this.socket.write(clientFrame(0, part.subarray(1), this.mask));
    } else {
      this.socket.write(clientFrame(BINARY, part, this.mask));
    }
  }

  #readAll(): void {
    while (this.#received.length > 0) {
      const reader = new ByteReader(this.#received);
      try {
        this.#readOne(reader);
      } catch (error) {
        if (error instanceof RangeError) return;
        throw error;
      }
      this.#received = this.#received.subarray(this.#received.length - reader.remaining);
    }
  }

  #readOne(reader: ByteReader): void {
    if (this.#form === 'bytes') {
      this.stream.push(reader.take(reader.remaining));
    } else if (this.#form === 'packets') {
      this.#push(reader.vector(4));
    } else {
      const frame = readWebSocketFrame(reader);
      this.frames.push(frame);
      if (frame.opcode === BINARY) this.#push(frame.payload);
    }
  }

  #push(payload: Buffer): void {
    if (payload.length > 0) this.stream.push(payload);
  }
}

function readHead(socket: TLSSocket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      received = Buffer.concat([received, chunk]);
      if (received.includes(HEAD_END)) {
        socket.off('data', onData).off('close', onClose).pause();
        resolve(received);
      }
    };
    const onClose = (): void => {
      reject(new Error(`the connection closed after ${received.toString()}`));
    };
    socket.on('data', onData).once('close', onClose);
  });
}
