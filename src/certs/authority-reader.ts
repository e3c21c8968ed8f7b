/** Reads a certificate authority from the server's message. */
import { MachineIdError } from '../errors.ts';
import { formatAuthorizedKey, parseAuthorizedKey } from '../crypto/ssh-public-key.ts';
import { readCertificate, splitCertificates } from '../crypto/x509.ts';
import { isClusterName } from '../teleport/cluster-name.ts';
import type { CAKeySet, CertAuthorityV2 } from '../teleport/gen/teleport/legacy/types_pb.ts';
import type { CertAuthority } from './authorities.ts';

/**
 * During a rotation both the active and the additional keys are trusted, active first.
 * @throws MachineIdError REPLY_INVALID
 */
export function readAuthority({ spec }: CertAuthorityV2): CertAuthority {
  if (spec === undefined || !isClusterName(spec.clusterName)) {
    throw new MachineIdError(
      'REPLY_INVALID',
      'the cluster sent a certificate authority without a usable cluster name',
      {
        hint: 'Run the job again; if it stays, look at the authorities with "tctl get cert_authorities".',
      },
    );
  }
  const keySets = [spec.activeKeys, spec.additionalTrustedKeys].filter((keys) => keys !== undefined);
  return {
    clusterName: spec.clusterName,
    tlsCertificatesPem: keySets.flatMap(tlsCertificates),
    sshPublicKeys: keySets.flatMap(sshKeys),
  };
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
