/** X.509 certificates with whatever names a test wants. */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

export const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
export const RSA = {
  name: 'RSASSA-PKCS1-v1_5',
  modulusLength: 2048,
  publicExponent: Uint8Array.of(1, 0, 1),
  hash: 'SHA-256',
};
export const ED25519 = { name: 'Ed25519' };

export type SigningAlgorithm = typeof ECDSA | typeof RSA | typeof ED25519;
export type Names = readonly (readonly [type: string, value: string])[];

export const NOT_BEFORE = new Date('2026-01-02T03:04:05Z');
export const NOT_AFTER = new Date('2049-12-31T23:59:59Z');

export interface Made {
  readonly pem: string;
  readonly der: Buffer;
  readonly keys: webcrypto.CryptoKeyPair;
}

export interface Signing {
  readonly algorithm?: SigningAlgorithm;
  /** The subject itself unless given. */
  readonly issuer?: Names;
  readonly authority?: Made & { readonly algorithm: SigningAlgorithm };
  readonly notAfter?: Date;
}

/** Signed by itself, or by the authority's key. */
export async function certificate(
  subject: Names,
  { algorithm = ECDSA, issuer = subject, authority, notAfter = NOT_AFTER }: Signing = {},
): Promise<Made> {
  const keys = await keyPair(algorithm);
  const made = await x509.X509CertificateGenerator.create({
    subject: name(subject),
    issuer: name(issuer),
    notBefore: NOT_BEFORE,
    notAfter,
    publicKey: keys.publicKey,
    signingKey: (authority?.keys ?? keys).privateKey,
    signingAlgorithm: authority?.algorithm ?? algorithm,
  });
  return { pem: `${made.toString('pem')}\n`, der: Buffer.from(made.rawData), keys };
}

async function keyPair(algorithm: SigningAlgorithm): Promise<webcrypto.CryptoKeyPair> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  if (!('privateKey' in keys)) throw new Error(`${algorithm.name} gives no pair`);
  return keys;
}

function name(values: Names): x509.Name {
  return new x509.Name(values.map(([type, value]) => ({ [type]: [{ utf8String: value }] })));
}
