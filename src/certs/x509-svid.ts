/** Checks that an X.509 SVID is what was asked for (SPIFFE's X509-SVID specification). */
import type { KeyObject } from 'node:crypto';
import type { MachineIdError } from '../errors.ts';
import { samePublicKey } from '../crypto/keys.ts';
import { clockNotice, type ValidityExpectation, validityFault } from '../crypto/validity.ts';
import { readCertificate, type TlsCertificate, tlsValidity } from '../crypto/x509.ts';
import { credentialMismatch } from './mismatch.ts';
import { isOfTrustDomain } from './spiffe-id.ts';
import type { X509Svid } from './svid.ts';

export interface CheckedX509Svid {
  readonly spiffeId: string;
  /** The certificate, then its chain: one PEM block each, ending with a line break. */
  readonly certificatesPem: readonly string[];
  readonly expiresAtMs: number;
  /** A sentence for the summary when the clock is behind. */
  readonly clockNotice: string | undefined;
}

export interface X509SvidExpectation extends ValidityExpectation {
  readonly publicKey: KeyObject;
  /** The cluster's name. */
  readonly trustDomain: string;
  /** PEM of the authorities of that domain, one block each. */
  readonly authoritiesPem: readonly string[];
}

/** @throws MachineIdError CERTIFICATE_MISMATCH, REPLY_INVALID */
export function checkX509Svid(svid: X509Svid, expected: X509SvidExpectation): CheckedX509Svid {
  const leaf = readCertificate(svid.certificate);
  const chain = svid.chain.map((der) => readCertificate(der));
  const { nowMs, trustDomain } = expected;
  if (!samePublicKey(leaf.publicKey, expected.publicKey)) throw mismatch('it is for another key');
  const [uri, ...others] = leaf.uris;
  if (uri === undefined || others.length > 0 || uri !== svid.spiffeId || !isOfTrustDomain(uri, trustDomain)) {
    throw mismatch(`it names ${JSON.stringify(leaf.uris)}, expected one SPIFFE ID of "${trustDomain}"`);
  }
  if (!isSigned(leaf, chain, expected.authoritiesPem)) {
    throw mismatch(`it is not signed by the SPIFFE authority of "${trustDomain}"`);
  }
  const fault = validityFault('it', tlsValidity(leaf), expected);
  if (fault !== undefined) throw mismatch(fault);
  return {
    spiffeId: uri,
    certificatesPem: [leaf, ...chain].map(({ pem }) => pem),
    expiresAtMs: leaf.notAfterMs,
    clockNotice: clockNotice(leaf.notBeforeMs, nowMs),
  };
}

/** An issuer of the owner's own has the key of the cluster's authority, so that the signature tells in any case. */
function isSigned(leaf: TlsCertificate, chain: readonly TlsCertificate[], authoritiesPem: readonly string[]): boolean {
  const [issuer] = chain;
  if (issuer !== undefined && !leaf.isSignedBy(issuer)) return false;
  return authoritiesPem.some((pem) => leaf.isSignedBy(readCertificate(pem)));
}

function mismatch(detail: string): MachineIdError {
  return credentialMismatch('the X.509 SVID', detail);
}
