/** Checks the job's OIDC token and what its claims say about the job. */
import { utcTime } from '../../crypto/validity.ts';
import type { World } from '../../effects/world.ts';
import { asMachineIdError, type MachineIdError, pluralize } from '../../errors.ts';
import { forkSign } from '../../job/fork.ts';
import { audienceNotice, checkAudience, checkIssuer, checkTimes, tokenClockNotice } from '../../job/oidc-check.ts';
import { audienceText, circleCiServerOf, type OidcClaims, organizationOf } from '../../job/oidc-claims.ts';
import { checkGenericAudience, genericNotices } from '../../job/oidc-generic-check.ts';
import { findOidcToken } from '../../job/oidc-token.ts';
import type { GenericTokenRequest, OidcToken, TokenRequest } from '../../job/token-request.ts';
import { type Check, check } from './check.ts';

export interface TokenFindings {
  readonly checks: readonly Check[];
  /** Undefined when there is no token that a cluster could accept. */
  readonly token: OidcToken | undefined;
}

/** With less time left, a later join may fail. */
const SOON_MS = 5 * 60 * 1000;

const TITLES = [
  ['oidc-issuer', 'Issuer'],
  ['oidc-audience', 'Audience'],
  ['oidc-times', 'Lifetime'],
] as const;

/** @param variable the only environment variable to read the token from; undefined for what the request says */
export async function tokenChecks(
  variable: string | undefined,
  request: TokenRequest,
  world: World,
): Promise<TokenFindings> {
  const { clock, environment } = world;
  const present = check('oidc-token', 'OIDC token');
  let found: OidcToken;
  try {
    found = await findOidcToken({ ...world, variable, request });
  } catch (error) {
    const skipped = TITLES.map(([id, title]) => check(id, title).skipped('there is no OIDC token'));
    return {
      token: undefined,
      checks: [present.failed(asMachineIdError(error)), ...skipped, ...jobChecks(environment)],
    };
  }
  const { claims, source } = found;
  const checks = [
    present.pass(`from ${source}`),
    ...acceptanceChecks(found, request),
    timesCheck(found, clock.nowMs()),
  ];
  return {
    token: checks.some(({ state }) => state === 'fail') ? undefined : found,
    checks: [...checks, ...rerunChecks(claims), ...jobChecks(environment, claims), ...identityChecks(claims)],
  };
}

function acceptanceChecks(token: OidcToken, request: TokenRequest): readonly Check[] {
  switch (request.joinMethod) {
    case 'circleci':
      return [issuerCheck(token), audienceCheck(token)];
    case 'generic_oidc':
      return [genericIssuerCheck(token), genericAudienceCheck(token, request)];
    default:
      return request satisfies never;
  }
}

/** The join token decides which issuer is right. */
function genericIssuerCheck({ claims: { issuer } }: OidcToken): Check {
  const server = circleCiServerOf(issuer);
  const ofServer = `issued by the CircleCI server ${server ?? ''}: the Auth Service must reach it, or the join token needs static_jwks; with a private certificate authority, also tls_ca`;
  return check('oidc-issuer', 'Issuer').pass([
    `${issuer}; spec.generic_oidc.issuer of the join token must be the same`,
    ...(server === undefined ? [] : [ofServer]),
  ]);
}

function genericAudienceCheck(token: OidcToken, request: GenericTokenRequest): Check {
  const one = check('oidc-audience', 'Audience');
  const error = refusal(() => {
    checkGenericAudience(token, request);
  });
  if (error !== undefined) return one.failed(error);
  const notices = genericNotices(token);
  const detail = `${audienceText(token.claims)}; spec.generic_oidc.audience of the join token must be the same`;
  if (notices.length === 0) return one.pass(detail);
  return one.warn([detail, ...notices], "Set --audience, so that CircleCI's agent is asked for a token for it.");
}

function issuerCheck(token: OidcToken): Check {
  const one = check('oidc-issuer', 'Issuer');
  const error = refusal(() => {
    checkIssuer(token);
  });
  return error === undefined ? one.pass(token.claims.issuer) : one.failed(error);
}

/** The expected audience follows from the issuer, so it is unknown when the issuer is invalid. */
function audienceCheck(token: OidcToken): Check {
  const one = check('oidc-audience', 'Audience');
  if (organizationOf(token.claims.issuer) === undefined)
    return one.skipped('the issuer is not a CircleCI organization');
  const error = refusal(() => {
    checkAudience(token);
  });
  if (error !== undefined) return one.failed(error);
  const notice = audienceNotice(token);
  if (notice !== undefined) return one.warn(notice, 'Use a token whose only audience is the organization ID.');
  return one.pass(audienceText(token.claims));
}

function timesCheck(token: OidcToken, nowMs: number): Check {
  const { claims } = token;
  const one = check('oidc-times', 'Lifetime');
  const error = refusal(() => {
    checkTimes(token, nowMs);
  });
  if (error !== undefined) return one.failed(error);
  const behind = tokenClockNotice(claims, nowMs);
  if (behind !== undefined) return one.warn(behind, 'Synchronize the clock of this runner with NTP.');
  const leftMs = claims.expiresAtMs - nowMs;
  const detail = `until ${utcTime(claims.expiresAtMs)}, ${pluralize(Math.floor(leftMs / 60_000), 'minute')} from now`;
  return leftMs < SOON_MS ? one.warn(detail, 'Call run earlier in the job.') : one.pass(detail);
}

function rerunChecks({ sshRerun }: OidcClaims): readonly Check[] {
  const one = check('ssh-rerun', 'Rerun with SSH');
  return [
    sshRerun
      ? one.warn(
          'this job was rerun with SSH: everyone in that session has the token and the access it grants',
          'Restrict the context to jobs without SSH: the expression "not job.ssh.enabled".',
        )
      : one.pass('no'),
  ];
}

function jobChecks(environment: World['environment'], claims?: OidcClaims): readonly Check[] {
  const one = check('fork', 'Fork');
  const sign = forkSign(claims, environment);
  if (sign === undefined) return [one.pass('no')];
  return [
    one.warn(
      `this job builds a pull request from a fork: ${sign}`,
      'Skip the job for forks, or restrict its rule to a context that pull requests from forks cannot use.',
    ),
  ];
}

const UNKNOWN = 'not in the token';

function identityChecks({
  contextIds,
  organizationId,
  projectId,
  subject,
  vcsOrigin,
  vcsRef,
}: OidcClaims): readonly Check[] {
  const organization = check('organization', 'Organization');
  const project = check('project', 'Project');
  const contexts = check('contexts', 'Contexts');
  const fix =
    'Compare with a token that CircleCI issued for another job; the rules of a Teleport join token need this ID.';
  const user = /\/user\/([^/]+)/.exec(subject)?.[1];
  return [
    organizationId === undefined ? organization.warn(UNKNOWN, fix) : organization.pass(organizationId),
    projectId === undefined ? project.warn(UNKNOWN, fix) : project.pass(projectId),
    contextIds.length === 0
      ? contexts.pass('none: a rule can match only the project')
      : contexts.pass(
          `${contextIds.join(', ')} (for their names, see Organization Settings > Contexts on app.circleci.com; the ID is the last part of a context's URL)`,
        ),
    check('user', 'User').pass(user ?? UNKNOWN),
    check('vcs', 'Repository').pass(`${vcsOrigin ?? 'unknown'} at ${vcsRef ?? 'an unknown ref'}`),
  ];
}

function refusal(act: () => void): MachineIdError | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    return asMachineIdError(error);
  }
}
