/** Reads a certificate authority from the server's message. */
import { MachineIdError } from '../errors.ts';
import { formatAuthorizedKey, parseAuthorizedKey } from '../crypto/ssh-public-key.ts';
import { readCertificate, splitCertificates } from '../crypto/x509.ts';
import { isClusterName } from '../teleport/cluster-name.ts';
import type { CAKeySet, CertAuthorityV2 } from '../teleport/gen/teleport/legacy/types_pb.ts';
import type { CertAuthority } from './authorities.ts';

/**
 * A leaf cluster's authority that cannot be used is left out: it must not fail the jobs of its root cluster.
 * @param own the cluster that was joined, whose authorities must be usable
 * @param onSkipped called with the name of each leaf that is left out, as it came, and the reason
 * @throws MachineIdError REPLY_INVALID
 */
export function readAuthorities(
  messages: readonly CertAuthorityV2[],
  own: string,
  onSkipped: (leaf: string, reason: string) => void,
): readonly CertAuthority[] {
  const authorities = messages.flatMap((message) => {
    const name = message.spec?.clusterName ?? '';
    try {
      return [readAuthority(message, name)];
    } catch (error) {
      if (name === own || !(error instanceof MachineIdError)) throw error;
      onSkipped(name, error.message);
      return [];
    }
  });
  if (authorities.some(({ clusterName }) => clusterName === own)) return authorities;
  throw new MachineIdError('REPLY_INVALID', `the cluster sent no certificate authority of "${own}" itself`, {
    hint: 'Run the job again; if it happens again, inspect the authorities with "tctl get cert_authorities".',
  });
}

/** During a rotation both the active and the additional keys are trusted, active first. */
function readAuthority({ spec }: CertAuthorityV2, clusterName: string): CertAuthority {
  if (spec === undefined || !isClusterName(clusterName)) {
    throw new MachineIdError('REPLY_INVALID', 'its certificate authority has no usable cluster name', {
      hint: 'Inspect the authorities with "tctl get cert_authorities".',
    });
  }
  const keySets = [spec.activeKeys, spec.additionalTrustedKeys].filter((keys) => keys !== undefined);
  return { clusterName, tlsCertificatesPem: keySets.flatMap(tlsCertificates), sshPublicKeys: keySets.flatMap(sshKeys) };
}

function tlsCertificates({ tls }: CAKeySet): string[] {
  return tls
    .flatMap(({ cert }) => splitCertificates(Buffer.from(cert).toString('utf8')))
    .map((pem) => readCertificate(pem).pem);
}

/** The comment, if there is one, is left out: these lines go into files of other programs. */
function sshKeys({ ssh }: CAKeySet): string[] {
  return ssh.map(({ publicKey }) =>
    formatAuthorizedKey(parseAuthorizedKey(Buffer.from(publicKey).toString('utf8').trim())),
  );
}
