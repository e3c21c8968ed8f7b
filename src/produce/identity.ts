/** Produces an `identity` output: certificates for the whole cluster or a leaf, and the files for SSH. */
import type { Authorities } from '../certs/authorities.ts';
import { noLoginNotice } from '../certs/logins.ts';
import type { SupportedIdentity } from '../config/supported.ts';
import { keptNodeOptions } from '../effects/node-options.ts';
import { MachineIdError } from '../errors.ts';
import type { Joined } from '../join/join.ts';
import { identityFiles } from '../outputs/identity.ts';
import type { SshConfigInput } from '../outputs/ssh-config.ts';
import { formatAddress } from '../teleport/address.ts';
import type { RunContext } from './context.ts';
import { placeOf } from './place.ts';
import type { WrittenOutput } from './result.ts';
import { askForIdentity, finishOutput, type OutputWork } from './work.ts';

/** @throws MachineIdError as asking, checking and writing do */
export async function produceIdentity(output: SupportedIdentity, work: OutputWork): Promise<WrittenOutput> {
  const { run, joined, session } = work;
  const [issued, authorities] = await Promise.all([issue(output, work), session.authorities]);
  run.progress.done('certificates', `certificates for ${output.path}: roles ${issued.identity.roles.join(', ')}`);
  const place = placeOf(output.destination, run);
  const { logins, roles } = issued.identity;
  const noLogin = output.sshConfig ? noLoginNotice(logins, { roles, botName: joined.bot.botName }) : undefined;
  const files = identityFiles({
    identity: issued.identity,
    authorities,
    clusterName: joined.cluster.clusterName,
    proxyHost: joined.cluster.proxyHost,
    ssh: output.sshConfig ? { config: sshConfigInput(run, joined, place.directory) } : undefined,
  });
  const notices = [...issued.notices, ...(noLogin === undefined ? [] : [noLogin])];
  return finishOutput(output, work, { issued: { ...issued, notices }, place, files, logins });
}

async function issue(output: SupportedIdentity, work: OutputWork) {
  const { allowReissue } = output;
  const [keyPair, routeToCluster] = await Promise.all([
    work.keys.unrouted,
    clusterFor(output, work.joined.bot.clusterName, work.session.authorities),
  ]);
  return askForIdentity(output, work, { keyPair, route: undefined, routeToCluster, allowReissue });
}

/** A leaf is known by its host authority, which the root cluster shows to every bot. */
async function clusterFor(output: SupportedIdentity, own: string, authorities: Promise<Authorities>): Promise<string> {
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
  { world, plan }: RunContext,
  { cluster }: Joined,
  destinationPath: string | undefined,
): SshConfigInput | undefined {
  if (destinationPath === undefined) return undefined;
  return {
    proxyHost: cluster.proxyHost,
    proxyAddress: formatAddress(plan.useProxyAddr ? plan.address : cluster.sshAddress),
    destinationPath,
    command: [world.nodePath, world.bundlePath],
    nodeOptions: world.files.platform === 'win32' ? undefined : keptNodeOptions(world.environment.NODE_OPTIONS),
    tlsRouting: cluster.tlsRouting,
    connectionUpgrade: false,
    serverMajor: cluster.serverVersion.major,
  };
}
