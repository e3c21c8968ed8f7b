/** Encodes and signs X.509 certificates, for both ends of a TLS connection and for authorities (RFC 5280). */
import { randomBytes, sign, type KeyObject } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';
import * as der from './der.ts';
import type { TlsAuthority } from './x509.ts';

export interface CertificateFields {
  /** Name DER. */
  readonly subject: Buffer;
  /** SubjectPublicKeyInfo DER. */
  readonly publicKey: Buffer;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
  readonly uris?: readonly string[];
}

const SERIAL_NUMBER_BYTES = 16;
const VERSION_3 = der.explicit(0, der.integer(Buffer.from([2])));
const SHA256_WITH_RSA = der.sequence(der.objectIdentifier('1.2.840.113549.1.1.11'), der.NULL);
const ECDSA_WITH_SHA256 = der.sequence(der.objectIdentifier('1.2.840.10045.4.3.2'));

/** For a leaf, which cannot sign other certificates. */
const BASIC_CONSTRAINTS = extension('2.5.29.19', der.sequence(), { critical: true });
/** digitalSignature and keyEncipherment, the bits 0 and 2. */
const KEY_USAGE = extension('2.5.29.15', der.bitString(Buffer.from([0b1010_0000]), 5), { critical: true });
/** CA: TRUE. */
const OF_AUTHORITY = extension('2.5.29.19', der.sequence(der.TRUE), { critical: true });
/** keyCertSign and cRLSign, the bits 5 and 6. */
const SIGNS = extension('2.5.29.15', der.bitString(Buffer.from([0b0000_0110]), 1), { critical: true });
const SERVER_AND_CLIENT = ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'].map(der.objectIdentifier);
const EXTENDED_KEY_USAGE = extension('2.5.29.37', der.sequence(...SERVER_AND_CLIENT), { critical: false });

/** DER. @throws RangeError for a name that the certificate cannot contain */
export function signCertificate(authority: TlsAuthority, fields: CertificateFields): Buffer {
  return signWith(authority, fields, extensions(authority, fields));
}

/**
 * The certificate of an authority itself, DER: it may sign certificates and revocation lists, or, with names, is that of a
 * server too.
 */
export function signOwnCertificate(
  authority: Omit<TlsAuthority, 'certificate'>,
  fields: Omit<CertificateFields, 'subject'>,
): Buffer {
  const own = { ...fields, subject: authority.subject };
  const identifier = extension('2.5.29.14', der.octetString(authority.keyIdentifier), { critical: false });
  const names = namesOf(own);
  return signWith(authority, own, [OF_AUTHORITY, ...(names.length === 0 ? [SIGNS] : names), identifier]);
}

function signWith(
  { privateKey, subject: issuer }: Omit<TlsAuthority, 'certificate'>,
  { notAfter, notBefore, publicKey, subject }: CertificateFields,
  extensions: readonly Buffer[],
): Buffer {
  return signed(privateKey, (algorithm) => [
    VERSION_3,
    der.integer(serialNumber()),
    algorithm,
    issuer,
    der.sequence(der.time(notBefore), der.time(notAfter)),
    subject,
    publicKey,
    der.explicit(3, der.sequence(...extensions)),
  ]);
}

/** What is signed, which names the algorithm, then the algorithm and the signature: a certificate or a revocation list. */
export function signed(key: KeyObject, fields: (algorithm: Buffer) => readonly Buffer[]): Buffer {
  const algorithm = signatureAlgorithm(key);
  const toBeSigned = der.sequence(...fields(algorithm));
  return der.sequence(toBeSigned, algorithm, der.bitString(sign('sha256', toBeSigned, key)));
}

/** Positive, and without leading zero bytes, which DER would omit. */
function serialNumber(): Buffer {
  const bytes = randomBytes(SERIAL_NUMBER_BYTES);
  bytes.writeUInt8((bytes.readUInt8() & 0x7f) | 0x40);
  return bytes;
}

/** The authorities that sign X.509 certificates have RSA or ECDSA keys. */
function signatureAlgorithm(key: KeyObject): Buffer {
  return key.asymmetricKeyType === 'rsa' ? SHA256_WITH_RSA : ECDSA_WITH_SHA256;
}

function extensions(authority: TlsAuthority, fields: CertificateFields): Buffer[] {
  const authorityKey = der.sequence(der.implicit(0, authority.keyIdentifier));
  return [
    BASIC_CONSTRAINTS,
    KEY_USAGE,
    EXTENDED_KEY_USAGE,
    extension('2.5.29.35', authorityKey, { critical: false }),
    ...namesOf(fields),
  ];
}

/** With an empty subject, the extension with other names must be critical (RFC 5280 section 4.2.1.6). */
function namesOf(fields: CertificateFields): Buffer[] {
  const names = alternativeNames(fields);
  const critical = fields.subject.equals(der.sequence());
  return names.length === 0 ? [] : [extension('2.5.29.17', der.sequence(...names), { critical })];
}

function extension(oid: string, value: Buffer, { critical }: { readonly critical: boolean }): Buffer {
  return der.sequence(der.objectIdentifier(oid), ...(critical ? [der.TRUE] : []), der.octetString(value));
}

/** GeneralName of RFC 5280 section 4.2.1.6: dNSName, uniformResourceIdentifier and iPAddress. */
function alternativeNames({ dnsNames = [], uris = [], ipAddresses = [] }: CertificateFields): Buffer[] {
  return [
    ...dnsNames.map((name) => der.implicit(2, ia5(name))),
    ...uris.map((uri) => der.implicit(6, ia5(uri))),
    ...ipAddresses.map((address) => der.implicit(7, addressBytes(address))),
  ];
}

function ia5(text: string): Buffer {
  if (!/^[\x20-\x7e]*$/.test(text)) {
    throw new RangeError(`"${text}" is not ASCII`);
  }
  return Buffer.from(text);
}

function addressBytes(address: string): Buffer {
  return isIPv4(address) ? Buffer.from(address.split('.').map(Number)) : sixteenBytes(address);
}

/** The URL parser writes an IPv6 address in hexadecimal groups, with `::` for omitted zeros. */
function sixteenBytes(address: string): Buffer {
  if (!isIPv6(address) || !URL.canParse(`http://[${address}]/`)) {
    throw new RangeError(`"${address}" is not an IP address`);
  }
  const [before = '', after] = new URL(`http://[${address}]/`).hostname.slice(1, -1).split('::');
  const groups = (text: string): string[] => text.split(':').filter((group) => group !== '');
  const [start, end] = [groups(before), groups(after ?? '')];
  const zeros = Array<string>(8 - start.length - end.length).fill('0');
  return Buffer.from([...start, ...zeros, ...end].map((group) => group.padStart(4, '0')).join(''), 'hex');
}
