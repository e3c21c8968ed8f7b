/** Makes X.509 authorities and the certificates they sign. */
import { webcrypto, type KeyObject } from 'node:crypto';
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';

/** A certificate authority: its own certificate and the private key behind it. */
export interface TlsAuthority {
  readonly certificate: x509.X509Certificate;
  readonly privateKey: KeyObject;
}

export interface CertificateFields {
  readonly subject: x509.Name;
  /** SubjectPublicKeyInfo DER. */
  readonly publicKey: Buffer;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
  readonly uris?: readonly string[];
}

const DAY_MS = 24 * 60 * 60 * 1000;
const TEN_YEARS_MS = 10 * 365 * DAY_MS;
const { KeyUsageFlags, ExtendedKeyUsage } = x509;

/** A self-signed authority; Teleport gives all authorities of a cluster one subject, told apart by key identifier. */
export async function createTlsAuthority(
  subject: x509.Name,
  publicKey: Buffer,
  privateKey: KeyObject,
): Promise<TlsAuthority> {
  const now = Date.now();
  const certificate = await x509.X509CertificateGenerator.create({
    subject,
    issuer: subject,
    publicKey,
    signingKey: await toSigningKey(privateKey),
    notBefore: new Date(now - 60_000),
    notAfter: new Date(now + TEN_YEARS_MS),
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
    ],
  });
  return { certificate, privateKey };
}

/** A leaf certificate good for both ends of a TLS connection. */
export async function signCertificate(
  authority: TlsAuthority,
  fields: CertificateFields,
): Promise<x509.X509Certificate> {
  const names = subjectAlternativeNames(fields);
  return x509.X509CertificateGenerator.create({
    subject: fields.subject,
    issuer: authority.certificate.subjectName,
    publicKey: fields.publicKey,
    signingKey: await toSigningKey(authority.privateKey),
    notBefore: fields.notBefore,
    notAfter: fields.notAfter,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment, true),
      new x509.ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      await keyIdentifierOf(authority.certificate),
      // What names nobody in its subject must be read by its other names (RFC 5280 section 4.2.1.6).
      ...(names.length === 0
        ? []
        : [new x509.SubjectAlternativeNameExtension(names, fields.subject.toString() === '')]),
    ],
  });
}

export function certificatePem(certificate: x509.X509Certificate): string {
  return `${certificate.toString('pem').trimEnd()}\n`;
}

export function certificateDer(certificate: x509.X509Certificate): Buffer {
  return Buffer.from(certificate.rawData);
}

/** DER of a list that is good for a day. */
export async function signRevocationList(authority: TlsAuthority, serialNumbers: readonly string[]): Promise<Buffer> {
  const now = Date.now();
  const list = await x509.X509CrlGenerator.create({
    issuer: authority.certificate.subjectName,
    thisUpdate: new Date(now - 60_000),
    nextUpdate: new Date(now + DAY_MS),
    entries: serialNumbers.map((serialNumber) => ({ serialNumber, revocationDate: new Date(now - 60_000) })),
    signingAlgorithm: signingAlgorithm(authority.privateKey),
    signingKey: await toSigningKey(authority.privateKey),
  });
  return Buffer.from(list.rawData);
}

function subjectAlternativeNames(fields: CertificateFields): { type: 'dns' | 'ip' | 'url'; value: string }[] {
  return [
    ...(fields.dnsNames ?? []).map((value) => ({ type: 'dns' as const, value })),
    ...(fields.uris ?? []).map((value) => ({ type: 'url' as const, value })),
    ...(fields.ipAddresses ?? []).map((value) => ({ type: 'ip' as const, value })),
  ];
}

/** What every certificate of an authority needs again; without it a signature takes twice as long. */
const SIGNING_KEYS = new WeakMap<KeyObject, Promise<webcrypto.CryptoKey>>();
const KEY_IDENTIFIERS = new WeakMap<x509.X509Certificate, Promise<x509.AuthorityKeyIdentifierExtension>>();

function toSigningKey(key: KeyObject): Promise<webcrypto.CryptoKey> {
  return remembered(SIGNING_KEYS, key, () => {
    const pkcs8 = key.export({ type: 'pkcs8', format: 'der' });
    return webcrypto.subtle.importKey('pkcs8', pkcs8, signingAlgorithm(key), false, ['sign']);
  });
}

function keyIdentifierOf(certificate: x509.X509Certificate): Promise<x509.AuthorityKeyIdentifierExtension> {
  return remembered(KEY_IDENTIFIERS, certificate, () => x509.AuthorityKeyIdentifierExtension.create(certificate));
}

function remembered<K extends object, V>(known: WeakMap<K, V>, key: K, make: () => V): V {
  const value = known.get(key) ?? make();
  known.set(key, value);
  return value;
}

function signingAlgorithm(key: KeyObject): { name: string; namedCurve?: string; hash: string } {
  return key.asymmetricKeyType === 'rsa'
    ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
    : { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
}
