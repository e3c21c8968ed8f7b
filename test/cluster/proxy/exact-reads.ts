/** Reads a number of bytes from a stream and leaves the next ones in it, because another protocol may follow. */
import type { Duplex } from 'node:stream';

/** Rejects if the stream ends first. */
export function readExactly(stream: Duplex, length: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const onReadable = (): void => {
      const bytes: unknown = stream.read(length);
      if (bytes instanceof Buffer && bytes.length === length) {
        settle();
        resolve(bytes);
      } else if (bytes !== null) {
        onEnd();
      }
    };
    const onEnd = (): void => {
      settle();
      reject(new Error(`the connection ended before ${String(length)} bytes had come`));
    };
    const settle = (): void => {
      stream.off('readable', onReadable).off('end', onEnd).off('close', onEnd);
    };
    stream.on('readable', onReadable).once('end', onEnd).once('close', onEnd);
    if (stream.destroyed) {
      onEnd();
    } else {
      onReadable();
    }
  });
}
