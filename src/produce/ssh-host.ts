/** Produces an `ssh_host` output: a key and a host certificate for sshd, and whose users it lets in. */
import { issueHostCertificate } from '../certs/host-certificate.ts';
import type { Supported } from '../config/supported.ts';
import { generateKeyPair } from '../crypto/keys.ts';
import { sshHostFiles } from '../outputs/ssh-host.ts';
import { hostKeyAlgorithm } from '../teleport/suite.ts';
import { withOwnSession } from './own-session.ts';
import { placeOf } from './place.ts';
import type { WrittenOutput } from './result.ts';
import { finishOutput, type OutputWork } from './work.ts';

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
  return finishOutput(output, work, { issued, place: placeOf(output.destination, run), files });
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
