/** The files that every output with a Teleport identity has. */
import type { Authorities, CertAuthority } from '../auth/auth-api.ts';
import type { Identity } from '../auth/issue.ts';
import { privateKeyPem } from '../crypto/keys.ts';
import { formatAuthorizedKey, sshPublicKey } from '../crypto/ssh-public-key.ts';
import type { OutputFile } from '../files/destination.ts';
import { certAuthorityLine } from './ssh-config.ts';

export interface BaseFilesInput {
  readonly identity: Identity;
  readonly authorities: Authorities;
}

/** The identity as one file, then its parts. */
export function identityAndKeyFiles({ identity, authorities }: BaseFilesInput): OutputFile[] {
  return [{ name: 'identity', contents: identityFile(identity, authorities.host) }, ...keyFiles(identity)];
}

export function authorityFiles({ host, user, database }: Authorities): OutputFile[] {
  return [
    authorityFile('teleport-host-ca.crt', host),
    authorityFile('teleport-user-ca.crt', user),
    authorityFile('teleport-database-ca.crt', database),
  ];
}

/** Under the names that many programs expect. The authorities are those that sign the certificate of the Proxy. */
export function specificTlsFiles({ identity, authorities }: BaseFilesInput): OutputFile[] {
  return [
    { name: 'tls.crt', contents: identity.tlsCertificatePem },
    { name: 'tls.key', contents: privateKeyPem(identity.keyPair).reveal() },
    authorityFile('tls.cas', authorities.host),
  ];
}

/** Empty, as tbot writes it to test whether the directory is writable. */
export const WRITE_TEST: OutputFile = { name: '.write-test', contents: '' };

/** Whether the summary lists a file of that name. */
export function isListed(name: string): boolean {
  return name !== WRITE_TEST.name;
}

export function keyFiles({ keyPair, sshCertificateLine, tlsCertificatePem }: Identity): OutputFile[] {
  return [
    { name: 'key-cert.pub', contents: `${sshCertificateLine}\n` },
    { name: 'tlscert', contents: tlsCertificatePem },
    { name: 'key', contents: privateKeyPem(keyPair).reveal() },
    { name: 'key.pub', contents: `${formatAuthorizedKey(sshPublicKey(keyPair.publicKey))}\n` },
    WRITE_TEST,
  ];
}

/** All certificates of all clusters' authorities of one type. */
export function authorityFile(name: string, authorities: readonly CertAuthority[]): OutputFile {
  return { name, contents: authorities.flatMap(({ tlsCertificatesPem }) => tlsCertificatesPem).join('') };
}

/**
 * For tsh, tctl, Terraform and Teleport's API clients, which rely on the order: private key, SSH certificate, TLS
 * certificate, SSH host authorities, TLS host authorities.
 */
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
