/** What the join method `generic_oidc` needs of a cluster, and what to do if it lacks that (generic-oidc.md, "The wire"). */
import { MachineIdError } from '../errors.ts';
import { compareVersions, parseServerVersion } from '../teleport/ping.ts';
import type { JoinFacts } from './facts.ts';

/** The first pre-release, so that all of them count. */
export const GENERIC_OIDC_SINCE = { major: 18, text: '18.11.0-0' };

/**
 * Whether a cluster of this version may know the method. Behind a Proxy, this is the version of the Proxy, which relays the join
 * to an Auth Service that may be newer.
 */
export function mayKnowGenericOidc({ cluster }: Pick<JoinFacts, 'cluster'>): boolean {
  const version = cluster === undefined ? undefined : parseServerVersion(cluster.version);
  return version === undefined || compareVersions(version, GENERIC_OIDC_SINCE) >= 0;
}

/** @param said the text of the server, or why the method was not requested */
export function genericOidcUnknown({ cluster, tokenName }: JoinFacts, said: string, cause?: unknown): MachineIdError {
  const where = cluster === undefined ? 'the cluster' : `the cluster ${cluster.name} (Teleport ${cluster.version})`;
  return new MachineIdError(
    'CLUSTER_UNSUPPORTED',
    `${where} cannot join a job by generic_oidc, a join method of Teleport 18.11 and later: ${said}`,
    {
      likelyCauses: [
        'the Auth Service is older than 18.11',
        `only the Proxy is older, and the Auth Service has no join token "${tokenName}" with that method`,
      ],
      hint: 'Upgrade the cluster to 18.11 or later. Or join with circleci, whose rules know only the project and the context: create a join token with spec.join_method: circleci, name it with --token, set --join-method circleci, and leave --audience out.',
      cause,
    },
  );
}
