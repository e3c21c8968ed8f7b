/** Parses the public keys that clients send, in each of their forms. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { decodeSshPublicKey, parseAuthorizedKey } from '../crypto/ssh-public-key.ts';
import { badParameter } from '../data/teleport-errors.ts';

/** The public keys for the two certificates; without a key, that certificate is not issued. */
export interface PublicKeys {
  readonly ssh: KeyObject | undefined;
  readonly tls: KeyObject | undefined;
}

const KEY_TYPES: readonly (string | undefined)[] = ['rsa', 'ec', 'ed25519'];

/** PEM around SubjectPublicKeyInfo. */
export function parseTlsPem(pem: Buffer): KeyObject {
  return parse('TLS', () => createPublicKey({ key: pem, format: 'pem' }));
}

/** SubjectPublicKeyInfo DER. */
export function parseTlsDer(der: Buffer): KeyObject {
  return parse('TLS', () => createPublicKey({ key: der, format: 'der', type: 'spki' }));
}

/** A line of authorized_keys. */
export function parseSshLine(line: Buffer): KeyObject {
  return parse('SSH', () => decodeSshPublicKey(parseAuthorizedKey(line.toString('utf8'))));
}

/** SSH wire format. */
export function parseSshWire(wire: Buffer): KeyObject {
  return parse('SSH', () => decodeSshPublicKey(wire));
}

function parse(kind: string, read: () => KeyObject): KeyObject {
  let key: KeyObject;
  try {
    key = read();
  } catch (error) {
    throw badParameter(`failed to parse the ${kind} public key: ${String(error)}`);
  }
  if (!KEY_TYPES.includes(key.asymmetricKeyType)) {
    throw badParameter(`unsupported ${kind} public key type ${String(key.asymmetricKeyType)}`);
  }
  return key;
}
