/** Reads big-endian fields from bytes; throws at their end. */
export class ByteReader {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  /** The next `length` bytes. */
  take(length: number): Buffer {
    if (length > this.remaining) {
      throw new RangeError(`${length} bytes wanted, ${this.remaining} left`);
    }
    const taken = this.#bytes.subarray(this.#offset, this.#offset + length);
    this.#offset += length;
    return taken;
  }

  /** An unsigned integer of 1 to 6 bytes. */
  uint(byteLength: number): number {
    return this.take(byteLength).readUIntBE(0, byteLength);
  }

  /** Bytes preceded by their length, an integer of `lengthBytes` bytes. */
  vector(lengthBytes: number): Buffer {
    return this.take(this.uint(lengthBytes));
  }
}
