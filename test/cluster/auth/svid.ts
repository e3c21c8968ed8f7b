/** Signs SPIFFE documents with the cluster's SPIFFE authority. */
import { randomBytes } from 'node:crypto';
import { SignJWT } from 'jose';
import { signCertificate } from '../crypto/leaf-certificate.ts';
import { parseTlsDer } from './public-keys.ts';
import { encodeName, OID } from '../crypto/subject-name.ts';
import { ownAuthority, type World } from '../world.ts';

export interface Workload {
  /** Begins with a slash. */
  readonly path: string;
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
}

export const SPIFFE_KEY_ID = 'embedded-spiffe';

const CLOCK_SKEW_MS = 60_000;
const JTI_BYTES = 16;

export function spiffeIdOf({ clusterName }: Pick<World, 'clusterName'>, path: string): string {
  return `spiffe://${clusterName}${path}`;
}

/** DER. The first DNS name is also the common name, for readers that only support that. */
export function signX509Svid(
  world: World,
  workload: Workload,
  wish: { readonly publicKey: Buffer; readonly notAfter: Date },
): Buffer {
  const { path, dnsNames, ipAddresses } = workload;
  return signCertificate(ownAuthority(world, 'spiffe').tls, {
    subject: encodeName([{ oid: OID.commonName, values: dnsNames.slice(0, 1) }]),
    publicKey: parseTlsDer(wish.publicKey).export({ type: 'spki', format: 'der' }),
    notBefore: new Date(Date.now() - CLOCK_SKEW_MS),
    notAfter: wish.notAfter,
    uris: [spiffeIdOf(world, path)],
    dnsNames,
    ipAddresses,
  });
}

export async function signJwtSvid(
  world: World,
  path: string,
  wish: { readonly audiences: readonly string[]; readonly notAfter: Date },
): Promise<{ readonly jwt: string; readonly jti: string }> {
  const { jwtKey } = ownAuthority(world, 'spiffe');
  if (jwtKey === undefined) {
    throw new Error('the authority of workloads has no key for JWTs');
  }
  const jti = randomBytes(JTI_BYTES).toString('hex');
  const jwt = await new SignJWT()
    .setProtectedHeader({ alg: 'RS256', kid: SPIFFE_KEY_ID, typ: 'JWT' })
    .setIssuer(`https://${world.clusterName}/workload-identity`)
    .setSubject(spiffeIdOf(world, path))
    .setAudience([...wish.audiences])
    .setJti(jti)
    .setIssuedAt()
    .setExpirationTime(Math.floor(wish.notAfter.getTime() / 1000))
    .sign(jwtKey);
  return { jwt, jti };
}
