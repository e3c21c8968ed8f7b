/** Packets of the SSH transport (RFC 4253 sections 4.2 and 6) over a byte stream, encrypted with AES-GCM (RFC 5647). */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';

export interface DirectionKeys {
  readonly cipher: 'aes-128-gcm' | 'aes-256-gcm';
  readonly key: Buffer;
  /** Four fixed bytes and the packet counter. */
  readonly iv: Buffer;
}

const MAX_IDENTIFICATION_BYTES = 255;
/** Implementations must accept at least 35,000 bytes; OpenSSH and Go accept up to 256 KiB. */
const MAX_PACKET_BYTES = 256 * 1024;
const MIN_PADDING = 4;
const BLOCK_BYTES = 16;
const PLAIN_BLOCK_BYTES = 8;
const TAG_BYTES = 16;

/** The stream has ended or failed. */
export class PeerLeft extends Error {}

export class SshPackets {
  readonly #stream: Duplex;
  readonly #chunks: AsyncIterator<Buffer>;
  #received: Buffer = Buffer.alloc(0);
  #incoming: Direction | undefined;
  #outgoing: Direction | undefined;
  #packetsRead = 0;

  constructor(stream: Duplex) {
    this.#stream = stream;
    this.#chunks = stream.iterator({ destroyOnReturn: false });
  }

  /** The number of the last packet that was read, for UNIMPLEMENTED. */
  get lastSequenceNumber(): number {
    return (this.#packetsRead - 1) >>> 0;
  }

  /** Sends our identification and resolves with the peer's, without the line break. */
  async exchangeIdentification(own: string): Promise<string> {
    this.#stream.write(`${own}\r\n`);
    for (;;) {
      const end = this.#received.indexOf('\n');
      if (end !== -1) {
        const line = this.#received.toString('utf8', 0, end).replace(/\r$/, '');
        this.#received = this.#received.subarray(end + 1);
        if (line.startsWith('SSH-')) {
          return line;
        }
      } else if (this.#received.length > MAX_IDENTIFICATION_BYTES) {
        throw new RangeError('the peer did not send an SSH identification');
      } else {
        await this.#receive();
      }
    }
  }

  /** Encrypts everything sent from now on with these keys. */
  encipher(keys: DirectionKeys): void {
    this.#outgoing = new Direction(keys);
  }

  /** @param resetSequence as strict key exchange requires */
  decipher(keys: DirectionKeys, resetSequence: boolean): void {
    this.#incoming = new Direction(keys);
    if (resetSequence) {
      this.#packetsRead = 0;
    }
  }

  /** The payload of the next packet. @throws PeerLeft if the stream has ended */
  async read(): Promise<Buffer> {
    const lengthBytes = await this.#take(4);
    const length = lengthBytes.readUInt32BE();
    if (length > MAX_PACKET_BYTES || length < MIN_PADDING + 2) {
      throw new RangeError(`a packet of ${length} bytes`);
    }
    const body = this.#incoming
      ? this.#incoming.open(lengthBytes, await this.#take(length + TAG_BYTES))
      : await this.#take(length);
    this.#packetsRead += 1;
    const padding = body.readUInt8();
    if (padding < MIN_PADDING || padding > length - 2) {
      throw new RangeError(`${padding} bytes of padding`);
    }
    return body.subarray(1, length - padding);
  }

  /** Resolves when the stream accepts more. */
  async write(payload: Buffer): Promise<void> {
    // AES-GCM leaves the length of the packet unencrypted and outside of the blocks
    const block = this.#outgoing ? BLOCK_BYTES : PLAIN_BLOCK_BYTES;
    const unpadded = payload.length + (this.#outgoing ? 1 : 5);
    const padding = MIN_PADDING + ((block - ((unpadded + MIN_PADDING) % block)) % block);
    const body = Buffer.concat([Buffer.from([padding]), payload, randomBytes(padding)]);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(body.length);
    const packet = this.#outgoing ? this.#outgoing.seal(length, body) : Buffer.concat([length, body]);
    if (this.#stream.destroyed) {
      throw new Error('the connection is closed');
    }
    if (!this.#stream.write(packet)) {
      await Promise.race([once(this.#stream, 'drain'), once(this.#stream, 'close')]);
    }
  }

  destroy(): void {
    this.#stream.destroy();
  }

  async #take(count: number): Promise<Buffer> {
    while (this.#received.length < count) {
      await this.#receive();
    }
    const taken = this.#received.subarray(0, count);
    this.#received = this.#received.subarray(count);
    return taken;
  }

  async #receive(): Promise<void> {
    const next = await this.#chunks.next().catch((error: unknown) => {
      throw new PeerLeft('the connection broke', { cause: error });
    });
    if (next.done === true) {
      throw new PeerLeft('the peer closed the connection');
    }
    this.#received = Buffer.concat([this.#received, next.value]);
  }
}

/** One direction of an encrypted connection; the counter in its nonce increases with each packet. */
class Direction {
  readonly #keys: DirectionKeys;
  readonly #nonce: Buffer;

  constructor(keys: DirectionKeys) {
    this.#keys = keys;
    this.#nonce = Buffer.from(keys.iv);
  }

  seal(length: Buffer, body: Buffer): Buffer {
    const cipher = createCipheriv(this.#keys.cipher, this.#keys.key, this.#nonce).setAAD(length);
    const sealed = Buffer.concat([cipher.update(body), cipher.final()]);
    this.#count();
    return Buffer.concat([length, sealed, cipher.getAuthTag()]);
  }

  open(length: Buffer, sealed: Buffer): Buffer {
    const end = sealed.length - TAG_BYTES;
    const decipher = createDecipheriv(this.#keys.cipher, this.#keys.key, this.#nonce).setAAD(length);
    decipher.setAuthTag(sealed.subarray(end));
    const body = Buffer.concat([decipher.update(sealed.subarray(0, end)), decipher.final()]);
    this.#count();
    return body;
  }

  #count(): void {
    this.#nonce.writeBigUInt64BE(BigInt.asUintN(64, this.#nonce.readBigUInt64BE(4) + 1n), 4);
  }
}
