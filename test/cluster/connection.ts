/** A client's TLS connection, as the serving part of the cluster sees it. */
import { randomBytes, type X509Certificate } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from 'node:tls';
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

interface TlsSettings {
  readonly certificate: SecureContextOptions;
  readonly alpn: readonly string[];
  readonly requestCert: boolean;
}

/**
 * Terminates TLS on a socket whose ClientHello was put back. Resolves after the handshake, with `authorized` set
 * according to the client's certificate. Chooses the first supported protocol that the client offers; if
 * there is none, the client gets the alert `no_application_protocol`, and if the client offers none, none is chosen.
 */
export function terminateTls(socket: Duplex, settings: TlsSettings): Promise<TLSSocket> {
  const server = serverWith(settings);
  // The server's own keys for tickets would let a client resume a session in which it showed another certificate.
  if (settings.certificate.ticketKeys === undefined) server.setTicketKeys(randomBytes(48));
  const events = new EventEmitter();
  Reflect.setPrototypeOf(events, server); // the server itself but for its listeners, which are for this connection only
  return new Promise((resolve, reject) => {
    events.once('secureConnection', (secure: TLSSocket) => {
      secure.on('error', () => {
        secure.destroy();
      });
      resolve(secure);
    });
    events.once('tlsClientError', reject);
    socket.once('close', () => {
      reject(new Error('the client left during the TLS handshake'));
    });
    for (const accept of server.listeners('connection')) Reflect.apply(accept, events, [socket]);
  });
}

const servers = new Map<string, Server>();

/**
 * A server that never listens: only Node's own server verifies client certificates and prepares the socket for HTTP/2. Kept,
 * because reading its key and certificates takes OpenSSL longer than the handshake.
 */
function serverWith(settings: TlsSettings): Server {
  const { alpn, certificate, requestCert } = settings;
  const key = JSON.stringify(settings);
  const protocols = alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] };
  const server =
    servers.get(key) ?? createServer({ ...certificate, ...protocols, requestCert, rejectUnauthorized: false });
  servers.set(key, server);
  return server;
}

/** The certificates that the client sent, leaf first. */
export function certificatesFrom(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  for (let next = socket.getPeerX509Certificate(); next !== undefined; next = next.issuerCertificate) {
    chain.push(next);
  }
  return chain;
}
