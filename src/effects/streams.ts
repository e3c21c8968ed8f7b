/** Writing to a stream no faster than it is read. */
import type { Writable } from 'node:stream';

/** Resolves when the stream has taken all the parts and has room for more; rejects when it has failed. */
export function writeAll(stream: Writable, parts: readonly Uint8Array[]): Promise<void> {
  const last = parts.at(-1);
  if (last === undefined) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const onError = (error: Error) => {
      reject(error);
    };
    stream.once('error', onError);
    stream.cork();
    for (const part of parts.slice(0, -1)) stream.write(part);
    stream.write(last, (error) => {
      stream.off('error', onError);
      if (error) reject(error);
      else resolve();
    });
    stream.uncork();
  });
}
