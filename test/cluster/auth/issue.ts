/** Issues the SSH and the X.509 certificate of an identity. */
import { authorityOf } from '../data/authorities.ts';
import { spoil } from './certificate-faults.ts';
import type { CertificateFault } from '../faults.ts';
import { toSshExtensions, toSubject, type Identity } from '../data/identity.ts';
import { signCertificate } from '../crypto/leaf-certificate.ts';
import type { PublicKeys } from './public-keys.ts';
import { signSshCertificate } from '../crypto/ssh-certificate.ts';
import type { World } from '../world.ts';

export interface IssueRequest {
  readonly cluster: string;
  readonly identity: Identity;
  readonly keys: PublicKeys;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Whether the SSH certificate never expires. */
  readonly sshForever?: boolean;
}

export interface IssuedCertificates {
  /** Wire form. */
  readonly ssh: Buffer | undefined;
  /** DER. */
  readonly tls: Buffer | undefined;
}

const CLOCK_SKEW_MS = 60_000;

export async function issue(
  world: World,
  wanted: { readonly identity: Identity; readonly keys: PublicKeys; readonly notAfter: Date },
  fault: CertificateFault | undefined,
): Promise<IssuedCertificates> {
  const now = Date.now();
  const notAfter = new Date(Math.min(wanted.notAfter.getTime(), now + (world.faults.maxTtlMs ?? Infinity)));
  const request = { ...wanted, notAfter, cluster: world.clusterName, notBefore: new Date(now - CLOCK_SKEW_MS) };
  const { identity, keys, ...rest } = await spoil(request, fault);
  const authority = authorityOf(world.authorities, rest.cluster, 'user');
  return {
    ssh:
      keys.ssh &&
      authority.sshKey &&
      signSshCertificate(
        {
          kind: 'user',
          publicKey: keys.ssh,
          keyId: identity.userName,
          principals: identity.principals,
          extensions: toSshExtensions(identity),
          ...rest,
        },
        authority.sshKey,
      ),
    tls:
      keys.tls &&
      signCertificate(authority.tls, {
        subject: toSubject(identity, rest.cluster),
        publicKey: keys.tls.export({ type: 'spki', format: 'der' }),
        ...rest,
      }),
  };
}
