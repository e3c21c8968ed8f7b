/** Opens TLS connections. */
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Network } from './network.ts';
import { startTls, type TlsOptions } from './tls.ts';

export interface DialOptions extends TlsOptions {
  /** Called once the ClientHello can be sent. */
  readonly onConnect?: (() => void) | undefined;
}

/** Where the bytes go: to the address through the network, or over a connection that is already open. */
type Carrier = { readonly network: Network } | { readonly over: Duplex };

/**
 * Resolves once the TLS handshake is complete; rejects with Node's own error or the abort reason. A failed dial closes the
 * connection under it.
 */
export async function dialTls(options: DialOptions & Carrier): Promise<TLSSocket> {
  const { address, onConnect, signal, wire } = options;
  signal.throwIfAborted();
  const sinceStart = wire?.stopwatch();
  const carrier =
    'over' in options ? options.over : await options.network.open(address, { signal, for: 'cluster', wire });
  onConnect?.();
  return startTls(carrier, options, sinceStart);
}
