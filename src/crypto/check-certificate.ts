/** Whether a certificate is the one that was requested: for the expected key, signed by the right authority, valid now. */
import type { KeyObject } from 'node:crypto';
import { samePublicKey } from './keys.ts';
import { type SshCertificate, sshValidity, verifySshCertificate } from './ssh-certificate.ts';
import { formatAuthorizedKey } from './ssh-public-key.ts';
import { type Validity, type ValidityExpectation, validityProblem } from './validity.ts';
import { type TlsCertificate, tlsValidity } from './x509.ts';

/** @typeParam Key - how the keys of an authority are given */
interface CertificateExpectation<Key> extends ValidityExpectation {
  readonly publicKey: KeyObject;
  /** What a message calls that key, where it is not clear: `the one beside it`. */
  readonly keyName?: string;
  /** Undefined where nothing is known about who must have signed. */
  readonly authority?: {
    /** As a message calls it: `the user authority of "example.com"`. */
    readonly name: string;
    /** The signature of any of them is accepted. */
    readonly keys: readonly Key[];
  };
}

/**
 * @param what as a message calls the certificate: `the TLS certificate`
 * @returns why it must not be used, in one sentence; undefined when it may be. Names in it are for the caller to check
 */
export function tlsCertificateProblem(
  what: string,
  certificate: TlsCertificate,
  expected: CertificateExpectation<TlsCertificate>,
): string | undefined {
  const isSigned = expected.authority?.keys.some((issuer) => certificate.isSignedBy(issuer));
  return problemOf(what, { ...certificate, isSigned, validity: tlsValidity(certificate) }, expected);
}

interface SshExpectation extends CertificateExpectation<string> {
  readonly type: SshCertificate['certificateType'];
}

/** As `tlsCertificateProblem`; the keys of the authority are `<type> <base64>` each. */
export function sshCertificateProblem(
  what: string,
  certificate: SshCertificate,
  expected: SshExpectation,
): string | undefined {
  const { certificateType, signatureKey } = certificate;
  const isSigned =
    expected.authority?.keys.includes(formatAuthorizedKey(signatureKey)) && verifySshCertificate(certificate);
  const problem = problemOf(what, { ...certificate, isSigned, validity: sshValidity(certificate) }, expected);
  if (problem !== undefined || certificateType === expected.type) return problem;
  return `${what} is a ${certificateType} certificate, expected a ${expected.type} certificate`;
}

interface Presented {
  readonly publicKey: KeyObject;
  /** Whether the expected authority signed it; undefined where none is expected. */
  readonly isSigned: boolean | undefined;
  readonly validity: Validity;
}

function problemOf(
  what: string,
  { isSigned, publicKey, validity }: Presented,
  expected: CertificateExpectation<unknown>,
): string | undefined {
  const { authority, keyName } = expected;
  if (!samePublicKey(publicKey, expected.publicKey)) {
    return `${what} is for another key${keyName === undefined ? '' : ` than ${keyName}`}`;
  }
  if (authority !== undefined && isSigned !== true) return `${what} is not signed by ${authority.name}`;
  return validityProblem(what, validity, expected);
}
