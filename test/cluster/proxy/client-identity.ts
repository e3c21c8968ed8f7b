/** The identity of a client, from the certificate of its connection. */
import type { TLSSocket } from 'node:tls';
import { fromCertificate, type Identity } from '../data/identity.ts';

/** Undefined for one without a certificate. @throws Error for a certificate that the user authority did not sign, or out of its time */
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
