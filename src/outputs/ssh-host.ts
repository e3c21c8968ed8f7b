/** Produces an `ssh_host` output: a key and a host certificate for sshd, and whose users it lets in. */
import type { CertAuthority } from '../auth/auth-api.ts';
import { issueHostCertificate } from '../auth/host-certificate.ts';
import { generateKeyPair, type KeyPair, openSshPrivateKey } from '../crypto/keys.ts';
import type { OutputFile } from '../files/destination.ts';
import { hostKeyAlgorithm } from '../teleport/suite.ts';
import { WRITE_TEST } from './identity-files.ts';
import type { WrittenOutput } from './journal.ts';
import type { Supported } from './output.ts';
import { finishOutput, outputLocation, type OutputWork, withOwnSession } from './work.ts';

type SshHost = Supported<'ssh_host'>;

/** @throws MachineIdError as asking, checking and writing do */
export async function produceSshHost(output: SshHost, work: OutputWork): Promise<WrittenOutput> {
  const { run, joined } = work;
  const keys = generateKeyPair(hostKeyAlgorithm(joined.cluster.suite));
  const [keyPair, { certificate, roles }, users] = await Promise.all([
    keys,
    certify(output, work, keys),
    userAuthorities(output, work),
  ]);
  const { line: certificateLine, expiresAtMs, notices } = certificate;
  run.progress.done('certificates', `host certificate for ${output.path}: ${output.principals.join(', ')}`);
  const files = sshHostFiles({
    keyPair,
    certificateLine,
    userAuthorities: users.filter(({ clusterName }) => clusterName === joined.bot.clusterName),
  });
  const issued = { identity: { roles, expiresAtMs }, notices };
  return finishOutput(output, work, { issued, location: outputLocation(output.destination, run), files });
}

async function certify(output: SshHost, work: OutputWork, keys: ReturnType<typeof generateKeyPair>) {
  const { principals, ttlMs } = output;
  const { clusterName } = work.joined.bot;
  return withOwnSession(output, work, async ({ api, issued }) => {
    const [{ publicKey }, { host: hostAuthorities }] = await Promise.all([keys, work.session.authorities]);
    const certificate = await issueHostCertificate(
      api,
      { publicKey, principals, clusterName, ttlMs },
      { hostAuthorities, clock: work.run.world.clock },
    );
    return { certificate, roles: issued.identity.roles };
  });
}

/** `openssh` is the authority under which Teleport users reach hosts that run no agent of Teleport. */
async function userAuthorities({ caType }: SshHost, { session }: OutputWork) {
  return caType === 'openssh' ? session.api.certAuthorities('openssh') : (await session.authorities).user;
}

// The files of an `ssh_host` output, for sshd's HostKey, HostCertificate and TrustedUserCAKeys.

interface SshHostFilesInput {
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
