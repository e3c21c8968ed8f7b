/** The files of a key and its certificates, which every identity on disk has. */
import type { CertAuthority } from '../certs/authorities.ts';
import type { Identity } from '../certs/identity.ts';
import { privateKeyPem } from '../crypto/keys.ts';
import { formatAuthorizedKey, sshPublicKey } from '../crypto/ssh-public-key.ts';
import type { OutputFile } from './output-file.ts';

/** Empty; proves to those who look that the directory can be written. */
export const WRITE_TEST: OutputFile = { name: '.write-test', contents: '' };

/** Whether people are shown a file of that name. */
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
