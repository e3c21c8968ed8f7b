/** Reads counted bytes out of portions of any size. */
import { corrupt } from './archive.ts';

const NOTHING = Buffer.alloc(0);

export class ByteReader {
  readonly #portions: AsyncIterator<Uint8Array>;
  #rest: Buffer = NOTHING;

  constructor(portions: AsyncIterable<Uint8Array>) {
    this.#portions = portions[Symbol.asyncIterator]();
  }

  /** The next bytes, however many there are, or undefined at the end. Never empty. */
  async next(): Promise<Buffer | undefined> {
    const rest = this.#rest;
    this.#rest = NOTHING;
    if (rest.length > 0) return rest;
    for (;;) {
      const portion = await this.#portions.next();
      if (portion.done === true) return undefined;
      const { buffer, byteOffset, length } = portion.value;
      if (length > 0) return Buffer.from(buffer, byteOffset, length);
    }
  }

  /** Puts bytes back to the front. */
  unread(bytes: Buffer): void {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([bytes, this.#rest]);
  }

  /** Exactly so many bytes. */
  async exactly(length: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const part of this.upTo(length)) parts.push(part);
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
  }

  /** So many bytes, in portions. */
  async *upTo(length: number): AsyncGenerator<Buffer> {
    for (let missing = length; missing > 0;) {
      const portion = await this.next();
      if (portion === undefined) throw corrupt('it ends in the middle of an entry');
      if (portion.length > missing) this.unread(portion.subarray(missing));
      const part = portion.subarray(0, missing);
      missing -= part.length;
      yield part;
    }
  }

  async skip(length: number): Promise<void> {
    await drain(this.upTo(length));
  }

  /** Reads to the end. */
  async drain(): Promise<void> {
    while ((await this.next()) !== undefined);
  }

  /** Lets go of where the portions come from. */
  async close(): Promise<void> {
    await this.#portions.return?.();
  }
}

/** Reads what is left, to nowhere. */
export async function drain(parts: AsyncIterable<unknown>): Promise<void> {
  const iterator = parts[Symbol.asyncIterator]();
  while ((await iterator.next()).done !== true);
}
