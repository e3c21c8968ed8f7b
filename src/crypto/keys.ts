/** Key pairs: generating them, and writing and reading their files. */
import { createPublicKey, generateKeyPair as generate, type KeyObject, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { Secret } from '../effects/secret.ts';
import { MachineIdError } from '../errors.ts';
import { sshPublicKey, toKeyObject } from './ssh-public-key.ts';
import { sshPositiveInteger, SshReader, sshString, sshUint32 } from './ssh-wire.ts';

/** RSA-2048 in the suite `legacy` and for databases, ECDSA P-256 in every other suite, Ed25519 only for SSH servers. */
export type KeyAlgorithm = 'rsa-2048' | 'ecdsa-p256' | 'ed25519';

export interface KeyPair {
  readonly algorithm: KeyAlgorithm;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

const generateAsync = promisify(generate);

/**
 * Runs in libuv's thread pool, so that it overlaps with waiting for the network. Never synchronously: on Node 18 and 20 exporting
 * such a key as a JWK can then deadlock with the garbage collector.
 */
export async function generateKeyPair(algorithm: KeyAlgorithm): Promise<KeyPair> {
  switch (algorithm) {
    case 'rsa-2048':
      return { algorithm, ...(await generateAsync('rsa', { modulusLength: 2048, publicExponent: 0x10001 })) };
    case 'ecdsa-p256':
      return { algorithm, ...(await generateAsync('ec', { namedCurve: 'P-256' })) };
    case 'ed25519':
      return { algorithm, ...(await generateAsync('ed25519')) };
    default:
      return algorithm satisfies never;
  }
}

/** As Teleport's own tools write it: RSA as PKCS#1 (`RSA PRIVATE KEY`), others as PKCS#8 (`PRIVATE KEY`). */
export function privateKeyPem({ algorithm, privateKey }: KeyPair): Secret {
  const type = algorithm === 'rsa-2048' ? 'pkcs1' : 'pkcs8';
  return new Secret(privateKey.export({ type, format: 'pem' }).toString());
}

/** Always PKCS#8 (`PRIVATE KEY`), as SPIFFE's tools require. */
export function pkcs8Pem({ privateKey }: KeyPair): Secret {
  return new Secret(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
}

/** SubjectPublicKeyInfo with the label `PUBLIC KEY`, which every version of Teleport reads. */
export function publicKeyPem(publicKey: KeyObject): string {
  return publicKey.export({ type: 'spki', format: 'pem' }).toString();
}

/** SubjectPublicKeyInfo. */
export function publicKeyDer(publicKey: KeyObject): Uint8Array {
  return publicKey.export({ type: 'spki', format: 'der' });
}

/**
 * Compares without encoding: OpenSSL needs a good part of a millisecond to export a key. Types are compared first, because on
 * Node 20 comparing keys of two types leaves an error behind with which the next PEM cannot be read.
 */
export function samePublicKey(one: KeyObject, other: KeyObject): boolean {
  return one.asymmetricKeyType === other.asymmetricKeyType && one.equals(other);
}

// Reads the public key from a private key's file.

const OPENSSH = /^-----BEGIN OPENSSH PRIVATE KEY-----\n([A-Za-z0-9+/=\n]+)-----END OPENSSH PRIVATE KEY-----\s*$/;
const MAGIC = Buffer.from('openssh-key-v1\0');
const WHAT = 'the private key';

/**
 * @param text PEM of any of Node's forms, or OpenSSH's own (PROTOCOL.key of OpenSSH)
 * @throws MachineIdError RESPONSE_INVALID, whose message contains no part of the key
 */
export function publicKeyInFile(text: string): KeyObject {
  const [, base64] = OPENSSH.exec(text) ?? [];
  if (base64 !== undefined) return publicKeyOfOpenSsh(Buffer.from(base64, 'base64'));
  try {
    if (!text.includes('PRIVATE KEY-----')) throw new Error('it has no PRIVATE KEY block');
    return createPublicKey(text);
  } catch (cause) {
    throw unreadable('it is not a PEM private key', cause);
  }
}

/** The public key comes before the secret part and is never encrypted. */
function publicKeyOfOpenSsh(bytes: Buffer): KeyObject {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw unreadable("it does not start with OpenSSH's magic bytes");
  const reader = new SshReader(bytes.subarray(MAGIC.length), WHAT);
  reader.bytes(); // cipher
  reader.bytes(); // key derivation
  reader.bytes(); // its options
  if (reader.uint32() !== 1) throw unreadable('it does not contain exactly one key');
  const blob = reader.bytes();
  return toKeyObject({ type: new SshReader(blob, WHAT).text(), blob });
}

function unreadable(detail: string, cause?: unknown): MachineIdError {
  return new MachineIdError('RESPONSE_INVALID', `${WHAT} cannot be read: ${detail}`, {
    hint: 'Check the program that wrote the file.',
    cause,
  });
}

// Writes private keys in OpenSSH's format (PROTOCOL.key of OpenSSH), without a passphrase.

const NO_CIPHER_BLOCK_BYTES = 8;
const LINE_LENGTH = 70;

/**
 * For sshd, which reads Ed25519 keys only in this format. RSA keys stay in PKCS#1, as Teleport's own tools write them.
 * @returns PEM that ends with a newline
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

/** A random number twice (detects a wrong passphrase), the key, an empty comment, and padding. */
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
