/** The certificate authorities of the cluster and of its leaf clusters, kept in the cluster's directory. */
import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import './reflect-metadata.ts';
import * as x509 from '@peculiar/x509';
import { z } from 'zod';
import type { Profile } from './profiles.ts';
import { encodeName, OID } from './subject-name.ts';
import { certificatePem, createTlsAuthority, type TlsAuthority } from './x509.ts';

const AUTHORITY_TYPES = ['host', 'user', 'db'] as const;

export type AuthorityType = (typeof AUTHORITY_TYPES)[number];

export interface Authority {
  readonly cluster: string;
  readonly type: AuthorityType;
  readonly tls: TlsAuthority;
  /** The database authority has no SSH side. */
  readonly sshKey: KeyObject | undefined;
}

const StoredAuthority = z.object({
  cluster: z.string(),
  type: z.enum(AUTHORITY_TYPES),
  tlsCertificate: z.string(),
  tlsKey: z.string(),
  sshKey: z.string().optional(),
});

const generate = promisify(generateKeyPair);

export function isAuthorityType(text: string): text is AuthorityType {
  return AUTHORITY_TYPES.some((type) => type === text);
}

/** Those of an earlier start in the same directory, so that what it issued stays valid; else new ones. */
export async function loadAuthorities(
  directory: string,
  clusters: readonly string[],
  suite: Profile['suite'],
): Promise<Authority[]> {
  const file = join(directory, `authorities-${suite}.json`);
  const stored = readStored(file);
  if (stored !== undefined) {
    return stored;
  }
  const created = await Promise.all(
    clusters.flatMap((cluster) => AUTHORITY_TYPES.map((type) => createAuthority(cluster, type, suite))),
  );
  writeFileSync(file, JSON.stringify(created.map(toStored)), { mode: 0o600 });
  return created;
}

/** @throws Error when the cluster does not have the authority, which would be a mistake in this program */
export function authorityOf(authorities: readonly Authority[], cluster: string, type: AuthorityType): Authority {
  const found = authorities.find((authority) => authority.cluster === cluster && authority.type === type);
  if (found === undefined) {
    throw new Error(`no ${type} authority of ${cluster}`);
  }
  return found;
}

export async function createKey(kind: 'rsa' | 'ec' | 'ed25519'): Promise<KeyObject> {
  switch (kind) {
    case 'rsa':
      return (await generate('rsa', { modulusLength: 2048 })).privateKey;
    case 'ec':
      return (await generate('ec', { namedCurve: 'P-256' })).privateKey;
    case 'ed25519':
      return (await generate('ed25519')).privateKey;
  }
}

/** SubjectPublicKeyInfo DER of the key's public half. */
export function publicKeyDer(privateKey: KeyObject): Buffer {
  return createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
}

/** `balanced-v1` signs SSH with Ed25519 and TLS with ECDSA, but for databases, which get RSA in every suite. */
async function createAuthority(cluster: string, type: AuthorityType, suite: Profile['suite']): Promise<Authority> {
  const legacy = suite === 'legacy';
  const [tlsKey, sshKey] = await Promise.all([
    createKey(legacy || type === 'db' ? 'rsa' : 'ec'),
    type === 'db' ? undefined : createKey(legacy ? 'rsa' : 'ed25519'),
  ]);
  const subject = encodeName([
    { oid: OID.organization, values: [cluster] },
    { oid: OID.commonName, values: [cluster] },
  ]);
  return { cluster, type, tls: await createTlsAuthority(subject, publicKeyDer(tlsKey), tlsKey), sshKey };
}

function readStored(file: string): Authority[] | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return undefined; // the first start in this directory
  }
  return z.array(StoredAuthority).parse(JSON.parse(text)).map(fromStored);
}

function toStored(authority: Authority): z.infer<typeof StoredAuthority> {
  return {
    cluster: authority.cluster,
    type: authority.type,
    tlsCertificate: certificatePem(authority.tls.certificate),
    tlsKey: keyPem(authority.tls.privateKey),
    sshKey: authority.sshKey && keyPem(authority.sshKey),
  };
}

function fromStored(stored: z.infer<typeof StoredAuthority>): Authority {
  return {
    cluster: stored.cluster,
    type: stored.type,
    tls: {
      certificate: new x509.X509Certificate(stored.tlsCertificate),
      privateKey: createPrivateKey(stored.tlsKey),
    },
    sshKey: stored.sshKey === undefined ? undefined : createPrivateKey(stored.sshKey),
  };
}

export function keyPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}
