/** Creates X.509 authorities and their revocation lists, and reads the names in certificates. */
import { createHash, type KeyObject } from 'node:crypto';
import * as der from './der.ts';
import { contentOf, type Element, elementsIn } from './der-reader.ts';
import { publicKeyDer } from './keys.ts';
import { signed, signOwnCertificate } from './leaf-certificate.ts';

/** A certificate authority: its certificate and private key. */
export interface TlsAuthority {
  /** DER. */
  readonly certificate: Buffer;
  /** Name DER, which every certificate that it signs repeats. */
  readonly subject: Buffer;
  readonly keyIdentifier: Buffer;
  readonly privateKey: KeyObject;
}

const DAY_MS = 24 * 60 * 60 * 1000;
const TEN_YEARS_MS = 10 * 365 * DAY_MS;

/**
 * A self-signed authority. Teleport gives all authorities of a cluster the same subject and distinguishes them by key
 * identifier.
 * @param dnsNames of a server that shows this certificate; none by default
 */
export function createTlsAuthority(
  subject: Buffer,
  publicKey: Buffer,
  privateKey: KeyObject,
  dnsNames: readonly string[] = [],
): TlsAuthority {
  const now = Date.now();
  const authority = { subject, keyIdentifier: keyIdentifierOf(publicKey), privateKey };
  const fields = { publicKey, notBefore: new Date(now - 60_000), notAfter: new Date(now + TEN_YEARS_MS), dnsNames };
  return { ...authority, certificate: signOwnCertificate(authority, fields) };
}

/** @param pem of the authority itself */
export function readTlsAuthority(pem: string, privateKey: KeyObject): TlsAuthority {
  const certificate = Buffer.from(pem.replace(/-----[^-]*-----/g, ''), 'base64');
  const keyIdentifier = keyIdentifierOf(publicKeyDer(privateKey));
  return { certificate, subject: subjectOf(certificate), keyIdentifier, privateKey };
}

/** The first method of RFC 5280 section 4.2.1.2: the hash of the key's bits, without the number of unused ones. */
function keyIdentifierOf(publicKey: Buffer): Buffer {
  const [, bits] = elementsIn(contentOf(publicKey));
  return createHash('sha1')
    .update(bits?.content.subarray(1) ?? '')
    .digest();
}

/** Name DER. */
export function subjectOf(certificate: Buffer): Buffer {
  const [toBeSigned] = elementsIn(contentOf(certificate));
  // Version, serial number, algorithm, issuer and validity come before it.
  const subject = elementsIn(toBeSigned?.content ?? Buffer.alloc(0))[5];
  if (subject === undefined) {
    throw new Error('a certificate without a subject');
  }
  return subject.der;
}

/**
 * The values of each attribute, in the order of the name.
 * @param name Name DER
 */
export function attributesOf(name: Buffer): (oid: string) => string[] {
  const pairs = elementsIn(contentOf(name))
    .flatMap(({ content }) => elementsIn(content))
    .map(({ content }) => elementsIn(content));
  return (oid) => {
    const wanted = der.objectIdentifier(oid);
    return pairs.flatMap(([type, value]) =>
      isSame(type, wanted) && value !== undefined ? [String(value.content)] : [],
    );
  };
}

function isSame(element: Element | undefined, wanted: Buffer): boolean {
  return element?.der.equals(wanted) === true;
}

/** @param certificate DER */
export function certificatePem(certificate: Buffer): string {
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

const VERSION_2 = der.integer(Buffer.from([1]));

/**
 * DER of a list that is valid for a day (RFC 5280 section 5.1).
 * @param serialNumbers in hexadecimal, positive
 */
export function signRevocationList(authority: TlsAuthority, serialNumbers: readonly string[]): Buffer {
  const now = Date.now();
  const revokedAt = der.time(new Date(now - 60_000));
  const revoked = serialNumbers.map((number) => der.sequence(der.integer(Buffer.from(number, 'hex')), revokedAt));
  return signed(authority.privateKey, (algorithm) => [
    VERSION_2,
    algorithm,
    authority.subject,
    der.time(new Date(now - 60_000)),
    der.time(new Date(now + DAY_MS)),
    der.sequence(...revoked),
  ]);
}
