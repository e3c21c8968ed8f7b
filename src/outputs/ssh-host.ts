/** The files of an `ssh_host` output, for sshd's HostKey, HostCertificate and TrustedUserCAKeys. */
import type { CertAuthority } from '../certs/authorities.ts';
import type { KeyPair } from '../crypto/keys.ts';
import { openSshPrivateKey } from '../crypto/openssh-private-key.ts';
import { WRITE_TEST } from './key-files.ts';
import type { OutputFile } from './output-file.ts';

export interface SshHostFilesInput {
  readonly keyPair: KeyPair;
  /** `<type> <base64>`, without a line break. */
  readonly certificateLine: string;
  /** Of the cluster that was joined: whose users the host lets in. */
  readonly userAuthorities: readonly CertAuthority[];
}

/** In the order in which tbot writes them. */
export function sshHostFiles({ keyPair, certificateLine, userAuthorities }: SshHostFilesInput): readonly OutputFile[] {
  return [
    { name: 'ssh_host-cert.pub', contents: `${certificateLine}\n` },
    { name: 'ssh_host', contents: openSshPrivateKey(keyPair).reveal() },
    { name: 'ssh_host-user-ca.pub', contents: userAuthorities.flatMap(authorityLines).join('') },
    WRITE_TEST,
  ];
}

/** As `tctl auth export --type=user` prints them, without the `cert-authority` that TrustedUserCAKeys does not take. */
function authorityLines({ clusterName, sshPublicKeys }: CertAuthority): string[] {
  return sshPublicKeys.map((key) => `${key} clustername=${clusterName}&type=user\n`);
}
