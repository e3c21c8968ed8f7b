/** Reads exact numbers of bytes from chunks of any size. */
import { corrupt } from './archive.ts';

const NOTHING = Buffer.alloc(0);

export class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Buffer = NOTHING;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** The next bytes, as many as are available; undefined at the end. Never empty. */
  async next(): Promise<Buffer | undefined> {
    const rest = this.#rest;
    this.#rest = NOTHING;
    if (rest.length > 0) return rest;
    for (;;) {
      const chunk = await this.#chunks.next();
      if (chunk.done === true) return undefined;
      const { buffer, byteOffset, length } = chunk.value;
      if (length > 0) return Buffer.from(buffer, byteOffset, length);
    }
  }

  /** Returns bytes to the front, to be read again. */
  unread(bytes: Buffer): void {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([bytes, this.#rest]);
  }

  /** Exactly this many bytes. */
  async exactly(length: number): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of this.upTo(length)) chunks.push(chunk);
    return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
  }

  /** This many bytes, in chunks. */
  async *upTo(length: number): AsyncGenerator<Buffer> {
    for (let missing = length; missing > 0;) {
      const available = await this.next();
      if (available === undefined) throw corrupt('it ends in the middle of an entry');
      if (available.length > missing) this.unread(available.subarray(missing));
      const chunk = available.subarray(0, missing);
      missing -= chunk.length;
      yield chunk;
    }
  }

  async skip(length: number): Promise<void> {
    await drain(this.upTo(length));
  }

  /** Reads to the end. */
  async drain(): Promise<void> {
    while ((await this.next()) !== undefined);
  }

  /** Releases the source of the chunks. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}

/** Reads and discards the rest. */
export async function drain(chunks: AsyncIterable<unknown>): Promise<void> {
  const iterator = chunks[Symbol.asyncIterator]();
  while ((await iterator.next()).done !== true);
}
