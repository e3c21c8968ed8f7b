/** Key pairs by algorithm, as Teleport's signature algorithm suites ask for them. */
import { generateKeyPair as generate, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { Secret } from '../effects/secret.ts';

/** RSA-2048 for everything in the suite `legacy` and for databases, ECDSA P-256 in every other suite, Ed25519 for SSH alone. */
export type KeyAlgorithm = 'rsa-2048' | 'ecdsa-p256' | 'ed25519';

export interface KeyPair {
  readonly algorithm: KeyAlgorithm;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

const generateAsync = promisify(generate);

/** Made in libuv's thread pool, so that it overlaps with whatever waits for the network. */
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

/** As Teleport's own tools write it: RSA in PKCS#1 (`RSA PRIVATE KEY`), others in PKCS#8 (`PRIVATE KEY`). */
export function privateKeyPem({ algorithm, privateKey }: KeyPair): Secret {
  const type = algorithm === 'rsa-2048' ? 'pkcs1' : 'pkcs8';
  return new Secret(privateKey.export({ type, format: 'pem' }).toString());
}

/** `PRIVATE KEY` whatever the algorithm, as SPIFFE's tools want it. */
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

/** By their numbers: OpenSSL takes a good part of a millisecond to write a key down. */
export function samePublicKey(one: KeyObject, other: KeyObject): boolean {
  return one.equals(other);
}
