/** The output type `identity`: certificates for the whole cluster or a leaf cluster, and the files for SSH. */
import * as z from 'zod/mini';
import type { Authorities, CertAuthority } from '../auth/auth-api.ts';
import type { Identity } from '../auth/issue.ts';
import { noLoginNotice } from '../auth/logins.ts';
import { keptNodeOptions } from '../effects/node-options.ts';
import { MachineIdError } from '../errors.ts';
import type { OutputFile } from '../files/destination.ts';
import { formatAddress } from '../net/address.ts';
import { withGivenAddresses } from '../teleport/given-address.ts';
import type { ClusterFacts } from '../teleport/ping.ts';
import type { Common } from '../schema/common.ts';
import { type Context, type Field, flag, refuse, text, word } from '../schema/fields.ts';
import { documentation, key, keys, type ValuesOf, whenTrue } from '../schema/keys.ts';
import { AUTHORITY_FILES, IDENTITY_FILES, onlyWith } from './file-list.ts';
import { authorityFile, identityFile, keyFiles } from './identity-files.ts';
import type { WrittenOutput } from './result.ts';
import type { OutputOf } from './output.ts';
import { outputType } from './output-type.ts';
import { readIdentity } from './read-back.ts';
import { clusterKnownHosts, clusterSshConfig, knownHosts, sshConfig, type SshConfigInput } from './ssh-config.ts';
import { finishOutput, outputLocation, type OutputWork, requestIdentity, type RunContext } from './work.ts';

/** YAML 1.1 reads these two words as booleans; here they are text. */
const onOrOff: Field<boolean> = z.pipe(
  word(['on', 'off'], {
    default: 'on',
    refusal: (given) => `ssh_config: unrecognized value "${given}"; expected one of on, off`,
  }),
  z.transform((given: 'on' | 'off') => given === 'on'),
);

/** None is required. */
export const IDENTITY_KEYS = keys({
  cluster: key(
    'cluster',
    text,
    documentation('A leaf cluster to get certificates for instead of the cluster that was joined.'),
  ),
  sshConfig: key('ssh_config', onOrOff, documentation('`off` leaves out the files for OpenSSH.'), {
    write: (isOn) => (isOn ? 'on' : 'off'),
  }),
  allowReissue: key('allow_reissue', flag, documentation('Lets the holder request other certificates with these.'), {
    write: whenTrue,
  }),
  delegationSessionId: key('delegation_session_id', text, documentation('A delegation session.'), {
    unsupported: true,
  }),
});

type IdentityValues = ValuesOf<typeof IDENTITY_KEYS>;
type IdentityOutput = OutputOf<'identity', IdentityValues>;

export const identity = outputType('identity', {
  help: documentation('Certificates of the bot for the whole cluster: for SSH, `tctl`, `tsh` and Terraform.'),
  keys: IDENTITY_KEYS,
  check: checkDelegation,
  resource: ({ cluster }) => cluster,
  use: ({ sshConfig: isConfigured }) => ({ kind: 'ssh', isConfigured }),
  produce,
  files: [
    ...AUTHORITY_FILES,
    ...IDENTITY_FILES,
    ...onlyWith<IdentityOutput>('unless `ssh_config: off`', ({ sshConfig: isOn }) => isOn, [
      { name: 'known_hosts', help: documentation('Host authorities for OpenSSH') },
      { name: 'ssh_config', help: documentation('Configuration for OpenSSH') },
      {
        name: '<cluster>.ssh_config',
        help: documentation('The same for one cluster, to include in your own `Host` block'),
      },
      { name: '<cluster>.known_hosts', help: documentation('Host authorities of one cluster') },
    ]),
  ],
  readBack: ({ sshConfig: isOn }, files) => {
    const { credentials, logins } = readIdentity(files);
    const { bot: botName, roles = [] } = credentials;
    const noLogin = isOn ? noLoginNotice(logins, { roles, botName }) : undefined;
    return { ...credentials, logins, ...(noLogin === undefined ? {} : { notices: [noLogin] }) };
  },
});

function checkDelegation({ cluster, delegationSessionId, roles }: IdentityValues & Common, context: Context): void {
  if (delegationSessionId === undefined) return;
  const refuseWith = (message: string) => refuse(context, message, ['delegation_session_id']);
  if (roles.length > 0) refuseWith('delegation sessions and explicit roles are mutually-exclusive');
  if (cluster !== undefined) refuseWith('delegation sessions cannot be used with leaf clusters');
}

