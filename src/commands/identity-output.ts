/** Produces an `identity` output: certificates, files, and their place. */
import { issueIdentity } from '../certs/issue.ts';
import type { Authorities } from '../certs/authorities.ts';
import type { SupportedOutput } from '../config/supported.ts';
import type { KeyPair } from '../crypto/keys.ts';
import { MachineIdError } from '../errors.ts';
import type { Joined } from '../join/join.ts';
import { identityFiles } from '../outputs/identity.ts';
import type { SshConfigInput } from '../outputs/ssh-config.ts';
import { formatAddress } from '../teleport/address.ts';
import type { ClusterSession } from './cluster-session.ts';
import { placeOf, write } from './place.ts';
import type { Run } from './run.ts';
import type { WrittenOutput } from './run-result.ts';

export interface OutputWork {
  readonly run: Run;
  readonly joined: Joined;
  readonly session: ClusterSession;
  readonly key: Promise<KeyPair>;
}

/** @throws MachineIdError as asking, checking and writing do */
export async function produceIdentity(output: SupportedOutput, work: OutputWork): Promise<WrittenOutput> {
  const { run, joined, session } = work;
  const [{ identity, notice }, authorities] = await Promise.all([askFor(output, work), session.authorities]);
  run.progress.done('certificates', `certificates for ${output.path}: roles ${identity.roles.join(', ')}`);
  const place = placeOf(output.destination, run);
  const files = identityFiles({
    identity,
    authorities,
    clusterName: joined.cluster.clusterName,
    proxyHost: joined.cluster.proxyHost,
    ssh: output.sshConfig ? { config: sshConfigInput(run, joined, place.directory) } : undefined,
  });
  const written = await write(run, place, files);
  run.progress.done('write', `${written.files.length} files written to ${place.shown}`);
  return {
    type: output.type,
    destination: place.shown,
    files: written.files,
    roles: identity.roles,
    expiresAtMs: identity.expiresAtMs,
    notices: [...(notice === undefined ? [] : [notice]), ...written.warnings],
  };
}

async function askFor(output: SupportedOutput, { run, joined, session, key }: OutputWork) {
  const { clock } = run.world;
  const { bot } = joined;
  const userAuthorities = userAuthoritiesOf(session);
  const [keyPair, roles, serverVersion, routeToCluster] = await Promise.all([
    key,
    output.roles.length > 0 ? output.roles : session.defaultRoles(),
    session.serverVersion,
    route(output, bot.clusterName, session.authorities),
  ]);
  return issueIdentity(
    session.api,
    {
      keyPair,
      userName: bot.userName,
      clusterName: bot.clusterName,
      routeToCluster,
      roles,
      ttlMs: output.ttlMs,
      allowReissue: output.allowReissue,
      serverVersion,
    },
    { userAuthorities, clock },
  );
}

function userAuthoritiesOf({ authorities }: ClusterSession) {
  const user = authorities.then((all) => all.user);
  user.catch(() => undefined); // the issue awaits it, unless the roles or the version fail first
  return user;
}

/** A leaf is known by its host authority, which the root cluster shows to every bot. */
async function route(output: SupportedOutput, own: string, authorities: Promise<Authorities>): Promise<string> {
  const wanted = output.cluster;
  if (wanted === undefined || wanted === own) return own;
  const names = (await authorities).host.map(({ clusterName }) => clusterName);
  if (names.includes(wanted)) return wanted;
  const leaves = names.filter((name) => name !== own);
  throw new MachineIdError('LEAF_UNKNOWN', `${output.path}.cluster: ${own} has no leaf cluster "${wanted}"`, {
    hint:
      leaves.length === 0
        ? 'The cluster has no leaf clusters; remove the key.'
        : `Its leaf clusters are ${leaves.join(', ')}.`,
  });
}

function sshConfigInput(
  { world, plan }: Run,
  { cluster }: Joined,
  destinationPath: string | undefined,
): SshConfigInput | undefined {
  if (destinationPath === undefined) return undefined;
  return {
    proxyHost: cluster.proxyHost,
    proxyAddress: formatAddress(plan.useProxyAddr ? plan.address : cluster.sshAddress),
    destinationPath,
    command: [world.nodePath, world.bundlePath],
    tlsRouting: cluster.tlsRouting,
    connectionUpgrade: false,
    serverMajor: cluster.serverVersion.major,
  };
}
