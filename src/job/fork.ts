/** Whether a job builds a pull request from a fork. */
import type { OidcClaims } from './oidc-claims.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Where the owner of a repository is the organization of its project. */
const HOSTS: readonly string[] = ['github.com', 'bitbucket.org'];
/** Projects of a GitHub App may have the name or the id of their organization on CircleCI instead, which says nothing. */
const OWNER = /^(?![0-9a-f]{8}-[0-9a-f]{4}-)[\w.-]+$/i;

/**
 * What shows it; undefined if nothing does. CircleCI sets the variables of pull requests for GitHub OAuth and Bitbucket only;
 * the claims name the fork as the origin, and `pull/NUMBER` as the ref (CircleCI facts 1.5, 2.4).
 */
export function forkSign(
  claims: Pick<OidcClaims, 'vcsOrigin' | 'vcsRef'> | undefined,
  environment: Environment,
): string | undefined {
  const { CIRCLE_PR_NUMBER = '', CIRCLE_PR_USERNAME: owner = '' } = environment;
  if (owner !== '') return `CIRCLE_PR_USERNAME is ${owner}`;
  if (CIRCLE_PR_NUMBER !== '') return `CIRCLE_PR_NUMBER is ${CIRCLE_PR_NUMBER}`;
  const { vcsOrigin, vcsRef } = claims ?? {};
  if (/^refs\/heads\/pull\/\d+/.test(vcsRef ?? '')) return `the claim vcs-ref is ${vcsRef ?? ''}`;
  const [host = '', owned = ''] = vcsOrigin?.split('/') ?? [];
  const { CIRCLE_PROJECT_USERNAME: project = '' } = environment;
  if (!HOSTS.includes(host) || !OWNER.test(project) || owned.toLowerCase() === project.toLowerCase()) return undefined;
  return `the claim vcs-origin is ${vcsOrigin ?? ''}, and the project belongs to ${project}`;
}
