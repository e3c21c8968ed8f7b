/** The output type `ssh_host`: a key and a host certificate for sshd, and the authority of the users to allow. */
import * as z from 'zod/mini';
import type { CertAuthority } from '../auth/auth-api.ts';
import { issueHostCertificate } from '../auth/host-certificate.ts';
import { generateKeyPair, type KeyPair, openSshPrivateKey } from '../crypto/keys.ts';
import type { OutputFile } from '../files/destination.ts';
import { type Field, refuse, textList, word } from '../schema/fields.ts';
import { documentation, joined, key, keys, type ValuesOf } from '../schema/keys.ts';
import { hostKeyAlgorithm } from '../teleport/suite.ts';
import { WRITE_TEST } from './identity-files.ts';
import type { WrittenOutput } from './result.ts';
import type { OutputOf } from './output.ts';
import { outputType } from './output-type.ts';
import { readHostCertificate } from './read-back.ts';
import { finishOutput, outputLocation, type OutputWork, withOwnSession } from './work.ts';

const principals: Field<readonly string[]> = z.pipe(
  textList,
  z.transform((names: readonly string[], context) =>
    names.length > 0 ? names : refuse(context, 'at least one principal must be specified'),
  ),
);

const caType: Field<'user' | 'openssh'> = word(['user', 'openssh'], {
  default: 'user',
  refusal: (given) => `ca_type ("${given}") is unsupported; expected one of user, openssh`,
});

/** Its optional keys. */
export const SSH_HOST_OPTIONS = keys({
  caType: key(
    'ca_type',
    caType,
    documentation('`openssh` writes the user authority for hosts without an agent of Teleport.'),
    {
      write: (given) => (given === 'user' ? undefined : given),
    },
  ),
});

const sshHostKeys = joined(
  keys({
    principals: key('principals', principals, documentation('The host names that the certificate is valid for.')),
  }),
  SSH_HOST_OPTIONS,
);

type SshHost = OutputOf<'ssh_host', ValuesOf<typeof sshHostKeys>>;

export const sshHost = outputType('ssh_host', {
  help: documentation('A host certificate, so that users of Teleport can verify an SSH server that the job starts.'),
  keys: sshHostKeys,
  resource: ({ principals: names }) => names.join(', '),
  produce,
  files: [
    { name: 'ssh_host-cert.pub', help: documentation('The host certificate, for `HostCertificate` of `sshd_config`') },
    { name: 'ssh_host', help: documentation('The private key, for `HostKey`') },
    {
      name: 'ssh_host-user-ca.pub',
      help: documentation('The authority of the users to allow, for `TrustedUserCAKeys`'),
    },
  ],
  readBack: (_output, files) => readHostCertificate(files),
});

async function produce(output: SshHost, work: OutputWork): Promise<WrittenOutput> {
  const { run, joined } = work;
  const keys = generateKeyPair(hostKeyAlgorithm(joined.cluster.suite));
  const [keyPair, { certificate, roles }, users] = await Promise.all([
    keys,
    certify(output, work, keys),
    userAuthorities(output, work),
  ]);
  const { line: certificateLine, expiresAtMs, notices } = certificate;
  run.journal.outputDone('certificates', `host certificate for ${output.path}: ${output.principals.join(', ')}`);
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

/** `openssh` is the authority for hosts that run no Teleport agent. */
async function userAuthorities({ caType }: SshHost, { session }: OutputWork) {
  return caType === 'openssh' ? session.api.certAuthorities('openssh') : (await session.authorities).user;
}

interface SshHostFilesInput {
  readonly keyPair: KeyPair;
  /** `<type> <base64>`, without a line break. */
  readonly certificateLine: string;
  /** Of the cluster that was joined, whose users the host allows. */
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

/** As `tctl auth export --type=user` prints them, without `cert-authority`, which TrustedUserCAKeys does not accept. */
function authorityLines({ clusterName, sshPublicKeys }: CertAuthority): string[] {
  return sshPublicKeys.map((key) => `${key} clustername=${clusterName}&type=user\n`);
}
