/** Writing to a stream no faster than it is read. */
import type { Writable } from 'node:stream';

/** Resolves when the stream has taken the bytes and has room for more; rejects when it has failed. */
export function writeAll(stream: Writable, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error) => {
      reject(error);
    };
    stream.once('error', onError);
    stream.write(bytes, (error) => {
      stream.off('error', onError);
      if (error) reject(error);
      else resolve();
    });
  });
}
