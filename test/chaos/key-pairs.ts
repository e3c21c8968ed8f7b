/** Whether the keys and certificates among files belong together: those of two runs do not. */
import { createPrivateKey, createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { ByteReader } from '../cluster/crypto/byte-reader.ts';
import { readSshCertificate } from '../cluster/crypto/ssh-certificate.ts';
import { decodeSshPublicKey } from '../cluster/crypto/ssh-public-key.ts';

const PRIVATE_KEY = /-----BEGIN (OPENSSH |RSA |EC |)PRIVATE KEY-----[^-]+-----END \1PRIVATE KEY-----/g;
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const SSH_CERTIFICATE = /^\S+-cert-v01@openssh\.com (\S+)/gm;
/** In a kubeconfig. */
const BASE64_DATA = /-data: (\S+)$/gm;

export interface KeyFacts {
  /** What does not belong together, or cannot be read; empty if all is well. */
  readonly problems: readonly string[];
  /** Lines of private keys, to search for in what was printed. */
  readonly secrets: readonly string[];
}

/** Shorter lines may be the same in every key. */
const SECRET_LENGTH = 40;

export function keyFactsOf(files: ReadonlyMap<string, string>): KeyFacts {
  const problems: string[] = [];
  const keys = new Map<string, string>();
  const secrets = new Set<string>();
  const certificates: { readonly name: string; readonly key: string }[] = [];
  for (const [name, text] of files) {
    try {
      for (const part of [text, ...embeddedIn(text)]) {
        for (const [pem] of part.matchAll(PRIVATE_KEY)) {
          keys.set(keyOf(pem), name);
          for (const line of pem.split('\n').slice(1, -1)) if (line.length >= SECRET_LENGTH) secrets.add(line);
        }
        certificates.push(...leafKeysIn(part).map((key) => ({ name, key })));
      }
    } catch (error) {
      problems.push(`${name} cannot be read: ${String(error)}`);
    }
  }
  const strange = certificates.filter(({ key }) => !keys.has(key));
  problems.push(...strange.map(({ name }) => `${name} has a certificate for a key that no file has`));
  const used = new Set(certificates.map(({ key }) => key));
  for (const [key, name] of keys) if (!used.has(key)) problems.push(`${name} has a key without a certificate`);
  return { problems, secrets: [...secrets] };
}

function embeddedIn(text: string): readonly string[] {
  return [...text.matchAll(BASE64_DATA)].map(([, data = '']) => Buffer.from(data, 'base64').toString('latin1'));
}

/** Of certificates that are not an authority's. */
function leafKeysIn(text: string): readonly string[] {
  const ofX509 = [...text.matchAll(CERTIFICATE)]
    .map(([pem]) => new X509Certificate(pem))
    .filter(({ ca }) => !ca)
    .map(({ publicKey }) => fingerprint(publicKey));
  const ofSsh = [...text.matchAll(SSH_CERTIFICATE)].map(([, data = '']) =>
    fingerprint(readSshCertificate(Buffer.from(data, 'base64')).publicKey),
  );
  return [...ofX509, ...ofSsh];
}

const known = new Map<string, string>();

/** The fingerprint; reading an RSA key takes 10 ms, and most are there several times. */
function keyOf(pem: string): string {
  const key = known.get(pem) ?? fingerprint(publicKeyOf(pem));
  known.set(pem, key);
  return key;
}

function publicKeyOf(pem: string): KeyObject {
  if (!pem.includes('OPENSSH')) return createPublicKey(createPrivateKey(pem));
  const reader = new ByteReader(Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64'));
  reader.take('openssh-key-v1\0'.length);
  // Cipher, KDF, its options, and the number of keys.
  for (let skipped = 0; skipped < 3; skipped += 1) reader.vector(4);
  reader.uint(4);
  return decodeSshPublicKey(reader.vector(4));
}

function fingerprint(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'der' }).toString('base64');
}
