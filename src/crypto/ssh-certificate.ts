/** Reads and verifies OpenSSH certificates (PROTOCOL.certkeys of OpenSSH), strictly. */
import { type KeyObject, verify } from 'node:crypto';
import { parseSshPublicKey, readKeyFields, splitKeyLine, type SshPublicKey, toKeyObject } from './ssh-public-key.ts';
import { malformed, quoted, SshReader } from './ssh-wire.ts';
import type { Validity } from './validity.ts';

export interface SshCertificate {
  /** For example `ssh-rsa-cert-v01@openssh.com`. */
  readonly type: string;
  /** The certified key. */
  readonly publicKey: KeyObject;
  readonly serial: bigint;
  readonly certificateType: 'user' | 'host';
  readonly keyId: string;
  readonly principals: readonly string[];
  /** Seconds since the Unix epoch. */
  readonly validAfter: bigint;
  /** Seconds since the Unix epoch; 2^64 - 1 means forever. */
  readonly validBefore: bigint;
  /** In the certificate's order; an empty value means the option is a flag. */
  readonly criticalOptions: ReadonlyMap<string, string>;
  readonly extensions: ReadonlyMap<string, string>;
  /** The authority's key. */
  readonly signatureKey: SshPublicKey;
  readonly signature: Uint8Array;
  /** The bytes that the signature covers. */
  readonly signedBytes: Uint8Array;
}

const CERTIFICATE = 'the SSH certificate';
const SUFFIX = '-cert-v01@openssh.com';
const TYPES = new Map([
  [1, 'user' as const],
  [2, 'host' as const],
]);

/**
 * @param line `<type> <base64>`, as in a `-cert.pub` file
 * @throws MachineIdError RESPONSE_INVALID
 */
export function parseSshCertificate(line: string): SshCertificate {
  const { type, blob } = splitKeyLine(line, CERTIFICATE);
  const certificate = parseSshCertificateBytes(blob);
  if (certificate.type !== type)
    throw malformed(CERTIFICATE, `the line has the type ${quoted(type)}, but the bytes do not`);
  return certificate;
}

/** @throws MachineIdError RESPONSE_INVALID */
export function parseSshCertificateBytes(blob: Uint8Array): SshCertificate {
  const reader = new SshReader(blob, CERTIFICATE);
  const type = reader.text();
  if (!type.endsWith(SUFFIX)) throw malformed(CERTIFICATE, `the type ${quoted(type)} is not that of a certificate`);
  reader.bytes(); // nonce
  const publicKey = readKeyFields(reader, type.slice(0, -SUFFIX.length));
  const serial = reader.uint64();
  const typeNumber = reader.uint32();
  const certificateType = TYPES.get(typeNumber);
  if (certificateType === undefined)
    throw malformed(CERTIFICATE, `its certificate type is ${typeNumber}, expected 1 or 2`);
  const keyId = reader.text();
  const principals = readPrincipals(reader.bytes());
  const validAfter = reader.uint64();
  const validBefore = reader.uint64();
  const criticalOptions = readOptions(reader.bytes());
  const extensions = readOptions(reader.bytes());
  reader.bytes(); // reserved
  const signatureKey = parseSshPublicKey(reader.bytes());
  const signedBytes = blob.subarray(0, reader.offset);
  const signature = reader.bytes();
  reader.end();
  return {
    type,
    publicKey,
    serial,
    certificateType,
    keyId,
    principals,
    validAfter,
    validBefore,
    criticalOptions,
    extensions,
    signatureKey,
    signature,
    signedBytes,
  };
}

/** Whether `signatureKey` made the signature. */
export function verifySshCertificate({ signatureKey, signature, signedBytes }: SshCertificate): boolean {
  return verifySshSignature(signatureKey, signature, signedBytes);
}

/** The value for forever, 2^64 - 1 seconds, is later than any date. */
export function sshValidity({ validAfter, validBefore }: SshCertificate): Validity {
  return { beginsAtMs: Number(validAfter) * 1000, endsAtMs: Number(validBefore) * 1000 };
}

