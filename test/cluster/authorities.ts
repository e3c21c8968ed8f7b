/** The certificate authorities of the cluster and of its leaf clusters, kept in the cluster's directory. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { createKey, keyPem, publicKeyDer } from './keys.ts';
import type { Profile } from './profiles.ts';
import { encodeName, OID } from './subject-name.ts';
import { certificatePem, createTlsAuthority, readTlsAuthority, type TlsAuthority } from './x509.ts';

/** `openssh` signs users for hosts without an agent of Teleport, `spiffe` signs workloads. */
const AUTHORITY_TYPES = ['host', 'user', 'db', 'openssh', 'spiffe'] as const;

/** What a cluster shows of its leaf clusters. */
const SHARED_TYPES = ['host', 'user', 'db'] as const;

export type AuthorityType = (typeof AUTHORITY_TYPES)[number];

export interface Authority {
  readonly cluster: string;
  readonly type: AuthorityType;
  readonly tls: TlsAuthority;
  /** The authorities of databases and workloads have no SSH side. */
  readonly sshKey: KeyObject | undefined;
  /** Of the authority of workloads. */
  readonly jwtKey: KeyObject | undefined;
}

const StoredAuthority = z.object({
  cluster: z.string(),
  type: z.enum(AUTHORITY_TYPES),
  tlsCertificate: z.string(),
  tlsKey: z.string(),
  sshKey: z.string().optional(),
  jwtKey: z.string().optional(),
});

export function isAuthorityType(text: string): text is AuthorityType {
  return AUTHORITY_TYPES.some((type) => type === text);
}

/**
 * Those of an earlier start in the same directory, so that what it issued stays valid; else new ones.
 * The leaf clusters are taken to be newer than v16 whatever this cluster is, so their keys are of `balanced-v1`.
 */
export async function loadAuthorities(
  directory: string,
  clusters: { readonly own: string; readonly leaves: readonly string[] },
  suite: Profile['suite'],
): Promise<Authority[]> {
  const file = join(directory, `authorities-${suite}.json`);
  const stored = readStored(file);
  if (stored !== undefined) {
    authorityOf(stored, clusters.own, 'host'); // the directory of another cluster cannot serve this one
    return stored;
  }
  const created = await Promise.all([
    ...AUTHORITY_TYPES.map((type) => createAuthority(clusters.own, type, suite)),
    ...SHARED_TYPES.flatMap((type) => clusters.leaves.map((leaf) => createAuthority(leaf, type, 'balanced-v1'))),
  ]);
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

/** `balanced-v1` signs SSH with Ed25519 and TLS with ECDSA, but for databases, which get RSA in every suite. */
async function createAuthority(cluster: string, type: AuthorityType, suite: Profile['suite']): Promise<Authority> {
  const legacy = suite === 'legacy';
  const signsSsh = type !== 'db' && type !== 'spiffe';
  const [tlsKey, sshKey, jwtKey] = await Promise.all([
    createKey((legacy && type !== 'openssh') || type === 'db' ? 'rsa' : 'ec'),
    signsSsh ? createKey(legacy ? 'rsa' : 'ed25519') : undefined,
    type === 'spiffe' ? createKey('rsa') : undefined,
  ]);
  const subject = encodeName([
    { oid: OID.organization, values: [cluster] },
    { oid: OID.commonName, values: [cluster] },
  ]);
  return { cluster, type, tls: await createTlsAuthority(subject, publicKeyDer(tlsKey), tlsKey), sshKey, jwtKey };
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
    jwtKey: authority.jwtKey && keyPem(authority.jwtKey),
  };
}

function fromStored(stored: z.infer<typeof StoredAuthority>): Authority {
  return {
    cluster: stored.cluster,
    type: stored.type,
    tls: readTlsAuthority(stored.tlsCertificate, createPrivateKey(stored.tlsKey)),
    sshKey: stored.sshKey === undefined ? undefined : createPrivateKey(stored.sshKey),
    jwtKey: stored.jwtKey === undefined ? undefined : createPrivateKey(stored.jwtKey),
  };
}
