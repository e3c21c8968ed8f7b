/** Ports that are as far from their clients as the bench says, on one machine. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** A port whose connections lead to another port of this machine, with the round-trip time of a long line. */
export interface DistantPort {
  readonly port: number;
  /** Where connections lead from now on. */
  to: number;
  /** Of connections that begin from now on. */
  roundTripMs: number;
  readonly close: () => void;
}

export async function distantPort(): Promise<DistantPort> {
  const server = createServer({ noDelay: true }, (client) => {
    const target = connect({ host: '127.0.0.1', port: distant.to, noDelay: true });
    const wayMs = distant.roundTripMs / 2;
    // On a real line, the client could send its first byte only when TCP's own round trip is over.
    delayed(client, target, { wayMs, notBefore: performance.now() + distant.roundTripMs });
    delayed(target, client, { wayMs, notBefore: 0 });
  });
  const distant = { port: await listening(server), to: 0, roundTripMs: 0, close: () => server.close() };
  return distant;
}

/** @returns the port, on 127.0.0.1 */
export async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server without a port');
  return address.port;
}

/** @returns a port that is free now: the cluster tells it to its clients only if it knows it before it starts */
export async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listening(server);
  server.close();
  return port;
}

interface Line {
  readonly wayMs: number;
  /** When the sender could send at the earliest, in milliseconds of `performance.now()`. */
  readonly notBefore: number;
}

function delayed(from: Socket, to: Socket, { notBefore, wayMs }: Line): void {
  const due: (() => void)[] = [];
  const later = (deliver: () => void) => {
    const now = performance.now();
    due.push(deliver);
    // Whichever timer ends first delivers what is due first, so that the bytes stay in order.
    setTimeout(() => due.shift()?.(), Math.max(now, notBefore) + wayMs - now);
  };
  from.on('data', (bytes: Buffer) => {
    later(() => to.write(bytes));
  });
  from.on('end', () => {
    later(() => to.end());
  });
  from.on('error', () => to.destroy());
  from.on('close', () => {
    later(() => to.destroy());
  });
}
