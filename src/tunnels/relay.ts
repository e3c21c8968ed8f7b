/** Carries bytes between a client and its connection upstream, in both directions, as fast as the slower side reads. */
import type { Socket } from 'node:net';
import { every } from '../effects/time.ts';

export interface RelayEnd {
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** What broke the connection upstream, if it did not end in order. */
  readonly error: Error | undefined;
}

/**
 * The end of one side's input ends the other's output; the opposite direction continues until it ends too, or until no byte has
 * passed for this time: a client may wait for its answer, while a Proxy that has closed a connection has nothing more to say.
 */
const IDLE_MS = { client: 5 * 60_000, upstream: 30_000 };

/**
 * Resolves when both are closed. A side that breaks resets the other, so that a client can tell a broken connection from
 * a complete one. Node.js does not show whether TLS ended with a farewell (`close_notify`): a connection that was cut without a reset
 * looks complete.
 */
export function relay(client: Socket, upstream: Socket): Promise<RelayEnd> {
  return new Promise((resolve) => {
    let error: Error | undefined;
    let open = 2;
    let stopWatching: (() => void) | undefined;
    const closed = (other: Socket, cause: Error | undefined) => {
      if (cause !== undefined) reset(other);
      // Nothing can be sent to a closed side, and it sends nothing more: what is on its way to the other is still delivered.
      else finish(other);
      open -= 1;
      if (open > 0) return;
      stopWatching?.();
      resolve({ sentBytes: client.bytesRead, receivedBytes: client.bytesWritten, error });
    };
    upstream.on('error', (cause) => {
      error ??= cause;
    });
    client.once('close', (hadError) => {
      closed(upstream, hadError ? new Error('the client broke the connection') : undefined);
    });
    upstream.once('close', (hadError: boolean) => {
      closed(client, hadError ? (error ?? new Error('the connection broke')) : undefined);
    });
    const halfClosed = (ended: keyof typeof IDLE_MS) => {
      let passed = client.bytesRead + client.bytesWritten;
      stopWatching ??= every(IDLE_MS[ended], () => {
        const now = client.bytesRead + client.bytesWritten;
        if (now === passed) {
          client.destroy();
          upstream.destroy();
        }
        passed = now;
      });
    };
    client.once('end', () => {
      halfClosed('client');
    });
    upstream.once('end', () => {
      halfClosed('upstream');
    });
    // `pipe` ends the output when the input ends, and pauses the input while the output is full.
    client.pipe(upstream);
    upstream.pipe(client);
    if (client.destroyed) upstream.destroy();
    if (upstream.destroyed) reset(client);
  });
}

function finish(socket: Socket): void {
  if (socket.destroyed) return;
  if (socket.writableFinished) socket.destroy();
  else {
    socket.once('finish', () => socket.destroy());
    socket.end();
  }
}

/** Without an orderly end, also where Node does not offer a reset: over TLS and at Unix sockets. */
function reset(socket: Socket): void {
  if (socket.destroyed) return;
  // A socket that is ending its output cannot be reset any more, and Node.js would keep it open for ever.
  if (isPlainTcp(socket) && !socket.writableEnded) socket.resetAndDestroy();
  else socket.destroy();
}

/** `resetAndDestroy` exists since Node 18.3. */
function isPlainTcp(socket: Socket): boolean {
  return 'resetAndDestroy' in socket && socket.remoteFamily !== undefined && !('encrypted' in socket);
}
