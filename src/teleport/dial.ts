/** Opens TLS connections. */
import { isIP } from 'node:net';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { Address } from './address.ts';
import { traceTls } from './trace-socket.ts';
import type { WireConnection } from './wire-trace.ts';

export interface DialOptions {
  readonly address: Address;
  /** SNI, and the name that the server's certificate must carry; the address's host by default. */
  readonly serverName?: string;
  readonly alpn: readonly string[];
  /** PEM of the only trusted authorities; Node's own list by default. */
  readonly ca?: string | readonly string[] | undefined;
  /** False accepts any certificate. */
  readonly verify?: boolean;
  /** PEM of the client's certificate and key. */
  readonly client?: { readonly certificate: string; readonly key: string };
  /** Carries the deadline. */
  readonly signal: AbortSignal;
  readonly wire?: WireConnection | undefined;
}

/** Resolves with a connection whose handshake is done; rejects with Node's own error or the abort reason. */
export function dialTls(options: DialOptions): Promise<TLSSocket> {
  const { signal } = options;
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const socket = connect(connectOptions(options));
    if (options.wire !== undefined) traceTls(socket, options.alpn, options.wire);
    const onAbort = () => socket.destroy(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
    signal.addEventListener('abort', onAbort, { once: true });
    const settle = () => {
      signal.removeEventListener('abort', onAbort);
      socket.off('error', onError);
      socket.off('close', onClose);
    };
    const onError = (error: Error) => {
      settle();
      socket.destroy();
      reject(error);
    };
    const onClose = () => {
      onError(new Error('the connection was closed during the TLS handshake'));
    };
    socket.once('error', onError);
    socket.once('close', onClose);
    socket.once('secureConnect', () => {
      settle();
      // Until a protocol takes the socket over, a reset must not end the process: the next read or write reports it.
      socket.on('error', () => undefined);
      socket.setNoDelay(true);
      resolve(socket);
    });
  });
}

function connectOptions({ address, alpn, ca, verify, client, serverName }: DialOptions): ConnectionOptions {
  // RFC 6066 section 3: an IP address is never sent as a server name; the certificate is then checked against `host`.
  const name = serverName ?? (isIP(address.host) === 0 ? address.host : undefined);
  return {
    host: address.host,
    port: address.port,
    ALPNProtocols: [...alpn],
    rejectUnauthorized: verify ?? true,
    ...(name === undefined ? {} : { servername: name }),
    ...(ca === undefined ? {} : { ca: typeof ca === 'string' ? ca : [...ca] }),
    ...(client === undefined ? {} : { cert: client.certificate, key: client.key }),
  };
}
