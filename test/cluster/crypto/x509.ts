/** Creates X.509 authorities and their revocation lists. */
import { webcrypto, type KeyObject } from 'node:crypto';
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';

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
const { KeyUsageFlags } = x509;

/**
 * A self-signed authority. Teleport gives all authorities of a cluster the same subject and distinguishes them by key
 * identifier.
 */
export async function createTlsAuthority(
  subject: Buffer,
  publicKey: Buffer,
  privateKey: KeyObject,
): Promise<TlsAuthority> {
  const now = Date.now();
  const identifier = await x509.SubjectKeyIdentifierExtension.create(publicKey);
  const certificate = await x509.X509CertificateGenerator.create({
    subject: new x509.Name(subject),
    issuer: new x509.Name(subject),
    publicKey,
    signingKey: await toSigningKey(privateKey),
    notBefore: new Date(now - 60_000),
    notAfter: new Date(now + TEN_YEARS_MS),
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      identifier,
    ],
  });
  const keyIdentifier = Buffer.from(identifier.keyId, 'hex');
  return { certificate: Buffer.from(certificate.rawData), subject, keyIdentifier, privateKey };
}

/** @param certificate PEM, of the authority itself */
export function readTlsAuthority(certificate: string, privateKey: KeyObject): TlsAuthority {
  const read = new x509.X509Certificate(certificate);
  const identifier = read.getExtension(x509.SubjectKeyIdentifierExtension);
  if (identifier === null) {
    throw new Error(`the authority ${read.subject} has no key identifier`);
  }
  return {
    certificate: Buffer.from(read.rawData),
    subject: Buffer.from(read.subjectName.toArrayBuffer()),
    keyIdentifier: Buffer.from(identifier.keyId, 'hex'),
    privateKey,
  };
}

/** @param certificate DER */
export function certificatePem(certificate: Buffer): string {
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

/** DER of a list that is valid for a day. */
export async function signRevocationList(authority: TlsAuthority, serialNumbers: readonly string[]): Promise<Buffer> {
  const now = Date.now();
  const list = await x509.X509CrlGenerator.create({
    issuer: new x509.Name(authority.subject),
    thisUpdate: new Date(now - 60_000),
    nextUpdate: new Date(now + DAY_MS),
    entries: serialNumbers.map((serialNumber) => ({ serialNumber, revocationDate: new Date(now - 60_000) })),
    signingAlgorithm: signingAlgorithm(authority.privateKey),
    signingKey: await toSigningKey(authority.privateKey),
  });
  return Buffer.from(list.rawData);
}

function toSigningKey(key: KeyObject): Promise<webcrypto.CryptoKey> {
  const pkcs8 = key.export({ type: 'pkcs8', format: 'der' });
  return webcrypto.subtle.importKey('pkcs8', pkcs8, signingAlgorithm(key), false, ['sign']);
}

function signingAlgorithm(key: KeyObject): { name: string; namedCurve?: string; hash: string } {
  return key.asymmetricKeyType === 'rsa'
    ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
    : { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
}