async function produce(output: IdentityOutput, work: OutputWork): Promise<WrittenOutput> {
  const { run, joined, session } = work;
  const [issued, authorities, proxy] = await Promise.all([
    issue(output, work),
    session.authorities,
    output.sshConfig ? joined.proxy() : undefined,
  ]);
  run.journal.outputDone('certificates', `certificates for ${output.path}: roles ${issued.identity.roles.join(', ')}`);
  const location = outputLocation(output.destination, run);
  const { logins, roles } = issued.identity;
  const noLogin = output.sshConfig ? noLoginNotice(logins, { roles, botName: joined.bot.botName }) : undefined;
  const files = identityFiles({
    identity: issued.identity,
    authorities,
    clusterName: joined.cluster.clusterName,
    ssh: proxy && { proxyHost: proxy.proxyHost, config: sshConfigInput(run, proxy, location.directory) },
  });
  const notices = [...issued.notices, ...(noLogin === undefined ? [] : [noLogin])];
  return finishOutput(output, work, { issued: { ...issued, notices }, location, files, logins });
}

async function issue(output: IdentityOutput, work: OutputWork) {
  const { allowReissue } = output;
  const [keyPair, routeToCluster] = await Promise.all([
    work.keys.unrouted,
    clusterFor(output, work.joined.bot.clusterName, work.session.authorities),
  ]);
  return requestIdentity(output, work, { keyPair, route: undefined, routeToCluster, allowReissue });
}

/** A leaf cluster is known by its host authority, which every bot can read from the root cluster. */
async function clusterFor(output: IdentityOutput, own: string, authorities: Promise<Authorities>): Promise<string> {
  const wanted = output.cluster;
  if (wanted === undefined || wanted === own) return own;
  const names = (await authorities).host.map(({ clusterName }) => clusterName);
  if (names.includes(wanted)) return wanted;
  const leaves = names.filter((name) => name !== own);
  throw new MachineIdError('LEAF_CLUSTER_UNKNOWN', `${output.path}.cluster: ${own} has no leaf cluster "${wanted}"`, {
    hint:
      leaves.length === 0
        ? 'The cluster has no leaf clusters; remove the key.'
        : `Its leaf clusters are ${leaves.join(', ')}.`,
  });
}

function sshConfigInput(
  { caFile, plan, upgrades, world }: RunContext,
  proxy: ClusterFacts,
  destinationPath: string | undefined,
): SshConfigInput | undefined {
  if (destinationPath === undefined) return undefined;
  const { sshAddress: address } = withGivenAddresses(proxy, plan);
  return {
    proxyHost: proxy.proxyHost,
    proxyAddress: formatAddress(address),
    destinationPath,
    nodePath: world.nodePath,
    bundlePath: world.bundlePath,
    nodeOptions: world.files.platform === 'win32' ? undefined : keptNodeOptions(world.environment.NODE_OPTIONS),
    tlsRouting: proxy.tlsRouting,
    connectionUpgrade:
      proxy.tlsRouting && upgrades.known(address) === true ? { caFile, insecure: plan.insecure } : undefined,
    serverMajor: proxy.serverVersion.major,
  };
}

// The files of an `identity` output.

export interface IdentityFilesInput {
  readonly identity: Identity;
  readonly authorities: Authorities;
  /** The cluster that was joined. */
  readonly clusterName: string;
  /** `known_hosts` and the `ssh_config` files: undefined when they are switched off. */
  readonly ssh:
    | {
        readonly proxyHost: string;
        /** Undefined when the destination is not a directory: an `ssh_config` would be useless there. */
        readonly config: SshConfigInput | undefined;
      }
    | undefined;
}

/** In the order in which tbot writes them. */
export function identityFiles(input: IdentityFilesInput): readonly OutputFile[] {
  const { authorities, identity } = input;
  return [
    authorityFile('teleport-host-ca.crt', authorities.host),
    authorityFile('teleport-user-ca.crt', authorities.user),
    authorityFile('teleport-database-ca.crt', authorities.database),
    { name: 'identity', contents: identityFile(identity, authorities.host) },
    ...keyFiles(identity),
    ...sshFiles(input),
  ];
}

function sshFiles({ authorities, clusterName, ssh }: IdentityFilesInput): OutputFile[] {
  if (ssh === undefined) return [];
  const clusters = ownFirst(authorities.host, clusterName);
  const files = [{ name: 'known_hosts', contents: knownHosts(clusters, ssh.proxyHost) }];
  const { config } = ssh;
  if (config === undefined) return files;
  const leaves = clusters.map((cluster) => cluster.clusterName).filter((name) => name !== clusterName);
  return [
    ...files,
    ...clusters.flatMap((cluster) => [
      {
        name: `${cluster.clusterName}.ssh_config`,
        contents: clusterSshConfig(config, cluster.clusterName, cluster.clusterName === clusterName),
      },
      { name: `${cluster.clusterName}.known_hosts`, contents: clusterKnownHosts(cluster) },
    ]),
    { name: 'ssh_config', contents: sshConfig(config, clusterName, leaves) },
  ];
}

/** The authority of the cluster that was joined, then those of its leaf clusters. */
export function ownFirst(authorities: readonly CertAuthority[], clusterName: string): CertAuthority[] {
  const isOwn = (authority: CertAuthority) => authority.clusterName === clusterName;
  return [...authorities.filter(isOwn), ...authorities.filter((authority) => !isOwn(authority))];
}
