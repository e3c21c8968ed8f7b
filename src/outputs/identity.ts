/** The files of an `identity` output. */
import type { Authorities, CertAuthority } from '../certs/authorities.ts';
import type { Identity } from '../certs/identity.ts';
import { identityFile } from './identity-file.ts';
import { authorityFile, keyFiles } from './key-files.ts';
import { clusterKnownHosts, knownHosts } from './known-hosts.ts';
import type { OutputFile } from './output-file.ts';
import { clusterSshConfig, sshConfig, type SshConfigInput } from './ssh-config.ts';

export interface IdentityFilesInput {
  readonly identity: Identity;
  readonly authorities: Authorities;
  /** The cluster that was joined. */
  readonly clusterName: string;
  readonly proxyHost: string;
  /** `known_hosts` and the `ssh_config` files: undefined when they are switched off. */
  readonly ssh:
    | {
        /** Undefined when the destination is no directory: then no `ssh_config` is of use. */
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

function sshFiles({ authorities, clusterName, proxyHost, ssh }: IdentityFilesInput): OutputFile[] {
  if (ssh === undefined) return [];
  const clusters = ownFirst(authorities.host, clusterName);
  const files = [{ name: 'known_hosts', contents: knownHosts(clusters, proxyHost) }];
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

function ownFirst(authorities: readonly CertAuthority[], clusterName: string): CertAuthority[] {
  const isOwn = (authority: CertAuthority) => authority.clusterName === clusterName;
  return [...authorities.filter(isOwn), ...authorities.filter((authority) => !isOwn(authority))];
}
