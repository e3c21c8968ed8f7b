/** Checks that an X.509 SVID is what was asked for (SPIFFE's X509-SVID specification). */
import type { KeyObject } from 'node:crypto';
import type { MachineIdError } from '../errors.ts';
import { samePublicKey } from '../crypto/keys.ts';
import { utcTime } from '../crypto/validity.ts';
import { readCertificate, type TlsCertificate } from '../crypto/x509.ts';
import { credentialMismatch } from './mismatch.ts';
import { isOfTrustDomain } from './spiffe-id.ts';
import type { X509Svid } from './svid.ts';

export interface CheckedX509Svid {
  readonly spiffeId: string;
  /** The certificate, then its chain: one PEM block each, ending with a line break. */
  readonly certificatesPem: readonly string[];
  readonly expiresAtMs: number;
}

export interface X509SvidExpectation {
  readonly publicKey: KeyObject;
  /** The cluster's name. */
  readonly trustDomain: string;
  /** PEM of the authorities of that domain, one block each. */
  readonly authoritiesPem: readonly string[];
  readonly nowMs: number;
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
  if (leaf.notAfterMs <= nowMs) throw mismatch(`it ended at ${utcTime(leaf.notAfterMs)}`);
  if (leaf.notBeforeMs > nowMs) throw mismatch(`it begins at ${utcTime(leaf.notBeforeMs)}`);
  return {
    spiffeId: uri,
    certificatesPem: [leaf, ...chain].map(({ pem }) => pem),
    expiresAtMs: leaf.notAfterMs,
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
