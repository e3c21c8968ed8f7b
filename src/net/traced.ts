/** Traces the handshake and the end of TLS sockets. */
import type { Socket } from 'node:net';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import { utcTime } from '../crypto/validity.ts';
import { oneLine } from './network-error.ts';
import { errorNameOf, type WireConnection } from './trace.ts';

/**
 * Only listens. Call it right after creating the socket over an open connection.
 * @param alpnOffered needed because the socket does not expose it
 * @param sinceStart measures from the start of the connection below TLS
 */
export function traceTls(
  socket: TLSSocket,
  alpnOffered: readonly string[],
  wire: WireConnection,
  sinceStart = wire.stopwatch(),
): void {
  const sinceHello = wire.stopwatch();
  let firstError: string | undefined;
  // Runs before Node checks the certificate and, if it is not trusted, closes the connection.
  socket.prependOnceListener('secure', () => {
    wire.emit({ event: 'tls', alpnOffered, ...handshakeFacts(socket), durationMs: sinceHello() });
  });
  const tcp: Socket = socket;
  tcp.on('error', (error) => {
    firstError ??= errorNameOf(error);
  });
  tcp.once('close', () => {
    const { bytesRead: receivedBytes, bytesWritten: sentBytes } = tcp;
    wire.emit({ event: 'closed', sentBytes, receivedBytes, error: firstError, durationMs: sinceStart() });
  });
}

function handshakeFacts(socket: TLSSocket) {
  const { alpnProtocol, servername } = socket;
  // Not getPeerX509Certificate, which removes the certificate from the chain that Node is about to check.
  const peer: Partial<PeerCertificate> = socket.getPeerCertificate();
  // The server sends its signature algorithms only if it requests a client certificate.
  const isRequested = socket.getSharedSigalgs().length > 0;
  const hasCertificate = Object.keys(socket.getCertificate() ?? {}).length > 0;
  return {
    version: String(socket.getProtocol()),
    cipher: socket.getCipher().standardName,
    serverName: servername === false ? undefined : servername,
    alpn: alpnProtocol === false ? undefined : alpnProtocol,
    sessionReused: socket.isSessionReused(),
    subject: oneLine(String(peer.subject?.CN)),
    issuer: oneLine(String(peer.issuer?.CN)),
    expiresAt: utcTime(Date.parse(String(peer.valid_to))),
    fingerprint: peer.fingerprint256?.replaceAll(':', '').slice(0, 16).toLowerCase(),
    clientCertificate: !isRequested ? 'not asked for' : hasCertificate ? 'sent' : 'asked for, not sent',
  } as const;
}
