/** Reads a stream in the chunks in which it comes: to iterate over a stream joins and copies those that wait. */
import type { Readable } from 'node:stream';

/** So much waits in memory at most: a chunk of an HTTP/2 stream has 64 KiB at most. */
const MOST_CHUNKS = 64;

/**
 * Yields the chunks received since the last iteration, until the stream ends or closes. Stopping early destroys the stream.
 * @throws Error that the stream has failed with
 */
export async function* chunkBatches(stream: Readable): AsyncGenerator<readonly Buffer[]> {
  const state: { batch: Buffer[]; ended: boolean; failure?: Error } = { batch: [], ended: false };
  let wake: () => void = () => undefined;
  stream.on('data', (chunk: Buffer) => {
    if (state.batch.push(chunk) >= MOST_CHUNKS) stream.pause();
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
