/** gRPC message framing: reads messages from chunks of any size ("gRPC over HTTP2" of the gRPC project). */
import type { Readable } from 'node:stream';
import { GrpcResponseError } from './status.ts';

/** gRPC's default limit for received messages; a bot's responses are far smaller. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
/** One byte for the compressed flag, four for the length. */
const PREFIX_BYTES = 5;

/** The bytes of one message, in the chunks in which they arrived: joining them would copy every byte. */
export type MessageChunks = readonly Buffer[];

/** In bytes. */
export function lengthOf(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, { length }) => sum + length, 0);
}

/** The prefix of an uncompressed message with this many bytes. */
export function messagePrefix(length: number): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(length, 1);
  return prefix;
}

/** Assembles messages from the chunks that arrive. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #heldBytes = 0;
  /** Fewer bytes than this cannot complete a prefix or message: a message may arrive byte by byte. */
  #wantedBytes = PREFIX_BYTES;

  /** Whether no part of a message is left over. */
  get isEmpty(): boolean {
    return this.#heldBytes === 0;
  }

  /**
   * Yields the messages that this chunk completes.
   * @throws GrpcResponseError for a message that is compressed or too long
   */
  *add(chunk: Buffer): Generator<MessageChunks> {
    if (chunk.length > 0) this.#chunks.push(chunk);
    this.#heldBytes += chunk.length;
    while (this.#heldBytes >= this.#wantedBytes) {
      const length = messageLength(this.#prefix());
      this.#wantedBytes = PREFIX_BYTES + length;
      if (this.#heldBytes < this.#wantedBytes) return;
      this.#take(PREFIX_BYTES);
      const message = this.#take(length);
      this.#wantedBytes = PREFIX_BYTES;
      yield message;
    }
  }

  #prefix(): Buffer {
    const [first] = this.#chunks;
    if (first !== undefined && first.length >= PREFIX_BYTES) return first;
    return Buffer.concat(this.#chunks.slice(0, PREFIX_BYTES).map((chunk) => chunk.subarray(0, PREFIX_BYTES)));
  }

  /** @param length at most the number of held bytes */
  #take(length: number): Buffer[] {
    let count = 0;
    let bytes = 0;
    while (bytes < length) {
      bytes += this.#chunks[count]?.length ?? 0;
      count += 1;
    }
    const taken = this.#chunks.splice(0, count);
    this.#heldBytes -= length;
    const last = taken.at(-1);
    if (last === undefined || bytes === length) return taken;
    const kept = last.length - (bytes - length);
    this.#chunks.unshift(last.subarray(kept));
    return [...taken.slice(0, -1), last.subarray(0, kept)];
  }
}

/** @param bytes begin with a complete prefix */
function messageLength(bytes: Buffer): number {
  if (bytes[0] !== 0) throw new GrpcResponseError('unreadable', 'received a compressed message, expected none');
  const length = bytes.readUInt32BE(1);
  if (length > MAX_MESSAGE_BYTES) {
    throw new GrpcResponseError(
      'too-large',
      `received a message of ${length} bytes, expected at most ${MAX_MESSAGE_BYTES}`,
    );
  }
  return length;
}

/** Limits the waiting chunks to 4 MiB: a chunk of an HTTP/2 stream has at most 64 KiB. */
const MAX_CHUNKS = 64;

/**
 * Yields the chunks received since the last iteration, until the stream ends or closes. Stopping early destroys the stream.
 * Iterating over the stream itself would join and copy waiting chunks.
 * @throws the error of the stream
 */
export async function* chunkBatches(stream: Readable): AsyncGenerator<readonly Buffer[]> {
  const state: { batch: Buffer[]; ended: boolean; failure?: Error } = { batch: [], ended: false };
  let wake: () => void = () => undefined;
  stream.on('data', (chunk: Buffer) => {
    if (state.batch.push(chunk) >= MAX_CHUNKS) stream.pause();
    wake();
  });
  for (const event of ['end', 'close']) {
    stream.once(event, () => {
      state.ended = true;
      wake();
    });
  }
  stream.once('error', (error) => {
    state.failure = error;
    wake();
  });
  try {
    for (;;) {
      const { batch, ended, failure } = state;
      if (batch.length > 0) {
        state.batch = [];
        stream.resume();
        yield batch;
      } else if (failure !== undefined) {
        throw failure;
      } else if (ended) {
        return;
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    stream.destroy();
  }
}
