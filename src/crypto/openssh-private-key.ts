/** Writes private keys as OpenSSH does (PROTOCOL.key of OpenSSH), without a passphrase. */
import { randomBytes } from 'node:crypto';
import { Secret } from '../effects/secret.ts';
import { type KeyPair, privateKeyPem } from './keys.ts';
import { sshPublicKey } from './ssh-public-key.ts';
import { sshPositiveInteger, sshString, sshUint32 } from './ssh-wire.ts';

const MAGIC = Buffer.from('openssh-key-v1\0');
const NO_CIPHER_BLOCK_BYTES = 8;
const LINE_LENGTH = 70;

/**
 * For sshd, which reads Ed25519 in no other form; RSA keys stay in PKCS#1, as Teleport's own tools write them.
 * @returns PEM that ends with a line break
 */
export function openSshPrivateKey(keyPair: KeyPair): Secret {
  if (keyPair.algorithm === 'rsa-2048') return privateKeyPem(keyPair);
  const { blob } = sshPublicKey(keyPair.publicKey);
  const none = sshString('none');
  const bytes = Buffer.concat([
    MAGIC,
    none,
    none,
    sshString(''),
    sshUint32(1),
    sshString(blob),
    secretPart(keyPair, blob),
  ]);
  const lines = bytes.toString('base64').match(new RegExp(`.{1,${LINE_LENGTH}}`, 'g')) ?? [];
  return new Secret(
    ['-----BEGIN OPENSSH PRIVATE KEY-----', ...lines, '-----END OPENSSH PRIVATE KEY-----', ''].join('\n'),
  );
}

/** The same random number twice, by which a wrong passphrase would show; then the key, without a comment; then padding. */
function secretPart({ privateKey }: KeyPair, publicBlob: Uint8Array): Uint8Array {
  const check = randomBytes(4);
  const { d = '', x = '', crv } = privateKey.export({ format: 'jwk' });
  const scalar = Buffer.from(d, 'base64url');
  const secret =
    crv === 'Ed25519' ? sshString(Buffer.concat([scalar, Buffer.from(x, 'base64url')])) : sshPositiveInteger(scalar);
  const fields = Buffer.concat([check, check, publicBlob, secret, sshString('')]);
  const missing = (NO_CIPHER_BLOCK_BYTES - (fields.length % NO_CIPHER_BLOCK_BYTES)) % NO_CIPHER_BLOCK_BYTES;
  return sshString(Buffer.concat([fields, Buffer.from(Array.from({ length: missing }, (_none, at) => at + 1))]));
}
