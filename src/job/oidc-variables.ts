/** The OIDC token in CircleCI's variables or in one that is named; instead of the former, CircleCI's agent can create one. */
import { Secret } from '../effects/secret.ts';
import { MachineIdError } from '../errors.ts';
import { type AgentResponse, askAgent } from './oidc-agent.ts';
import { audienceFit, decodeClaims, type OidcClaims, organizationOf } from './oidc-claims.ts';
import type { OidcToken, OidcTokenSources } from './token-request.ts';

export const VARIABLES = ['CIRCLE_OIDC_TOKEN', 'CIRCLE_OIDC_TOKEN_V2'];

/** CircleCI's own orbs treat a shorter value as missing too: an empty variable may arrive as `null` or as quotes. */
const MIN_TOKEN_CHARS = 4;

/** @param isUsable whether a token from a variable is good enough not to ask for a fresh one */
export async function defaultToken(
  sources: OidcTokenSources,
  isUsable: (claims: OidcClaims, nowMs: number) => boolean,
): Promise<OidcToken> {
  const usable = ({ claims }: OidcToken) => isUsable(claims, sources.clock.nowMs());
  const given = givenToken(sources, usable);
  if (given !== undefined && usable(given)) return given;
  const { refusals, token } = await freshToken(given, sources);
  if (token !== undefined) {
    const { claims, source, value } = token;
    return { jwt: new Secret(value), source, claims, origin: 'agent', agentRefusals: [] };
  }
  if (given !== undefined) return { ...given, agentRefusals: refusals };
  throw missingToken(
    sources.environment,
    refusals,
    'this job has no OIDC token: neither CIRCLE_OIDC_TOKEN nor CIRCLE_OIDC_TOKEN_V2 is set',
  );
}

export interface NamedVariable {
  readonly name: string;
  /** The setting that names it. */
  readonly namedBy: string;
  readonly origin: 'named variable' | 'configured variable';
  /** What to do instead, for hints. */
  readonly otherwise: string;
}

/** The variable is the only source. */
export function variableToken(
  { name, namedBy, origin, otherwise }: NamedVariable,
  sources: OidcTokenSources,
): OidcToken {
  sources.mask.hide(sources.environment[name]?.trim() ?? '');
  const value = valueOf(name, sources);
  if (value === undefined) {
    const problem = (sources.environment[name] ?? '') === '' ? 'is not set' : 'is too short to be a token';
    throw new MachineIdError('OIDC_TOKEN_MISSING', `${name}, which ${namedBy} names, ${problem}`, {
      hint: `Set ${name} in an earlier step, through $BASH_ENV, or ${otherwise}.`,
    });
  }
  return decoded(name, value, origin, `Put the whole output of "circleci run oidc get" into ${name}, or ${otherwise}.`);
}

/** The first of CircleCI's variables that is set; the second only if it can be used and the first can't. */
function givenToken(sources: OidcTokenSources, isUsable: (token: OidcToken) => boolean): OidcToken | undefined {
  const [first, second] = VARIABLES.flatMap((name) => {
    const value = valueOf(name, sources);
    return value === undefined ? [] : [{ name, value }];
  });
  if (first === undefined) return undefined;
  const token = decoded(first.name, first.value, 'variable');
  if (second === undefined || isUsable(token)) return token;
  try {
    const other = decoded(second.name, second.value, 'variable');
    return isUsable(other) ? other : token;
  } catch {
    return token; // the user gets the problem of the first
  }
}

function valueOf(name: string, { environment }: OidcTokenSources): string | undefined {
  const value = environment[name]?.trim() ?? '';
  return value.length < MIN_TOKEN_CHARS ? undefined : value;
}

function decoded(source: string, value: string, origin: OidcToken['origin'], hint?: string): OidcToken {
  return { jwt: new Secret(value), source, claims: decodeClaims(value, source, hint), origin, agentRefusals: [] };
}

/** False for an expired token (a job may outlive its token), or one for another audience (an organization may choose it). */
export function mayBeAccepted(claims: OidcClaims, nowMs: number): boolean {
  const organization = organizationOf(claims.issuer);
  return claims.expiresAtMs > nowMs && (organization === undefined || audienceFit(claims, organization) === 'right');
}

/** Teleport requires the organization's id as the audience, which is CircleCI's default for the variable. */
async function freshToken(given: OidcToken | undefined, sources: OidcTokenSources): Promise<AgentResponse> {
  const { CIRCLE_ORGANIZATION_ID: organization = '' } = sources.environment;
  const audience = (given && organizationOf(given.claims.issuer)) ?? organization;
  // Tokens of other issuers are rejected later, with their own message.
  const accepts = (claims: OidcClaims) =>
    organizationOf(claims.issuer) === undefined || audienceFit(claims, audience) !== 'wrong';
  if (audience !== '') return askAgent({ ...sources, audience, accepts });
  return {
    token: undefined,
    refusals: ["CircleCI's agent was not asked for a token: CIRCLE_ORGANIZATION_ID is not set"],
  };
}

export function missingToken(
  environment: OidcTokenSources['environment'],
  lines: readonly string[],
  message: string,
): MachineIdError {
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
      'this is a CircleCI server installation on which OIDC is off',
    ],
    hint: "Run the job again. On a self-hosted runner, check that the system's temporary directory is writable and allows execution. On CircleCI server (4.4 and later), OIDC must be turned on.",
  });
}

function isForkPullRequest(environment: OidcTokenSources['environment']): boolean {
  return (environment.CIRCLE_PR_NUMBER ?? environment.CIRCLE_PR_USERNAME ?? '') !== '';
}
