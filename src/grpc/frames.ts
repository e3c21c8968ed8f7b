/** The frames of gRPC's messages, cut out of chunks of any size ("gRPC over HTTP2" of the gRPC project). */
import type { Readable } from 'node:stream';
import { GrpcResponseError } from './status.ts';

/** gRPC's own default for a received message; no answer that a bot reads comes near it. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
/** One byte whether it is compressed, four of length. */
const PREFIX_BYTES = 5;

/** The bytes of one message, in the pieces in which they came: to join them would copy all that passes. */
export type MessageChunks = readonly Buffer[];

/** In bytes. */
export function lengthOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}

/** What stands before a message of so many bytes, which is not compressed. */
export function messagePrefix(length: number): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(length, 1);
  return prefix;
}

export class FrameReader {
  #pieces: Buffer[] = [];
  #heldBytes = 0;
  /** Before so many are there, nothing new can be told: a message may come byte by byte. */
  #wantedBytes = PREFIX_BYTES;

  /** Whether all that came were whole messages. */
  get isEmpty(): boolean {
    return this.#heldBytes === 0;
  }

  /**
   * The messages that are whole with this chunk.
   * @throws GrpcReplyError for one that is compressed or too long
   */
  *add(chunk: Buffer): Generator<MessageChunks> {
    if (chunk.length > 0) this.#pieces.push(chunk);
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
    const [first] = this.#pieces;
    if (first !== undefined && first.length >= PREFIX_BYTES) return first;
    return Buffer.concat(this.#pieces.slice(0, PREFIX_BYTES).map((piece) => piece.subarray(0, PREFIX_BYTES)));
  }

  /** @param length no more than are held */
  #take(length: number): Buffer[] {
    let count = 0;
    let bytes = 0;
    while (bytes < length) {
      bytes += this.#pieces[count]?.length ?? 0;
      count += 1;
    }
    const taken = this.#pieces.splice(0, count);
    this.#heldBytes -= length;
    const last = taken.at(-1);
    if (last === undefined || bytes === length) return taken;
    const kept = last.length - (bytes - length);
    this.#pieces.unshift(last.subarray(kept));
    return [...taken.slice(0, -1), last.subarray(0, kept)];
  }
}

/** @param bytes with a whole prefix */
function messageLength(bytes: Buffer): number {
  if (bytes[0] !== 0) throw new GrpcResponseError('unreadable', 'a compressed message came, though none was asked for');
  const length = bytes.readUInt32BE(1);
  if (length > MAX_MESSAGE_BYTES) {
    throw new GrpcResponseError(
      'too-large',
      `a message of ${length} bytes came, at most ${MAX_MESSAGE_BYTES} are accepted`,
    );
  }
  return length;
}

// Reads a stream in the chunks in which it comes: to iterate over a stream joins and copies those that wait.

/** So much waits in memory at most: a chunk of an HTTP/2 stream has 64 KiB at most. */
const MAX_CHUNKS = 64;

/**
 * Yields the chunks received since the last iteration, until the stream ends or closes. Stopping early destroys the stream.
 * @throws Error that the stream has failed with
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
