/** Reads X.509 certificates with Node's own parser. */
import { type KeyObject, X509Certificate } from 'node:crypto';
import { unreadableCertificate, type Validity } from './validity.ts';

export interface DistinguishedName {
  readonly commonName: string | undefined;
  /** `O`, which Teleport uses for roles in a subject and for the cluster's name in an issuer. */
  readonly organizations: readonly string[];
  /** Values by short name or, for Teleport's own, by dotted object identifier. */
  readonly byOid: ReadonlyMap<string, readonly string[]>;
}

export interface TlsCertificate {
  /** One PEM block that ends with a newline. */
  readonly pem: string;
  readonly subject: DistinguishedName;
  readonly issuer: DistinguishedName;
  /** Milliseconds since the Unix epoch. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly publicKey: KeyObject;
  /** Whether it may sign certificates. */
  readonly isAuthority: boolean;
  /** The URIs among the subject alternative names. */
  readonly uris: readonly string[];
  /** Whether the authority's key made this certificate's signature. Does not check names or validity. */
  isSignedBy(authority: TlsCertificate): boolean;
}

const BLOCK = /-----BEGIN CERTIFICATE-----\r?\n[A-Za-z0-9+/=\r\n]+-----END CERTIFICATE-----/g;

/**
 * @param certificate PEM with exactly one block, or DER
 * @throws MachineIdError RESPONSE_INVALID
 */
export function readCertificate(certificate: string | Uint8Array): TlsCertificate {
  const der = typeof certificate === 'string' ? onlyBlock(certificate) : certificate;
  const x509 = parse(der);
  // OpenSSL also accepts PEM in place of DER, and ignores trailing bytes.
  if (!x509.raw.equals(der)) throw unreadableCertificate('it is not exactly one DER certificate');
  return fromX509(x509);
}

export function tlsValidity({ notAfterMs, notBeforeMs }: TlsCertificate): Validity {
  return { beginsAtMs: notBeforeMs, endsAtMs: notAfterMs };
}

/** @param pem exactly one block */
export function derOf(pem: string): Uint8Array {
  return onlyBlock(pem);
}

function onlyBlock(pem: string): Uint8Array {
  const [block, ...others] = splitCertificates(pem);
  if (block === undefined || others.length > 0) throw unreadableCertificate('it is not exactly one PEM block');
  return Buffer.from(block.replace(/-----[A-Z ]+-----/g, ''), 'base64');
}

function parse(der: Uint8Array): X509Certificate {
  try {
    return new X509Certificate(der);
  } catch (cause) {
    throw unreadableCertificate('Node cannot parse it', cause);
  }
}

function fromX509(x509: X509Certificate): TlsCertificate {
  const names = namesOf(x509);
  const publicKey = publicKeyOf(x509);
  return {
    pem: x509.toString(),
    subject: distinguishedName(names.subject),
    issuer: distinguishedName(names.issuer),
    notBeforeMs: timeOf(x509.validFrom),
    notAfterMs: timeOf(x509.validTo),
    publicKey,
    isAuthority: x509.ca,
    uris: urisOf(x509.subjectAltName ?? ''),
    isSignedBy: (authority) => x509.verify(authority.publicKey),
  };
}

interface Names {
  /** Undefined if OpenSSL cannot read it. */
  readonly subject: object | undefined;
  readonly issuer: object | undefined;
}

function namesOf(x509: X509Certificate): Names {
  try {
    return x509.toLegacyObject();
  } catch (cause) {
    throw unreadableCertificate('Node cannot read the names in it', cause);
  }
}

/**
 * OpenSSL writes `Jan  2 03:04:05 2026 GMT`, or `Bad time value` for an invalid time. JavaScript would read a year of fewer
 * than four digits as one of this century.
 */
function timeOf(text: string): number {
  const timeMs = / \d{4} GMT$/.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(timeMs)) throw unreadableCertificate('a time in it cannot be read');
  return timeMs;
}

function publicKeyOf(x509: X509Certificate): KeyObject {
  try {
    return x509.publicKey;
  } catch (cause) {
    throw unreadableCertificate('Node cannot read the key in it', cause);
  }
}

/** Node writes `URI:a, DNS:b`, and encodes a value with a comma, quote or control character as JSON. */
function urisOf(alternativeNames: string): string[] {
  const names = alternativeNames.matchAll(/(?:^|, )URI:("(?:[^"\\]|\\.)*"|[^,"]*)(?=, |$)/g);
  return [...names].map(([, value = '']) => value);
}

/** Node returns a single value as a string and several as a list, without escapes. */
function distinguishedName(name: Names['subject']): DistinguishedName {
  if (name === undefined) throw unreadableCertificate('a name in it cannot be read');
  const byOid = new Map<string, readonly string[]>();
  for (const [key, value] of Object.entries(name)) {
    const values: unknown[] = Array.isArray(value) ? value : [value];
    byOid.set(
      key,
      values.filter((one) => typeof one === 'string'),
    );
  }
  return { commonName: byOid.get('CN')?.[0], organizations: byOid.get('O') ?? [], byOid };
}

/**
 * The blocks of a PEM bundle, with nothing but white space between and around them.
 * @throws MachineIdError RESPONSE_INVALID
 */
export function splitCertificates(bundle: string): string[] {
  const blocks = bundle.match(BLOCK) ?? [];
  if (bundle.replace(BLOCK, '').trim() !== '')
    throw unreadableCertificate('the PEM text contains something other than certificates');
  return blocks.map((block) => `${block.replaceAll('\r\n', '\n')}\n`);
}

/** @throws MachineIdError RESPONSE_INVALID */
export function certificatePem(der: Uint8Array): string {
  return readCertificate(der).pem;
}
