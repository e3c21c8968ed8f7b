/** Reports the steps of a socket: name lookup, connect, TLS handshake, close. */
import { isIP, type Socket } from 'node:net';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import { utcTime } from '../crypto/validity.ts';
import { oneLine } from './trace-error.ts';
import type { WireConnection } from './wire-trace.ts';

/** Only listens; to be called at once after the socket was made.
 * @param alpnOffered which the socket itself does not tell */
export function traceTls(socket: TLSSocket, alpnOffered: readonly string[], wire: WireConnection): void {
  const sinceStart = wire.stopwatch();
  let sinceStep = sinceStart;
  const stepMs = () => {
    const durationMs = sinceStep();
    sinceStep = wire.stopwatch();
    return durationMs;
  };
  const addresses: string[] = [];
  const tcp: Socket = socket;
  let fault: string | undefined;
  tcp.on('lookup', (_error, address, _family, name) => {
    if (isIP(address) !== 0 && addresses.push(address) === 1) {
      const durationMs = stepMs();
      // With several addresses, Node reports them one by one before it tries the first.
      queueMicrotask(() => {
        wire.tell({ event: 'dns', name, addresses, durationMs });
      });
    }
  });
  tcp.on('connectionAttemptFailed', (address, port, _family, error) => {
    wire.tell({ event: 'tcp-failed', address, port, fault: faultOf(error) });
  });
  tcp.once('connect', () => {
    wire.tell({ event: 'tcp', address: tcp.remoteAddress, port: tcp.remotePort, durationMs: stepMs() });
  });
  // Before Node looks at the certificate and, where it does not trust it, ends the connection.
  socket.prependOnceListener('secure', () => {
    wire.tell({ event: 'tls', alpnOffered, ...agreed(socket), durationMs: stepMs() });
  });
  tcp.on('error', (error) => {
    fault ??= faultOf(error);
  });
  tcp.once('close', () => {
    const { bytesRead: receivedBytes, bytesWritten: sentBytes } = tcp;
    wire.tell({ event: 'closed', sentBytes, receivedBytes, fault, durationMs: sinceStart() });
  });
}

function agreed(socket: TLSSocket) {
  const { alpnProtocol, servername } = socket;
  // Not getPeerX509Certificate, which takes the certificate from those that Node is about to check.
  const peer: Partial<PeerCertificate> = socket.getPeerCertificate();
  // A client learns which signatures the server takes for it only when it is asked for a certificate.
  const isAsked = socket.getSharedSigalgs().length > 0;
  const hasOwn = Object.keys(socket.getCertificate() ?? {}).length > 0;
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
    clientCertificate: !isAsked ? 'not asked for' : hasOwn ? 'sent' : 'asked for, not sent',
  } as const;
}

function faultOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : oneLine(error.message);
}
