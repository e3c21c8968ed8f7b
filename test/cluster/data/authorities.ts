/** The certificate authorities of the cluster and of its leaf clusters, kept in the cluster's directory. */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { createKey, keyPem, publicKeyDer } from '../crypto/keys.ts';
import type { Profile } from './profiles.ts';
import { encodeName, OID } from '../crypto/subject-name.ts';
import { certificatePem, createTlsAuthority, readTlsAuthority, type TlsAuthority } from '../crypto/x509.ts';

type KeyKind = 'rsa' | 'ec' | 'ed25519';

/** What an authority signs, each with the key of the suite `balanced-v1` (lib/cryptosuites); in `legacy` all are RSA. */
interface Sides {
  readonly tls?: KeyKind;
  readonly ssh?: KeyKind;
  readonly jwt?: KeyKind;
}

/** `db` signs servers and `db_client` the agents that log in to them, `openssh` users for hosts without an agent. */
const SIDES = {
  host: { tls: 'ec', ssh: 'ed25519' },
  user: { tls: 'ec', ssh: 'ed25519' },
  db: { tls: 'rsa' },
  db_client: { tls: 'rsa' },
  openssh: { ssh: 'ed25519' },
  jwt: { jwt: 'ec' },
  spiffe: { tls: 'ec', jwt: 'rsa' },
} as const satisfies Readonly<Record<string, Sides>>;

/** Those that sign nothing here, and the versions that they came with (`CertAuthTypes` of api/types/trust.go). */
const IDLE: Readonly<Record<string, Sides & { readonly sinceMajor: number }>> = {
  saml_idp: { tls: 'rsa', sinceMajor: 12 },
  oidc_idp: { jwt: 'rsa', sinceMajor: 12 },
  okta: { jwt: 'ec', sinceMajor: 16 },
  awsra: { tls: 'ec', sinceMajor: 18 },
  bound_keypair: { jwt: 'ed25519', sinceMajor: 18 },
};

export type AuthorityType = keyof typeof SIDES;

const AUTHORITY_TYPES = [
  'host',
  'user',
  'db',
  'db_client',
  'openssh',
  'jwt',
  'spiffe',
] as const satisfies AuthorityType[];

/** What a cluster shows of its leaf clusters. */
const SHARED_TYPES: readonly AuthorityType[] = ['host', 'user', 'db'];

export interface Authority {
  readonly cluster: string;
  readonly type: string;
  /** Also of those that sign nothing for TLS, which do not show it. */
  readonly tls: TlsAuthority;
  readonly showsTls: boolean;
  readonly sshKey: KeyObject | undefined;
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
 * Those of an earlier start in the same directory, so that what it issued stays valid; new ones for what is missing.
 * The leaf clusters are taken to be newer than v16 whatever this cluster is, so their keys are of `balanced-v1`.
 */
export async function loadAuthorities(
  directory: string,
  clusters: { readonly own: string; readonly leaves: readonly string[] },
  suite: Profile['suite'],
): Promise<Authority[]> {
  const file = join(directory, `authorities-${suite}.json`);
  const stored = readStored(file);
  if (stored.length > 0) {
    authorityOf(stored, clusters.own, 'host'); // the directory of another cluster cannot serve this one
  }
  const wanted = [
    ...AUTHORITY_TYPES.map((type) => ({ cluster: clusters.own, type, suite })),
    ...SHARED_TYPES.flatMap((type) =>
      clusters.leaves.map((cluster) => ({ cluster, type, suite: 'balanced-v1' as const })),
    ),
  ];
  const missing = wanted.filter(
    ({ cluster, type }) => !stored.some((one) => one.cluster === cluster && one.type === type),
  );
  if (missing.length === 0) {
    return stored;
  }
  const created = await Promise.all(
    missing.map(({ cluster, type, suite: ofSuite }) => createAuthority(cluster, type, SIDES[type], ofSuite)),
  );
  const all = [...stored, ...created];
  writeFileSync(file, JSON.stringify(all.map(toStored)), { mode: 0o600 });
  return all;
}

/** An authority that signs nothing here, made when it is first asked for; undefined for a type that the version does not have. */
export function idleAuthority(
  cluster: string,
  type: string,
  { major, suite }: Profile,
): Promise<Authority> | undefined {
  const sides = Object.hasOwn(IDLE, type) ? IDLE[type] : undefined;
  return sides === undefined || major < sides.sinceMajor ? undefined : createAuthority(cluster, type, sides, suite);
}

/** @throws Error when the cluster does not have the authority, which would be a mistake in this program */
export function authorityOf(authorities: readonly Authority[], cluster: string, type: AuthorityType): Authority {
  const found = authorities.find((authority) => authority.cluster === cluster && authority.type === type);
  if (found === undefined) {
    throw new Error(`no ${type} authority of ${cluster}`);
  }
  return found;
}

async function createAuthority(
  cluster: string,
  type: string,
  sides: Sides,
  suite: Profile['suite'],
): Promise<Authority> {
  const keyOf = (kind: KeyKind | undefined): Promise<KeyObject> | undefined =>
    kind && createKey(suite === 'legacy' ? 'rsa' : kind);
  const [tlsKey, sshKey, jwtKey] = await Promise.all([
    keyOf(sides.tls) ?? createKey('ec'),
    keyOf(sides.ssh),
    keyOf(sides.jwt),
  ]);
  const subject = encodeName([
    { oid: OID.organization, values: [cluster] },
    { oid: OID.commonName, values: [cluster] },
  ]);
  const tls = await createTlsAuthority(subject, publicKeyDer(tlsKey), tlsKey);
  return { cluster, type, tls, showsTls: sides.tls !== undefined, sshKey, jwtKey };
}

function readStored(file: string): Authority[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return []; // the first start in this directory
  }
  return z.array(StoredAuthority).parse(JSON.parse(text)).map(fromStored);
}

function toStored(authority: Authority): Omit<z.infer<typeof StoredAuthority>, 'type'> & { readonly type: string } {
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
    showsTls: 'tls' in SIDES[stored.type],
    tls: readTlsAuthority(stored.tlsCertificate, createPrivateKey(stored.tlsKey)),
    sshKey: stored.sshKey === undefined ? undefined : createPrivateKey(stored.sshKey),
    jwtKey: stored.jwtKey === undefined ? undefined : createPrivateKey(stored.jwtKey),
  };
}
