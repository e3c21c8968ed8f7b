/** Signs OpenSSH certificates (OpenSSH's PROTOCOL.certkeys). */
import { randomBytes, sign, type KeyObject } from 'node:crypto';
import { ByteReader } from './byte-reader.ts';
import { encodeSshPublicKey, sshString, uint32 } from './ssh-public-key.ts';

export interface SshCertificateFields {
  readonly kind: 'user' | 'host';
  readonly publicKey: KeyObject;
  readonly keyId: string;
  readonly principals: readonly string[];
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly extensions: Readonly<Record<string, string>>;
}

const KIND_NUMBERS = { user: 1, host: 2 } as const;

/** The certificate in wire form. */
export function signSshCertificate(fields: SshCertificateFields, authorityKey: KeyObject): Buffer {
  const publicKey = encodeSshPublicKey(fields.publicKey);
  const keyFields = new ByteReader(publicKey);
  const type = keyFields.vector(4).toString('utf8');
  const signed = Buffer.concat([
    sshString(`${type}-cert-v01@openssh.com`),
    sshString(randomBytes(32)),
    keyFields.take(keyFields.remaining),
    uint64(0),
    uint32(KIND_NUMBERS[fields.kind]),
    sshString(fields.keyId),
    sshString(Buffer.concat(fields.principals.map(sshString))),
    uint64(toSeconds(fields.notBefore)),
    uint64(toSeconds(fields.notAfter)),
    sshString(''),
    sshString(encodeExtensions(fields.extensions)),
    sshString(''),
    sshString(encodeSshPublicKey(authorityKey)),
  ]);
  return Buffer.concat([signed, sshString(signature(signed, authorityKey))]);
}

/** Names in byte order; a value is a string within a string, and nothing at all where it is empty. */
function encodeExtensions(extensions: Readonly<Record<string, string>>): Buffer {
  const names = Object.keys(extensions).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return Buffer.concat(
    names.map((name) => {
      const value = extensions[name] ?? '';
      return Buffer.concat([sshString(name), sshString(value === '' ? '' : sshString(value))]);
    }),
  );
}

/** The authorities that sign SSH certificates have RSA or Ed25519 keys. */
function signature(signed: Buffer, key: KeyObject): Buffer {
  if (key.asymmetricKeyType === 'rsa') {
    return Buffer.concat([sshString('rsa-sha2-512'), sshString(sign('sha512', signed, key))]);
  }
  return Buffer.concat([sshString('ssh-ed25519'), sshString(sign(null, signed, key))]);
}

function uint64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

function toSeconds(date: Date): number {
  return Math.floor(date.getTime() / 1000);
}
