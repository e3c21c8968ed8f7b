/** The `identity` file, which tsh, tctl, Terraform and Teleport's API clients read. */
import type { CertAuthority } from '../certs/authorities.ts';
import type { Identity } from '../certs/identity.ts';
import { privateKeyPem } from '../crypto/keys.ts';
import { certAuthorityLine } from './known-hosts.ts';

/** Private key, SSH certificate, TLS certificate, SSH host authorities, TLS host authorities: readers count on the order. */
export function identityFile(identity: Identity, hostAuthorities: readonly CertAuthority[]): string {
  return [
    privateKeyPem(identity.keyPair).reveal(),
    identity.sshCertificateLine,
    identity.tlsCertificatePem,
    ...hostAuthorities.flatMap(({ clusterName, sshPublicKeys }) =>
      sshPublicKeys.map((key) => certAuthorityLine([clusterName, `*.${clusterName}`], key)),
    ),
    ...hostAuthorities.flatMap(({ tlsCertificatesPem }) => tlsCertificatesPem),
  ]
    .map((part) => (part.endsWith('\n') ? part : `${part}\n`))
    .join('');
}
