/** A port whose connections share a line of limited bandwidth, with a round-trip time, to another port of this machine. */
import { connect, createServer, type Socket } from 'node:net';
import { listening } from './distance.ts';

export interface ThinLine {
  readonly port: number;
  /** Where connections lead. */
  to: number;
  /** Bytes in both directions since the last reset. */
  bytes: number;
  readonly close: () => void;
}

export const MBIT_PER_SECOND = 100;
export const ROUND_TRIP_MS = 50;

const BYTES_PER_MS = (MBIT_PER_SECOND * 1e6) / 8 / 1000;
/** How much may be under way, as in the buffers of a real line; what is sent faster waits. */
const BUFFER_BYTES = 4 * 1024 * 1024;

export async function thinLine(): Promise<ThinLine> {
  const open = new Set<Socket>();
  /** When the line is free again, in each direction. */
  const up = { freeAtMs: 0 };
  const down = { freeAtMs: 0 };
  const server = createServer({ noDelay: true }, (client) => {
    const target = connect({ host: '127.0.0.1', port: line.to, noDelay: true });
    for (const socket of [client, target]) {
      open.add(socket);
      socket.once('close', () => open.delete(socket));
    }
    carry(client, target, up, performance.now() + ROUND_TRIP_MS);
    carry(target, client, down, 0);
  });

  /** @param notBeforeMs a client sends its first byte when TCP's own round trip is over */
  function carry(from: Socket, to: Socket, way: { freeAtMs: number }, notBeforeMs: number): void {
    let underWay = 0;
    let last = notBeforeMs;
    const due: (() => void)[] = [];
    const later = (size: number, deliver: () => void) => {
      const now = performance.now();
      way.freeAtMs = Math.max(now, way.freeAtMs) + size / BYTES_PER_MS;
      last = Math.max(last, way.freeAtMs + ROUND_TRIP_MS / 2);
      due.push(deliver);
      // Whichever timer ends first delivers what is due first, so that the bytes stay in order.
      setTimeout(() => due.shift()?.(), last - now);
    };
    from.on('data', (bytes: Buffer) => {
      line.bytes += bytes.length;
      underWay += bytes.length;
      if (underWay > BUFFER_BYTES) from.pause();
      later(bytes.length, () => {
        underWay -= bytes.length;
        if (underWay <= BUFFER_BYTES) from.resume();
        to.write(bytes);
      });
    });
    from.on('end', () => {
      later(0, () => to.end());
    });
    from.on('error', () => to.destroy());
    from.on('close', () => {
      later(0, () => {
        to.destroySoon();
      });
    });
  }

  const line: ThinLine = {
    port: await listening(server),
    to: 0,
    bytes: 0,
    close: () => {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
  return line;
}
