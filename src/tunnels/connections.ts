/** The connections of one tunnel: counts them, limits them, closes them, and refuses others with a reason. */
import type { Socket } from 'node:net';
import type { Log } from '../effects/log.ts';
import { after } from '../effects/time.ts';
import { formatAddress } from '../net/address.ts';
import { type ProxyHealth, unavailable } from './proxy-health.ts';
import type { RelayEnd } from './relay.ts';
import type { ProxyAccess } from './upstream.ts';

/** For the status of a tunnel. */
export interface ConnectionCounts {
  open: number;
  total: number;
  refused: number;
  /** Ended by an error upstream. */
  broken: number;
  sentBytes: number;
  receivedBytes: number;
  /** The last reason why a client was refused or its connection broke. */
  lastError: { readonly message: string; readonly atMs: number } | undefined;
}

export function newCounts(): ConnectionCounts {
  return { open: 0, total: 0, refused: 0, broken: 0, sentBytes: 0, receivedBytes: 0, lastError: undefined };
}

export function countEnd(counts: ConnectionCounts, { receivedBytes, sentBytes }: RelayEnd): void {
  counts.sentBytes += sentBytes;
  counts.receivedBytes += receivedBytes;
}

interface Admission {
  readonly counts: Pick<ConnectionCounts, 'open'>;
  readonly health: Pick<ProxyHealth, 'problem'>;
  readonly maxConnections: number;
  readonly proxy: Pick<ProxyAccess, 'address'>;
}

/** Why another client is refused now; undefined if it can be served. */
export function whyRefused({ counts, health, maxConnections, proxy }: Admission): string | undefined {
  const problem = health.problem();
  if (problem !== undefined) return unavailable(`the Proxy ${formatAddress(proxy.address)}`, problem).message;
  return counts.open < maxConnections ? undefined : `${maxConnections} connections are open, which is the limit`;
}

/** How long a client has to read why it is refused. */
const REFUSAL_MS = 2000;

/** Says why, if the protocol can, and closes the connection. */
export function refuseClient(
  client: Socket,
  reason: string,
  refuse: ((client: Socket, reason: string) => void) | undefined,
): void {
  if (client.destroyed) return;
  if (refuse === undefined) {
    reset(client);
    return;
  }
  const cancel = after(REFUSAL_MS, () => {
    reset(client);
  });
  client.once('close', cancel);
  // What a client has sent is read, since closing a connection with unread bytes would drop the reason.
  client.on('data', () => undefined).resume();
  client.once('end', () => client.end());
  refuse(client, reason);
}

function reset(client: Socket): void {
  // Missing at Unix sockets and before Node 18.3; and with an output that is ending, Node.js would keep the socket for ever.
  if (client.remoteFamily !== undefined && 'resetAndDestroy' in client && !client.writableEnded)
    client.resetAndDestroy();
  else client.destroy();
}

/** At most one line of the same text within this time. */
const REPEAT_MS = 10_000;

/** Keeps a log readable when many connections fail for the same reason. */
export function rareLog(log: Pick<Log, 'warn'>, nowMs: () => number): (message: string) => void {
  const lastMs = new Map<string, number>();
  return (message) => {
    const atMs = nowMs();
    for (const [text, loggedMs] of lastMs) if (atMs - loggedMs >= REPEAT_MS) lastMs.delete(text);
    if (lastMs.has(message)) return;
    lastMs.set(message, atMs);
    log.warn(message);
  };
}
