/**
 * A relay in front of a Proxy that breaks connections at the worst moment: the server's last bytes, including pings,
 * are in the client's kernel, followed by a reset, before the client has read any of them.
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

export interface ResettingRelay {
  /** `localhost:port` */
  readonly address: string;
  /** How many connections were reset. */
  readonly cuts: number;
  /** The process that is stopped while the bytes arrive; set before it connects. */
  client: { readonly pid?: number | undefined } | undefined;
}

export interface ResettingRelayOptions {
  /** `localhost:port` of the Proxy. */
  readonly before: string;
  /** The connection to reset, by an ALPN value that it offers; only the first such connection. */
  readonly alpn: string;
  /** How long the server's bytes are held back: until the server has sent a ping. */
  readonly holdMs: number;
}

/** Enough for what a process still has to write, and for the loopback interface. */
const SETTLE_MS = 50;

export async function startResettingRelay(
  t: TestContext,
  { alpn, before, holdMs }: ResettingRelayOptions,
): Promise<ResettingRelay> {
  const [host = '', port = ''] = before.split(':');
  const relay = { address: '', cuts: 0, client: undefined as ResettingRelay['client'] };
  const server = createServer((front) => {
    const back = connect({ host, port: Number(port) });
    for (const [one, other] of [
      [front, back],
      [back, front],
    ] as const) {
      one.on('error', () => undefined);
      one.once('close', () => other.destroy());
      t.after(() => one.destroy());
    }
    front.once('data', (hello: Buffer) => {
      if (relay.cuts === 0 && hello.includes(alpn)) {
        relay.cuts += 1;
        cut(front, back, { holdMs, pid: relay.client?.pid }).catch(() => front.destroy());
      } else back.pipe(front);
      back.write(hello);
      front.pipe(back);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the relay has no port');
  relay.address = `localhost:${address.port}`;
  return relay;
}

interface Cut {
  readonly pid: number | undefined;
  readonly holdMs: number;
}

async function cut(front: Socket, back: Socket, { holdMs, pid }: Cut): Promise<void> {
  if (pid === undefined) throw new Error('nobody said which process to stop');
  const held: Buffer[] = [];
  const forward = (bytes: Buffer) => front.write(bytes);
  back.on('data', forward);
  // The ClientHello was sent before; next comes the end of the handshake, with or before the request.
  await once(front, 'data');
  back.off('data', forward);
  back.on('data', (bytes: Buffer) => held.push(bytes));
  await sleep(SETTLE_MS);
  process.kill(pid, 'SIGSTOP');
  await sleep(holdMs);
  front.write(Buffer.concat(held));
  await sleep(SETTLE_MS);
  front.resetAndDestroy();
  await sleep(SETTLE_MS);
  process.kill(pid, 'SIGCONT');
}

function sleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
