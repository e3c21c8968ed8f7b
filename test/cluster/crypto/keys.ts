/** Generates and encodes private keys. */
import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject, randomInt, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const generate = promisify(generateKeyPair);

/**
 * Takes RSA keys from those that test processes share in the folder named by `TEST_RSA_KEYS`: finding primes takes
 * longer than anything else in the cluster. A process that needs more gets the first ones again.
 */
const SHARED_KEYS = 32;
const firstShared = randomInt(SHARED_KEYS);
let taken = 0;

export async function createKey(kind: 'rsa' | 'ec' | 'ed25519'): Promise<KeyObject> {
  switch (kind) {
    case 'rsa':
      return rsaKey();
    case 'ec':
      return (await generate('ec', { namedCurve: 'P-256' })).privateKey;
    case 'ed25519':
      return (await generate('ed25519')).privateKey;
  }
}

async function rsaKey(): Promise<KeyObject> {
  taken += 1;
  return sharedRsaKey(`rsa-${(firstShared + taken) % SHARED_KEYS}`);
}

/** Of this process: reading one takes OpenSSL 10 ms. */
const known = new Map<string, Promise<KeyObject>>();

/** A key that all processes of a test run share by this name. */
export function sharedRsaKey(name: string): Promise<KeyObject> {
  const { TEST_RSA_KEYS: folder = '' } = process.env;
  if (folder === '') return freshRsaKey();
  const key = known.get(name) ?? storedRsaKey(folder, name);
  known.set(name, key);
  return key;
}

async function storedRsaKey(folder: string, name: string): Promise<KeyObject> {
  const path = join(folder, `${name}.pem`);
  try {
    return readPrivateKey(await readFile(path, 'utf8'));
  } catch {
    const key = await freshRsaKey();
    const temporary = `${path}.${randomUUID()}`;
    await mkdir(folder, { recursive: true });
    await writeFile(temporary, keyPem(key), { mode: 0o600 });
    await rename(temporary, path);
    return key;
  }
}

async function freshRsaKey(): Promise<KeyObject> {
  return (await generate('rsa', { modulusLength: 2048 })).privateKey;
}

const readKeys = new Map<string, KeyObject>();

/** From PEM. Kept, because clusters are often started with the same keys, and OpenSSL takes milliseconds for an RSA key. */
export function readPrivateKey(pem: string): KeyObject {
  const key = readKeys.get(pem) ?? createPrivateKey(pem);
  readKeys.set(pem, key);
  return key;
}

/** The public key as SubjectPublicKeyInfo DER. */
export function publicKeyDer(privateKey: KeyObject): Buffer {
  return createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
}

/** PKCS #8. */
export function keyPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** The public key as PEM. */
export function publicKeyPem(privateKey: KeyObject): string {
  return createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString();
}
