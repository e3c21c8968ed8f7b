/** TLS over a connection that is already open. */
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  type Certificate,
  checkServerIdentity,
  connect,
  type ConnectionOptions,
  createSecureContext,
  type PeerCertificate,
  type SecureContext,
  type TLSSocket,
} from 'node:tls';
import type { Address } from './address.ts';
import { oneLine } from './network-error.ts';
import type { WireConnection } from './trace.ts';
import { traceTls } from './traced.ts';
import { trustOptions } from './trust.ts';

export interface TlsOptions {
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
  readonly client?: ClientCredentials;
  /** Made by `clientContext`, in place of `ca` and `client`. */
  readonly context?: SecureContext | undefined;
  /** Resumes the session of an earlier connection, and keeps that of this one. */
  readonly sessions?: TlsSessions | undefined;
  /** How much is buffered until the sender has to wait; by default Node's own limit. */
  readonly bufferBytes?: number;
  /** Carries the deadline. */
  readonly signal: AbortSignal;
  readonly wire?: WireConnection | undefined;
}

export interface ClientCredentials {
  readonly certificate: string;
  readonly key: string;
}

/** The last session with one server, which makes the next handshake shorter. */
export interface TlsSessions {
  last: Buffer | undefined;
}

/**
 * What many connections with the same certificate share: parsing it, its key and the authorities takes longer than a
 * resumed handshake.
 * @param ca PEM of the only trusted authorities; undefined for Node's own list
 */
export function clientContext(
  { certificate, key }: ClientCredentials,
  ca: string | readonly string[] | undefined,
): SecureContext {
  const trust = ca === undefined ? {} : { ca: typeof ca === 'string' ? ca : [...ca], allowPartialTrustChain: true };
  return createSecureContext({ cert: certificate, key, ...trust });
}

export interface PresentedCertificate {
  readonly subject: string;
  readonly issuer: string;
}

const PRESENTED = new WeakMap<Error, PresentedCertificate>();

/** The certificate of the server with which the handshake failed; undefined if it sent none, or the error is another one. */
export function presentedCertificate(error: Error): PresentedCertificate | undefined {
  return PRESENTED.get(error);
}

/**
 * Keeps the server's certificate for `presentedCertificate`.
 * @param onFailure called if the handshake fails after the server has sent its certificate
 */
export function keepPresented(socket: TLSSocket, onFailure: (error: Error) => void = () => undefined): void {
  let presented: PresentedCertificate | undefined;
  // Runs before Node checks the certificate and, if it is not trusted, closes the connection.
  socket.prependOnceListener('secure', () => {
    presented = peerNames(socket);
  });
  const onError = (error: Error) => {
    if (presented === undefined) return;
    PRESENTED.set(error, presented);
    onFailure(error);
  };
  socket.prependOnceListener('error', onError);
  socket.once('secureConnect', () => socket.off('error', onError));
}

/**
 * Resolves once the handshake is complete; rejects with Node's own error or the abort reason, and closes the connection
 * under it.
 * @param sinceStart for the trace: measures from the start of that connection
 */
export function startTls(carrier: Duplex, options: TlsOptions, sinceStart?: () => number): Promise<TLSSocket> {
  const { alpn, signal, wire } = options;
  return new Promise((resolve, reject) => {
    if (signal.aborted || carrier.destroyed) {
      carrier.destroy();
      signal.throwIfAborted();
      throw new Error('the connection was closed before the TLS handshake');
    }
    const socket = connect({ ...connectOptions(options), socket: carrier });
    if (wire !== undefined) traceTls(socket, alpn, wire, sinceStart);
    keepPresented(socket);
    keepSession(socket, options.sessions);
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
      carrier.destroy();
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
      resolve(socket);
    });
  });
}

/** A server of TLS 1.3 sends its tickets after the handshake. */
function keepSession(socket: TLSSocket, sessions: TlsSessions | undefined): void {
  if (sessions === undefined) return;
  socket.on('session', (session) => {
    sessions.last = session;
  });
}

/** Not by getPeerX509Certificate, which removes the certificate from the chain that Node is about to check. */
function peerNames(socket: TLSSocket): PresentedCertificate {
  const { issuer, subject }: Partial<PeerCertificate> = socket.getPeerCertificate();
  const name = (one: Certificate | undefined) => oneLine(String(one?.CN ?? one?.O ?? 'an unknown name'));
  return { subject: name(subject), issuer: name(issuer) };
}

function connectOptions(options: TlsOptions): ConnectionOptions {
  const { address, alpn, bufferBytes, certificateName, verify, sessions, serverName = address.host } = options;
  // Without a server name, Node checks the certificate against `host`.
  const name = isIP(serverName) === 0 ? serverName : undefined;
  return {
    host: address.host,
    ALPNProtocols: [...alpn],
    ...(bufferBytes === undefined ? {} : { highWaterMark: bufferBytes }),
    rejectUnauthorized: verify ?? true,
    ...(name === undefined ? {} : { servername: name }),
    ...(certificateName === undefined
      ? {}
      : { checkServerIdentity: (_name, certificate) => checkServerIdentity(certificateName, certificate) }),
    ...(sessions?.last === undefined ? {} : { session: sessions.last }),
    ...credentialOptions(options),
  };
}

function credentialOptions({ ca, client, context }: TlsOptions): ConnectionOptions {
  if (context !== undefined) return { secureContext: context };
  return {
    ...(client === undefined || ca === undefined
      ? trustOptions(ca)
      : { ca: typeof ca === 'string' ? ca : [...ca], allowPartialTrustChain: true }),
    ...(client === undefined ? {} : { cert: client.certificate, key: client.key }),
  };
}
