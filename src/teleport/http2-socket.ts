/** The bytes under HTTP/2: a TLS socket whose failures always reach the session. */
import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';

/** As many as wait between the socket and HTTP/2 before the socket is paused. */
const WAITING_BYTES = 256 * 1024;

/**
 * Node's HTTP/2 takes the handle of a TLS socket for itself and drops the errors of its writes. When a reset comes right
 * behind a ping, writing the answer to the ping fails, nothing more is read, and no event says so (Node 18 to 22). It uses
 * any other stream by its events, as everyone does.
 * @param onBytes called with the length of each chunk that arrives
 */
export function http2Socket(socket: TLSSocket, onBytes: (length: number) => void): Duplex {
  const stream = new Duplex({
    readableHighWaterMark: WAITING_BYTES,
    writableHighWaterMark: WAITING_BYTES,
    read: () => {
      socket.resume();
    },
    write: (chunk: Buffer, _encoding, done) => {
      socket.write(chunk, done);
    },
    writev: (chunks, done) => {
      socket.cork();
      const buffers = chunks.map(({ chunk }: { chunk: Buffer }) => chunk);
      for (const buffer of buffers.slice(0, -1)) socket.write(buffer);
      socket.write(buffers.at(-1) ?? '', done);
      socket.uncork();
    },
    final: (done) => {
      socket.end(() => {
        done();
      });
    },
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  // The session hears of it first; later failures concern nobody and must not end the process.
  stream.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => {
    onBytes(chunk.length);
    if (!stream.push(chunk)) socket.pause();
  });
  socket.once('end', () => stream.push(null));
  socket.on('error', (error: Error) => stream.destroy(error));
  // Node would otherwise end its own side, assert that nothing is written after that, and write all the same.
  stream.once('end', () => stream.destroy());
  socket.once('close', () => {
    if (!socket.readableEnded) {
      stream.destroy();
      return;
    }
    // What has arrived before an orderly end is still to be read. HTTP/2 may have stopped reading, for good after a
    // breach of the protocol; with no socket to write to any more, nothing is left to wait for.
    stream.on('pause', () => stream.resume());
    stream.resume();
  });
  return stream;
}
