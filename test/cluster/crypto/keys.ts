/** Generates and encodes private keys. */
import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject, randomInt } from 'node:crypto';
import { promisify } from 'node:util';
import { SHARED_RSA_KEYS, sharedRsaKey } from './shared-rsa-keys.ts';

const generate = promisify(generateKeyPair);

/** The first half of the shared keys is for clusters. A process that needs more gets the first ones again. */
const CLUSTER_KEYS = SHARED_RSA_KEYS / 2;
let takenByClusters = randomInt(CLUSTER_KEYS);
let takenByRuns = randomInt(CLUSTER_KEYS);

/** The second half is for what the tests run. */
export function nextRunKey(): Promise<KeyObject> {
  takenByRuns += 1;
  return sharedRsaKey(CLUSTER_KEYS + (takenByRuns % CLUSTER_KEYS));
}

export async function createKey(kind: 'rsa' | 'ec' | 'ed25519'): Promise<KeyObject> {
  switch (kind) {
    case 'rsa':
      takenByClusters += 1;
      return sharedRsaKey(takenByClusters % CLUSTER_KEYS);
    case 'ec':
      return (await generate('ec', { namedCurve: 'P-256' })).privateKey;
    case 'ed25519':
      return (await generate('ed25519')).privateKey;
  }
}

const readKeys = new Map<string, KeyObject>();

/** From PEM. Kept, because clusters are often started with the same keys, and OpenSSL takes milliseconds for an RSA key. */
export function readPrivateKey(pem: string): KeyObject {
  const key = readKeys.get(pem) ?? createPrivateKey(pem);
  readKeys.set(pem, key);
  return key;
}

const publicKeys = new WeakMap<KeyObject, Buffer>();

/** The public key as SubjectPublicKeyInfo DER. Kept, because OpenSSL takes milliseconds for an RSA key. */
export function publicKeyDer(privateKey: KeyObject): Buffer {
  const publicKey = publicKeys.get(privateKey) ?? createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  publicKeys.set(privateKey, publicKey);
  return publicKey;
}

/** PKCS #8. */
export function keyPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** The public key as PEM. */
export function publicKeyPem(privateKey: KeyObject): string {
  return createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString();
}
