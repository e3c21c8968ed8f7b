/** The web certificates of the cluster: their authority, and the OIDC issuer's key. */
import type { KeyObject } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SecureContextOptions } from 'node:tls';
import { CLUSTER_NAME } from '../data/data.ts';
import { createKey, keyPem, publicKeyDer, readPrivateKey } from '../crypto/keys.ts';
import { signCertificate } from '../crypto/leaf-certificate.ts';
import { encodeName, OID } from '../crypto/subject-name.ts';
import { SERVER_HOST } from './mint.ts';
import { certificatePem, createTlsAuthority, readTlsAuthority, type TlsAuthority } from '../crypto/x509.ts';

const YEAR_MS = 365 * 24 * 60 * 60 * 1000;

export interface WebAuthority {
  readonly certificatePath: string;
  readonly certificatePem: string;
  /** For `localhost`, 127.0.0.1 and the public addresses of applications. */
  readonly tls: SecureContextOptions;
}

/** Private, because the directory contains private keys. */
export function prepareDirectory(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
}

/** @param names hosts of the Proxy's public addresses besides `localhost` */
export function loadWebAuthority(directory: string, names: readonly string[] = []): Promise<WebAuthority> {
  return loadAuthority(directory, 'web', [`*.${CLUSTER_NAME}`, ...names]);
}

/** The private authority of the CircleCI Server, and its certificate. */
export function loadServerAuthority(directory: string): Promise<WebAuthority> {
  return loadAuthority(directory, 'circleci-server', [SERVER_HOST]);
}

async function loadAuthority(directory: string, name: string, names: readonly string[]): Promise<WebAuthority> {
  const certificatePath = join(directory, `${name}-ca.pem`);
  const authorityKey = await loadKey(join(directory, `${name}-ca-key.pem`), 'ec');
  const authority = readOrCreateAuthority(certificatePath, `Embedded cluster ${name} CA`, authorityKey);
  const key = await createKey('ec');
  const certificate = signCertificate(authority, {
    subject: encodeName([{ oid: OID.commonName, values: ['localhost'] }]),
    publicKey: publicKeyDer(key),
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + YEAR_MS),
    dnsNames: ['localhost', ...names],
    ipAddresses: ['127.0.0.1', '::1'],
  });
  return {
    certificatePath,
    certificatePem: certificatePem(authority.certificate),
    tls: { key: keyPem(key), cert: certificatePem(certificate) },
  };
}

/** The keys of the CircleCI Server, for `static_jwks`. */
export function writeServerJwks(directory: string, jwks: string): string {
  const path = join(directory, 'circleci-server-jwks.json');
  writeFileSync(path, jwks, { mode: 0o600 });
  return path;
}

/** The key that signs OIDC tokens. */
export function loadIssuerKey(directory: string): Promise<KeyObject> {
  return loadKey(join(directory, 'issuer-key.pem'), 'rsa');
}

async function loadKey(path: string, kind: 'ec' | 'rsa'): Promise<KeyObject> {
  if (existsSync(path)) {
    return readPrivateKey(readFileSync(path, 'utf8'));
  }
  const key = await createKey(kind);
  writeFileSync(path, keyPem(key), { mode: 0o600 });
  return key;
}

function readOrCreateAuthority(path: string, commonName: string, privateKey: KeyObject): TlsAuthority {
  if (existsSync(path)) {
    return readTlsAuthority(readFileSync(path, 'utf8'), privateKey);
  }
  const name = encodeName([{ oid: OID.commonName, values: [commonName] }]);
  const authority = createTlsAuthority(name, publicKeyDer(privateKey), privateKey);
  writeFileSync(path, certificatePem(authority.certificate), { mode: 0o600 });
  return authority;
}
