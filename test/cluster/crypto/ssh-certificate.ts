/** Signs and parses OpenSSH certificates (OpenSSH's PROTOCOL.certkeys). */
import { randomBytes, type KeyObject } from 'node:crypto';
import { ByteReader } from './byte-reader.ts';
import { decodeSshPublicKey, encodeSshPublicKey, sshString, uint32 } from './ssh-public-key.ts';
import { defaultAlgorithm, signSsh, verifySsh, type SignatureAlgorithm } from './ssh-signature.ts';

export interface SshCertificateFields {
  readonly kind: 'user' | 'host';
  readonly publicKey: KeyObject;
  readonly keyId: string;
  readonly principals: readonly string[];
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Whether it never expires, whatever `notAfter` says. */
  readonly sshForever?: boolean;
  readonly extensions: Readonly<Record<string, string>>;
}

const KIND_NUMBERS = { user: 1, host: 2 } as const;
const CERTIFICATE_SUFFIX = '-cert-v01@openssh.com';

/** The certificate in wire form. */
export function signSshCertificate(fields: SshCertificateFields, authorityKey: KeyObject): Buffer {
  const publicKey = encodeSshPublicKey(fields.publicKey);
  const keyFields = new ByteReader(publicKey);
  const type = keyFields.vector(4).toString('utf8');
  const signed = Buffer.concat([
    sshString(`${type}${CERTIFICATE_SUFFIX}`),
    sshString(randomBytes(32)),
    keyFields.take(keyFields.remaining),
    uint64(0),
    uint32(KIND_NUMBERS[fields.kind]),
    sshString(fields.keyId),
    sshString(Buffer.concat(fields.principals.map(sshString))),
    uint64(toSeconds(fields.notBefore)),
    fields.sshForever === true ? Buffer.alloc(8, 0xff) : uint64(toSeconds(fields.notAfter)),
    sshString(''),
    sshString(encodeExtensions(fields.extensions)),
    sshString(''),
    sshString(encodeSshPublicKey(authorityKey)),
  ]);
  return Buffer.concat([signed, sshString(signSsh(signed, authorityKey, defaultAlgorithm(authorityKey)))]);
}

/** Names in byte order. A value is a string inside a string, or empty. */
function encodeExtensions(extensions: Readonly<Record<string, string>>): Buffer {
  const names = Object.keys(extensions).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return Buffer.concat(
    names.map((name) => {
      const value = extensions[name] ?? '';
      return Buffer.concat([sshString(name), sshString(value === '' ? '' : sshString(value))]);
    }),
  );
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

function toSeconds(date: Date): number {
  return Math.floor(date.getTime() / 1000);
}

export interface SshCertificate {
  readonly kind: 'user' | 'host';
  readonly publicKey: KeyObject;
  readonly keyId: string;
  readonly principals: readonly string[];
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly criticalOptions: ReadonlyMap<string, string>;
  readonly extensions: ReadonlyMap<string, string>;
  /** The authority's public key in wire format, which the certificate contains. */
  readonly authority: Buffer;
}

/** The latest time of a Date. */
const MAX_DATE_MS = 8.64e15;
const KEY_FIELDS: Readonly<Record<string, number>> = { 'ssh-rsa': 2, 'ecdsa-sha2-nistp256': 2, 'ssh-ed25519': 1 };

/** @throws RangeError for bytes that are not a certificate, or not signed by the authority in it */
export function readSshCertificate(wire: Buffer): SshCertificate {
  const reader = new ByteReader(wire);
  const type = plainType(reader.vector(4).toString('utf8'));
  reader.vector(4);
  const keyFields = Array.from({ length: KEY_FIELDS[type] ?? 0 }, () => sshString(reader.vector(4)));
  reader.take(8);
  const kind = reader.uint(4);
  const fields = {
    kind: kind === KIND_NUMBERS.user ? ('user' as const) : ('host' as const),
    publicKey: decodeSshPublicKey(Buffer.concat([sshString(type), ...keyFields])),
    keyId: reader.vector(4).toString('utf8'),
    principals: strings(reader.vector(4)),
    notBefore: time(reader),
    notAfter: time(reader),
    criticalOptions: pairs(reader.vector(4)),
    extensions: pairs(reader.vector(4)),
  };
  reader.vector(4);
  const authority = reader.vector(4);
  const signed = wire.subarray(0, wire.length - reader.remaining);
  const signature = reader.vector(4);
  if (reader.remaining > 0 || !Object.values<number>(KIND_NUMBERS).includes(kind)) {
    throw new RangeError('not a user or host certificate');
  }
  if (!isSigned(signed, authority, signature)) {
    throw new RangeError('the signature is not of the authority that the certificate names');
  }
  return { ...fields, authority };
}

/** The type of the key in a certificate of this type. */
function plainType(type: string): string {
  const plain = type.endsWith(CERTIFICATE_SUFFIX) ? type.slice(0, -CERTIFICATE_SUFFIX.length) : '';
  if (!(plain in KEY_FIELDS)) {
    throw new RangeError(`${type} is not a certificate of a known type`);
  }
  return plain;
}

function isSigned(signed: Buffer, authority: Buffer, signature: Buffer): boolean {
  const key = decodeSshPublicKey(authority);
  const algorithms: readonly SignatureAlgorithm[] =
    key.asymmetricKeyType === 'rsa' ? ['rsa-sha2-512', 'rsa-sha2-256'] : [defaultAlgorithm(key)];
  return algorithms.some((algorithm) => verifySsh(signed, key, signature, algorithm));
}

function strings(list: Buffer): string[] {
  const reader = new ByteReader(list);
  const found: string[] = [];
  while (reader.remaining > 0) {
    found.push(reader.vector(4).toString('utf8'));
  }
  return found;
}

function pairs(list: Buffer): Map<string, string> {
  const reader = new ByteReader(list);
  const found = new Map<string, string>();
  while (reader.remaining > 0) {
    const name = reader.vector(4).toString('utf8');
    const value = new ByteReader(reader.vector(4));
    found.set(name, value.remaining === 0 ? '' : value.vector(4).toString('utf8'));
  }
  return found;
}

/** Seconds since 1970; OpenSSH writes the largest number for "forever", which no Date can represent. */
function time(reader: ByteReader): Date {
  const seconds = reader.take(8).readBigUInt64BE();
  return new Date(Math.min(Number(seconds) * 1000, MAX_DATE_MS));
}
