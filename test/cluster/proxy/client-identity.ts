/** The identity of a client, from the certificate of its connection. */
import type { TLSSocket } from 'node:tls';
import { fromCertificate, type Identity } from '../data/identity.ts';

/** Undefined without a certificate. @throws Error if the user authority did not sign it, or if it is not valid now */
export function clientIdentity(socket: TLSSocket): Identity | undefined {
  const leaf = socket.getPeerX509Certificate();
  if (leaf === undefined) {
    return undefined;
  }
  if (!socket.authorized) {
    throw new Error(`client certificate: ${String(socket.authorizationError)}`);
  }
  return fromCertificate(leaf.raw);
}
