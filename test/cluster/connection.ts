/** A client's TLS connection, as the serving part of the cluster sees it. */
import type { X509Certificate } from 'node:crypto';
import { createServer, type SecureContextOptions, type TLSSocket } from 'node:tls';
import type { Duplex } from 'node:stream';
import type { ClientHello } from './proxy/client-hello.ts';
import type { Identity } from './data/identity.ts';
import type { Listener } from './records.ts';

export interface Connection {
  readonly listener: Listener;
  readonly hello: ClientHello;
  readonly socket: TLSSocket;
  /** From the client certificate; absent at the Proxy and for clients without one. */
  readonly identity: Identity | undefined;
  /** How many certificates the client sent. */
  readonly certificatesSent: number;
}

/**
 * Terminates TLS on a socket whose ClientHello was put back. Resolves after the handshake, with `authorized` set
 * according to the client's certificate. Chooses the first supported protocol that the client offers; if
 * there is none, the client gets the alert `no_application_protocol`, and if the client offers none, none is chosen.
 */
export function terminateTls(
  socket: Duplex,
  options: {
    readonly certificate: SecureContextOptions;
    readonly alpn: readonly string[];
    readonly requestCert: boolean;
  },
): Promise<TLSSocket> {
  // A server that never listens: only Node's own server verifies client certificates and prepares the socket for
  // HTTP/2.
  const server = createServer({
    ...options.certificate,
    ...(options.alpn.length === 0 ? {} : { ALPNProtocols: [...options.alpn] }),
    requestCert: options.requestCert,
    rejectUnauthorized: false,
  });
  return new Promise((resolve, reject) => {
    server.once('secureConnection', (secure) => {
      secure.on('error', () => {
        secure.destroy();
      });
      resolve(secure);
    });
    server.once('tlsClientError', reject);
    socket.once('close', () => {
      reject(new Error('the client left during the TLS handshake'));
    });
    server.emit('connection', socket);
  });
}

/** The certificates that the client sent, leaf first. */
export function certificatesFrom(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  for (let next = socket.getPeerX509Certificate(); next !== undefined; next = next.issuerCertificate) {
    chain.push(next);
  }
  return chain;
}
