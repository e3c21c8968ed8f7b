/** The network of a command: every outgoing connection is opened here. */
import type { Socket } from 'node:net';
import type { Address } from './address.ts';
import { type LookUp, openTcp } from './tcp.ts';
import { errorNameOf, type WireConnection } from './trace.ts';

export interface Network extends NetworkSettings {
  /**
   * Resolves with a connection on which the next byte reaches the server, directly or through an HTTP or SOCKS proxy.
   * @throws Node's own error, MachineIdError EGRESS_PROXY_FAILED, or the signal's reason
   */
  open(address: Address, options: OpenOptions): Promise<Socket>;
}

export interface OpenOptions {
  /** Carries the deadline. */
  readonly signal: AbortSignal;
  /** Which variables name the proxy: those of Teleport's own dials, or those of requests to other HTTPS servers. */
  readonly for: 'cluster' | 'https';
  readonly wire?: WireConnection | undefined;
  /** For a connection without a proxy; defaults to the system's resolver. */
  readonly lookUp?: LookUp | undefined;
}

/** The variables that name proxies. */
interface NetworkSettings {
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** So far, every connection is direct. */
export function openNetwork({ environment }: NetworkSettings): Network {
  return { environment, open: (address, options) => traced(options.wire, () => openTcp(address, options)) };
}

/** A connection that never opens ends in the trace, too. */
async function traced<T>(wire: WireConnection | undefined, open: () => Promise<T>): Promise<T> {
  if (wire === undefined) return open();
  const sinceStart = wire.stopwatch();
  try {
    return await open();
  } catch (error) {
    const name = error instanceof Error ? errorNameOf(error) : String(error);
    wire.emit({ event: 'closed', sentBytes: 0, receivedBytes: 0, error: name, durationMs: sinceStart() });
    throw error;
  }
}