/** The `-cert.pub` line of a certificate in wire form, without a newline. */
export function formatSshCertificate(blob: Uint8Array): string {
  return `${parseSshCertificateBytes(blob).type} ${Buffer.from(blob).toString('base64')}`;
}

function readPrincipals(bytes: Uint8Array): string[] {
  const reader = new SshReader(bytes, CERTIFICATE);
  const principals: string[] = [];
  while (!reader.atEnd) principals.push(reader.text());
  return principals;
}

/** Pairs of name and value; a non-empty value is a string inside a string. */
function readOptions(bytes: Uint8Array): Map<string, string> {
  const reader = new SshReader(bytes, CERTIFICATE);
  const options = new Map<string, string>();
  while (!reader.atEnd) {
    const name = reader.text();
    if (options.has(name)) throw malformed(CERTIFICATE, `it has the option ${quoted(name)} twice`);
    options.set(name, readOptionValue(reader.bytes()));
  }
  return options;
}

function readOptionValue(bytes: Uint8Array): string {
  if (bytes.length === 0) return '';
  const reader = new SshReader(bytes, CERTIFICATE);
  const value = reader.text();
  reader.end();
  return value;
}

// SSH signatures (RFC 4253 section 6.6, RFC 8332, RFC 5656, RFC 8709).

const SIGNATURE = 'the SSH signature';

/** Hash by signature algorithm; SHA-1 (`ssh-rsa`) is omitted on purpose. */
const RSA_HASHES: ReadonlyMap<string, string> = new Map([
  ['rsa-sha2-256', 'sha256'],
  ['rsa-sha2-512', 'sha512'],
]);

/** Hash and coordinate size by signature algorithm, which is also the key's type. */
const ECDSA: ReadonlyMap<string, { readonly hash: string; readonly bytes: number }> = new Map([
  ['ecdsa-sha2-nistp256', { hash: 'sha256', bytes: 32 }],
  ['ecdsa-sha2-nistp384', { hash: 'sha384', bytes: 48 }],
  ['ecdsa-sha2-nistp521', { hash: 'sha512', bytes: 66 }],
]);

/**
 * @param signature `string algorithm, string bytes`
 * @returns false for a wrong signature, and for an algorithm that the key may not use
 * @throws MachineIdError RESPONSE_INVALID if it cannot be read as a signature
 */
export function verifySshSignature(key: SshPublicKey, signature: Uint8Array, signed: Uint8Array): boolean {
  const reader = new SshReader(signature, SIGNATURE);
  const algorithm = reader.text();
  const bytes = reader.bytes();
  reader.end();
  const publicKey = toKeyObject(key);
  const rsaHash = RSA_HASHES.get(algorithm);
  if (rsaHash !== undefined) return key.type === 'ssh-rsa' && verify(rsaHash, signed, publicKey, bytes);
  if (algorithm !== key.type) return false;
  if (algorithm === 'ssh-ed25519') return verify(null, signed, publicKey, bytes);
  const ecdsa = ECDSA.get(algorithm);
  if (ecdsa === undefined) return false;
  const pair = fixedWidthPair(bytes, ecdsa.bytes);
  return verify(ecdsa.hash, signed, { key: publicKey, dsaEncoding: 'ieee-p1363' }, pair);
}

/** Converts two mpints (RFC 5656 section 3.1.2) to two numbers of the curve's width. */
function fixedWidthPair(bytes: Uint8Array, width: number): Uint8Array {
  const reader = new SshReader(bytes, SIGNATURE);
  const numbers = [reader.positiveInteger(), reader.positiveInteger()];
  reader.end();
  return Buffer.concat(
    numbers.map((number) => {
      if (number.length > width) throw malformed(SIGNATURE, 'a number in it is wider than the curve');
      return Buffer.concat([Buffer.alloc(width - number.length), number]);
    }),
  );
}
