/** The certificate authorities of the cluster and its leaf clusters, stored in the cluster's directory. */
import type { KeyObject } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { createKey, keyPem, publicKeyDer, readPrivateKey } from '../crypto/keys.ts';
import type { Profile } from './profiles.ts';
import { encodeSshPublicKey } from '../crypto/ssh-public-key.ts';
import { encodeName, OID } from '../crypto/subject-name.ts';
import { certificatePem, createTlsAuthority, readTlsAuthority, type TlsAuthority } from '../crypto/x509.ts';

type KeyKind = 'rsa' | 'ec' | 'ed25519';

/**
 * The purposes of authorities, each with the key type of the suite `balanced-v1` (lib/cryptosuites); in `legacy` all
 * are RSA.
 */
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

/** Authorities that sign nothing here, and the versions that introduced them (`CertAuthTypes` of api/types/trust.go). */
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

/** The authorities of leaf clusters that a cluster shows. */
const SHARED_TYPES: readonly AuthorityType[] = ['host', 'user', 'db'];

export interface AuthorityKeys {
  /** Also for those that sign nothing for TLS, which do not show it. */
  readonly tls: TlsAuthority;
  readonly sshKey: KeyObject | undefined;
  readonly jwtKey: KeyObject | undefined;
}

/** Its own keys are those that sign what is issued now. */
export interface Authority extends AuthorityKeys {
  readonly cluster: string;
  readonly type: string;
  readonly showsTls: boolean;
  /** Those that have signed the certificates of Auth and of the Proxy. */
  readonly servers: AuthorityKeys;
  readonly active: readonly AuthorityKeys[];
  /** Trusted as well, while a rotation is in progress. */
  readonly additional: readonly AuthorityKeys[];
}

/**
 * How far the host and user authorities have been rotated. Which keys are active and which are trusted besides is
 * Teleport's own test plan ("CA rotations"); which of them servers use, lib/service/connect.go.
 * - `init`: new keys are trusted, the old ones sign
 * - `update_clients`: the new ones sign, but Auth and Proxy still show certificates of the old ones
 * - `update_servers`: Auth and Proxy show certificates of the new ones
 * - `rollback`: as `init`
 * - `standby`: the rotation is over, and only the new keys are left
 */
export type RotationPhase = 'init' | 'update_clients' | 'update_servers' | 'rollback' | 'standby';

export interface KeyOptions {
  readonly rotation?: RotationPhase | undefined;
  /** Whether the user authority has an active key for each of two Auth servers, as with hardware security modules. */
  readonly hsm?: boolean | undefined;
}

/** Every certificate of an authority that clients are to trust, in PEM's order of `active_keys` first (GetTLSCerts). */
export function tlsCertificates({ active, additional }: Authority): readonly Buffer[] {
  return [...active, ...additional].map(({ tls }) => tls.certificate);
}

/** Every SSH key of an authority that clients are to trust, in wire form. */
export function sshKeys({ active, additional }: Authority): readonly Buffer[] {
  return [...active, ...additional].flatMap(({ sshKey }) => (sshKey === undefined ? [] : [encodeSshPublicKey(sshKey)]));
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
 * Loads the authorities of an earlier start in the same directory, so that what they issued stays valid, and creates
 * missing ones. Leaf clusters are assumed to be newer than v16, whatever this cluster is, so their keys are those of
 * `balanced-v1`.
 */
export async function loadAuthorities(
  directory: string,
  clusters: { readonly own: string; readonly leaves: readonly string[] },
  suite: Profile['suite'],
  { hsm = false, rotation }: KeyOptions = {},
): Promise<Authority[]> {
  const original = await loadOriginal(directory, clusters, suite);
  const others = (name: string, types: readonly AuthorityType[]): Promise<Authority[]> =>
    loadOrCreate(
      join(directory, `authorities-${suite}-${name}.json`),
      types.map((type) => ({ cluster: clusters.own, type, suite })),
    );
  const next = rotation === undefined ? [] : await others('next', ['host', 'user']);
  const second = hsm ? await others('second', ['user']) : [];
  return original.map((authority) => {
    const same = (one: Authority): boolean => one.cluster === authority.cluster && one.type === authority.type;
    return withSecond(rotated(authority, next.find(same), rotation), second.find(same));
  });
}

function rotated(old: Authority, next: Authority | undefined, phase: RotationPhase | undefined): Authority {
  if (next === undefined) {
    return old;
  }
  switch (phase) {
    case undefined:
      return old;
    case 'init':
    case 'rollback':
      return { ...old, additional: [next] };
    case 'update_clients':
      return { ...next, servers: old, additional: [old] };
    case 'update_servers':
      return { ...next, additional: [old] };
    case 'standby':
      return next;
  }
}

/** The second Auth server answers, so that its keys sign. */
function withSecond(first: Authority, second: Authority | undefined): Authority {
  return second === undefined ? first : { ...second, active: [...first.active, second], additional: first.additional };
}

async function loadOriginal(
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
  return loadOrCreate(file, wanted);
}

interface Wanted {
  readonly cluster: string;
  readonly type: AuthorityType;
  readonly suite: Profile['suite'];
}

async function loadOrCreate(file: string, wanted: readonly Wanted[]): Promise<Authority[]> {
  const stored = readStored(file);
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

/**
 * An authority that signs nothing here, created on the first request; undefined for a type that the version does not
 * have.
 */
export function idleAuthority(
  cluster: string,
  type: string,
  { major, suite }: Profile,
): Promise<Authority> | undefined {
  const sides = Object.hasOwn(IDLE, type) ? IDLE[type] : undefined;
  return sides === undefined || major < sides.sinceMajor ? undefined : createAuthority(cluster, type, sides, suite);
}

/** @throws Error if the cluster does not have the authority, which would be a bug in this program */
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
  const tls = createTlsAuthority(subject, publicKeyDer(tlsKey), tlsKey);
  return unrotated({ cluster, type, showsTls: sides.tls !== undefined }, { tls, sshKey, jwtKey });
}

function unrotated(what: Pick<Authority, 'cluster' | 'type' | 'showsTls'>, keys: AuthorityKeys): Authority {
  return { ...what, ...keys, servers: keys, active: [keys], additional: [] };
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
  const { cluster, type } = stored;
  return unrotated(
    { cluster, type, showsTls: 'tls' in SIDES[type] },
    {
      tls: readTlsAuthority(stored.tlsCertificate, readPrivateKey(stored.tlsKey)),
      sshKey: stored.sshKey === undefined ? undefined : readPrivateKey(stored.sshKey),
      jwtKey: stored.jwtKey === undefined ? undefined : readPrivateKey(stored.jwtKey),
    },
  );
}
