/** Finds the job's OIDC token. */
import type { Clock } from '../effects/time.ts';
import type { Commands } from '../effects/programs.ts';
import { type Mask, Secret } from '../effects/secret.ts';
import { MachineIdError } from '../errors.ts';
import { type AgentResponse, askAgent } from './oidc-agent.ts';
import { checkClaims, type ObtainedToken } from './oidc-check.ts';
import { audienceFit, decodeClaims, organizationOf } from './oidc-claims.ts';

export interface OidcToken extends ObtainedToken {
  readonly jwt: Secret;
}

export interface OidcTokenSources {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly commands: Commands;
  readonly clock: Pick<Clock, 'nowMs' | 'sleep'>;
  /** Hides every token that is found. */
  readonly mask: Pick<Mask, 'hide'>;
  /** Cancels the wait for CircleCI's agent. */
  readonly signal?: AbortSignal;
  /** The variable that the user names; undefined for CircleCI's variables. */
  readonly variable?: string | undefined;
}

const VARIABLES = ['CIRCLE_OIDC_TOKEN', 'CIRCLE_OIDC_TOKEN_V2'];

/** CircleCI's own orbs treat a shorter value as missing too: an empty variable may arrive as `null` or as quotes. */
const MIN_TOKEN_CHARS = 4;

/**
 * The token from CircleCI's variables, or if Teleport could not accept it, a fresh one from CircleCI's agent. A variable that
 * the user names is the only source: the job created that token on purpose, so it is never replaced.
 * @throws MachineIdError OIDC_TOKEN_MISSING, OIDC_TOKEN_MALFORMED, OIDC_TOKEN_ISSUER_MISMATCH, OIDC_TOKEN_AUDIENCE_MISMATCH, OIDC_TOKEN_EXPIRED, OIDC_TOKEN_NOT_YET_VALID
 */
export async function obtainOidcToken(sources: OidcTokenSources): Promise<OidcToken> {
  const token = await findOidcToken(sources);
  checkClaims(token, sources.clock.nowMs());
  return token;
}

/**
 * The same without checking the claims.
 * @throws MachineIdError OIDC_TOKEN_MISSING, OIDC_TOKEN_MALFORMED
 */
export async function findOidcToken(sources: OidcTokenSources): Promise<OidcToken> {
  const { environment, mask, variable = 'CIRCLE_OIDC_TOKEN' } = sources;
  for (const name of [...VARIABLES, variable]) mask.hide(environment[name]?.trim() ?? '');
  if (variable !== 'CIRCLE_OIDC_TOKEN') return namedToken(variable, sources);
  const given = givenToken(sources);
  if (given !== undefined && mayBeAccepted(given, sources.clock.nowMs())) return given;
  const { refusals, token } = await freshToken(given, sources);
  if (token !== undefined) {
    const { claims, source, value } = token;
    return { jwt: new Secret(value), source, claims, origin: 'agent', agentRefusals: [] };
  }
  if (given !== undefined) return { ...given, agentRefusals: refusals };
  throw missing(sources.environment, refusals);
}

function namedToken(name: string, sources: OidcTokenSources): OidcToken {
  const value = valueOf(name, sources);
  if (value === undefined) {
    const problem = (sources.environment[name] ?? '') === '' ? 'is not set' : 'is too short to be a token';
    throw new MachineIdError('OIDC_TOKEN_MISSING', `${name}, which --oidc-token names, ${problem}`, {
      hint: `Set ${name} in an earlier step, through $BASH_ENV, or omit --oidc-token to use the token that CircleCI sets.`,
    });
  }
  return decoded(name, value, 'named variable');
}

/** The first of CircleCI's variables that is set; the second only if it may be accepted and the first may not. */
function givenToken(sources: OidcTokenSources): OidcToken | undefined {
  const [first, second] = VARIABLES.flatMap((name) => {
    const value = valueOf(name, sources);
    return value === undefined ? [] : [{ name, value }];
  });
  if (first === undefined) return undefined;
  const token = decoded(first.name, first.value, 'variable');
  if (second === undefined || mayBeAccepted(token, sources.clock.nowMs())) return token;
  try {
    const other = decoded(second.name, second.value, 'variable');
    return mayBeAccepted(other, sources.clock.nowMs()) ? other : token;
  } catch {
    return token; // the user gets the problem of the first
  }
}

function valueOf(name: string, { environment }: OidcTokenSources): string | undefined {
  const value = environment[name]?.trim() ?? '';
  return value.length < MIN_TOKEN_CHARS ? undefined : value;
}

function decoded(source: string, value: string, origin: 'variable' | 'named variable'): OidcToken {
  const hint =
    origin === 'variable'
      ? undefined
      : `Put the whole output of "circleci run oidc get" into ${source}, or omit --oidc-token to use the token that CircleCI sets.`;
  return { jwt: new Secret(value), source, claims: decodeClaims(value, source, hint), origin, agentRefusals: [] };
}

/** False for an expired token (a job may outlive its token), or one for another audience (an organization may choose it). */
function mayBeAccepted({ claims }: OidcToken, nowMs: number): boolean {
  const organization = organizationOf(claims.issuer);
  return claims.expiresAtMs > nowMs && (organization === undefined || audienceFit(claims, organization) === 'right');
}

/** Teleport requires the organization's id as the audience, which is CircleCI's default for the variable. */
async function freshToken(given: OidcToken | undefined, sources: OidcTokenSources): Promise<AgentResponse> {
  const { CIRCLE_ORGANIZATION_ID: organization = '' } = sources.environment;
  const audience = (given && organizationOf(given.claims.issuer)) ?? organization;
  if (audience !== '') return askAgent({ ...sources, audience });
  return {
    token: undefined,
    refusals: ["CircleCI's agent was not asked for a token: CIRCLE_ORGANIZATION_ID is not set"],
  };
}

function missing(environment: OidcTokenSources['environment'], agentRefusals: readonly string[]): MachineIdError {
  const message = 'this job has no OIDC token: neither CIRCLE_OIDC_TOKEN nor CIRCLE_OIDC_TOKEN_V2 is set';
  const lines = agentRefusals;
  if (environment.CIRCLECI !== 'true') {
    return new MachineIdError('OIDC_TOKEN_MISSING', `${message}, and this is not running on CircleCI`, {
      lines,
      hint: 'Run it in a pipeline: only jobs on CircleCI get the token, not "circleci local execute". If a job starts a container, pass the variable on: docker run -e CIRCLE_OIDC_TOKEN.',
    });
  }
  if (isForkPullRequest(environment)) {
    return new MachineIdError('OIDC_TOKEN_MISSING', `${message}, because it builds a pull request from a fork`, {
      lines,
      hint: 'Skip this job for forks. CircleCI withholds the token from forks unless the project setting "Pass secrets to builds from forked pull requests" is on.',
    });
  }
  return new MachineIdError('OIDC_TOKEN_MISSING', `${message}, and CircleCI's agent printed none`, {
    lines,
    likelyCauses: [
      'CircleCI did not set it this time',
      "on a self-hosted runner, the system's temporary directory is not writable or does not allow execution: the OIDC plugin is installed there",
      'this is a CircleCI server installation without OIDC, whose tokens Teleport does not accept anyway',
    ],
    hint: "Run the job again. On a self-hosted runner, check that the system's temporary directory is writable and allows execution. On CircleCI server, use another join method with tbot.",
  });
}

function isForkPullRequest(environment: OidcTokenSources['environment']): boolean {
  return (environment.CIRCLE_PR_NUMBER ?? environment.CIRCLE_PR_USERNAME ?? '') !== '';
}
