/** Opens TLS connections. */
import { isIP } from 'node:net';
import { checkServerIdentity, connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { Address } from './address.ts';
import type { WireConnection } from './trace.ts';
import { traceTls } from './traced.ts';
import { trustOptions } from './trust.ts';

export interface DialOptions {
  readonly address: Address;
  /** SNI; defaults to the address's host. An IP address is never sent (RFC 6066 section 3). */
  readonly serverName?: string;
  /** The name that the server's certificate must have; defaults to the server name. */
  readonly certificateName?: string;
  readonly alpn: readonly string[];
  /** PEM of the only trusted authorities; defaults to Node's own list. */
  readonly ca?: string | readonly string[] | undefined;
  /** False accepts any certificate. */
  readonly verify?: boolean;
  /** PEM of the client's certificate and key. */
  readonly client?: { readonly certificate: string; readonly key: string };
  /** Carries the deadline. */
  readonly signal: AbortSignal;
  /** Called once TCP is connected and the ClientHello is being sent. */
  readonly onConnect?: (() => void) | undefined;
  readonly wire?: WireConnection | undefined;
}

/** Resolves once the TLS handshake is complete; rejects with Node's own error or the abort reason. */
export function dialTls(options: DialOptions): Promise<TLSSocket> {
  const { signal } = options;
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const socket = connect(connectOptions(options));
    if (options.wire !== undefined) traceTls(socket, options.alpn, options.wire);
    if (options.onConnect !== undefined) socket.once('connect', options.onConnect);
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
      // Until a protocol takes over the socket, a reset must not crash the process: the next read or write reports it.
      socket.on('error', () => undefined);
      socket.setNoDelay(true);
      resolve(socket);
    });
  });
}

function connectOptions(options: DialOptions): ConnectionOptions {
  const { address, alpn, ca, verify, client, certificateName, serverName = address.host } = options;
  // Without a server name, Node checks the certificate against `host`.
  const name = isIP(serverName) === 0 ? serverName : undefined;
  return {
    host: address.host,
    port: address.port,
    ALPNProtocols: [...alpn],
    rejectUnauthorized: verify ?? true,
    ...(name === undefined ? {} : { servername: name }),
    ...(certificateName === undefined
      ? {}
      : { checkServerIdentity: (_name, certificate) => checkServerIdentity(certificateName, certificate) }),
    ...(client === undefined || ca === undefined
      ? trustOptions(ca)
      : { ca: typeof ca === 'string' ? ca : [...ca], allowPartialTrustChain: true }),
    ...(client === undefined ? {} : { cert: client.certificate, key: client.key }),
  };
}
