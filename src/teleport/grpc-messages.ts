/** Cuts the messages of gRPC out of chunks of any size ("gRPC over HTTP2" of the gRPC project). */

/** gRPC's own default for a received message. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
/** One byte whether it is compressed, four of length. */
export const PREFIX_BYTES = 5;

export class MessageCutter {
  #chunks: Buffer[] = [];
  #heldBytes = 0;
  /** Before so many are there, nothing new can be told: a message may come byte by byte. */
  #wantedBytes = PREFIX_BYTES;

  /** Whether all that came were whole messages. */
  get isEmpty(): boolean {
    return this.#heldBytes === 0;
  }

  /**
   * The messages that are whole with this chunk.
   * @throws Error for one that is compressed or too long
   */
  *add(chunk: Buffer): Generator<Buffer> {
    this.#chunks.push(chunk);
    this.#heldBytes += chunk.length;
    while (this.#heldBytes >= this.#wantedBytes) {
      const bytes = this.#joined();
      const end = PREFIX_BYTES + messageLength(bytes);
      if (bytes.length < end) {
        this.#keep(bytes, end);
        return;
      }
      this.#keep(bytes.subarray(end), PREFIX_BYTES);
      yield bytes.subarray(PREFIX_BYTES, end);
    }
  }

  #joined(): Buffer {
    const [first] = this.#chunks;
    return this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks);
  }

  #keep(bytes: Buffer, wantedBytes: number): void {
    this.#chunks = bytes.length === 0 ? [] : [bytes];
    this.#heldBytes = bytes.length;
    this.#wantedBytes = wantedBytes;
  }
}

/** @param bytes with a whole prefix */
function messageLength(bytes: Buffer): number {
  if (bytes[0] !== 0) throw new Error('a compressed message came, though none was asked for');
  const length = bytes.readUInt32BE(1);
  if (length > MAX_MESSAGE_BYTES) throw new Error(`a message of ${length} bytes came`);
  return length;
}
