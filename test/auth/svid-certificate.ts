/** X.509 SVIDs, good and bad, by an authority of one's own. */
import 'reflect-metadata';
import { createPublicKey, KeyObject, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

export interface SvidFields {
  readonly uris: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly notBefore: Date;
  readonly notAfter: Date;
}

export interface Signer {
  readonly pem: string;
  readonly certificate: x509.X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
}

export async function makeSigner(name: string): Promise<Signer> {
  const keys = await makeKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({ name: `O=${name}`, keys });
  return { pem: `${certificate.toString('pem')}\n`, certificate, keys };
}

/** DER of the certificate, with the key that it certifies. */
export async function makeSvid(
  signer: Signer,
  { uris, dnsNames = [], notBefore, notAfter }: SvidFields,
): Promise<{ readonly der: Buffer; readonly publicKey: KeyObject; readonly privateKeyPem: string }> {
  const keys = await makeKeys();
  const names = [
    ...uris.map((value) => ({ type: 'url' as const, value })),
    ...dnsNames.map((value) => ({ type: 'dns' as const, value })),
  ];
  const made = await x509.X509CertificateGenerator.create({
    issuer: signer.certificate.subjectName,
    subject: '',
    publicKey: keys.publicKey,
    signingKey: signer.keys.privateKey,
    signingAlgorithm: ECDSA,
    notBefore,
    notAfter,
    extensions: names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names, true)],
  });
  const spki = Buffer.from(made.publicKey.rawData);
  return {
    der: Buffer.from(made.rawData),
    publicKey: createPublicKey({ key: spki, format: 'der', type: 'spki' }),
    privateKeyPem: KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

async function makeKeys(): Promise<webcrypto.CryptoKeyPair> {
  const keys = await webcrypto.subtle.generateKey(ECDSA, true, ['sign', 'verify']);
  if (!('privateKey' in keys)) throw new Error('no pair of keys');
  return keys;
}
