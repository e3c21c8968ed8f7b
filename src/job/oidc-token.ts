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
  /** Hides every token that is seen. */
  readonly mask: Pick<Mask, 'hide'>;
  /** Ends the wait for CircleCI's agent. */
  readonly signal?: AbortSignal;
  /** The variable that the user names; undefined for CircleCI's own. */
  readonly variable?: string | undefined;
}

const VARIABLES = ['CIRCLE_OIDC_TOKEN', 'CIRCLE_OIDC_TOKEN_V2'];

/** CircleCI's own orbs take a shorter value as missing: an empty variable may arrive as `null` or as quotes. */
const MIN_TOKEN_CHARS = 4;

/**
 * The token of CircleCI's variables; where they have none that Teleport could accept, a fresh one from CircleCI's agent.
 * A variable that the user names is the only source: nothing takes its place, as the job made that token on purpose.
 * @throws MachineIdError OIDC_TOKEN_MISSING, OIDC_TOKEN_MALFORMED, OIDC_TOKEN_ISSUER_MISMATCH, OIDC_TOKEN_AUDIENCE_MISMATCH, OIDC_TOKEN_EXPIRED, OIDC_TOKEN_NOT_YET_VALID
 */
export async function obtainOidcToken(sources: OidcTokenSources): Promise<OidcToken> {
  const token = await findOidcToken(sources);
  checkClaims(token, sources.clock.nowMs());
  return token;
}

/**
 * The same without the checks of what it says.
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
    const said = (sources.environment[name] ?? '') === '' ? 'is not set' : 'is too short to be a token';
    throw new MachineIdError('OIDC_TOKEN_MISSING', `${name}, which --oidc-token names, ${said}`, {
      hint: `Set ${name} in an earlier step, through $BASH_ENV, or leave --oidc-token out to use the token that CircleCI sets.`,
    });
  }
  return decoded(name, value, 'named variable');
}

/** The first of CircleCI's variables that is set; the second only where it alone may be accepted. */
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
    return token; // what is wrong with the first is what the user reads
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
      : `Put the whole output of "circleci run oidc get" into ${source}, or leave --oidc-token out to use the token that CircleCI sets.`;
  return { jwt: new Secret(value), source, claims: decodeClaims(value, source, hint), origin, agentRefusals: [] };
}

/** A job may run for longer than its token lives, and an organization may have its tokens made for another audience. */
function mayBeAccepted({ claims }: OidcToken, nowMs: number): boolean {
  const organization = organizationOf(claims.issuer);
  return claims.expiresAtMs > nowMs && (organization === undefined || audienceFit(claims, organization) === 'right');
}

/** Teleport demands the organization's id as the audience, which is what CircleCI puts into the variable by default. */
async function freshToken(given: OidcToken | undefined, sources: OidcTokenSources): Promise<AgentResponse> {
  const { CIRCLE_ORGANIZATION_ID: organization = '' } = sources.environment;
  const audience = (given && organizationOf(given.claims.issuer)) ?? organization;
  if (audience !== '') return askAgent({ ...sources, audience });
  return {
    token: undefined,
    refusals: ["CircleCI's agent was not asked for one: CIRCLE_ORGANIZATION_ID is not set"],
  };
}

function missing(environment: OidcTokenSources['environment'], agentRefusals: readonly string[]): MachineIdError {
  const message = 'this job has no OIDC token: neither CIRCLE_OIDC_TOKEN nor CIRCLE_OIDC_TOKEN_V2 is set';
  const lines = agentRefusals;
  if (environment.CIRCLECI !== 'true') {
    return new MachineIdError('OIDC_TOKEN_MISSING', `${message}, and this does not run on CircleCI`, {
      lines,
      hint: 'Only a job on CircleCI gets the token; "circleci local execute" gets none. Run it in a pipeline. Into a container that a job starts itself, hand the variable on: docker run -e CIRCLE_OIDC_TOKEN.',
    });
  }
  if (isForkPullRequest(environment)) {
    return new MachineIdError('OIDC_TOKEN_MISSING', `${message}: it builds a pull request from a fork`, {
      lines,
      hint: 'CircleCI withholds the token from forks unless the project setting "Pass secrets to builds from forked pull requests" is on. Better: skip this job for forks.',
    });
  }
  return new MachineIdError('OIDC_TOKEN_MISSING', `${message}, and CircleCI's agent gave no new one`, {
    lines,
    likelyCauses: [
      'CircleCI has left it out this once',
      "on a self-hosted runner, the system's temporary directory may not be written to or executed from: the OIDC plugin lives there",
      'this is a CircleCI server installation without OIDC: Teleport takes none of its tokens in any case',
    ],
    hint: "Run the job again. On a self-hosted runner, check that the system's temporary directory may be written and executed from. On CircleCI server, use another join method with tbot.",
  });
}

function isForkPullRequest(environment: OidcTokenSources['environment']): boolean {
  return (environment.CIRCLE_PR_NUMBER ?? environment.CIRCLE_PR_USERNAME ?? '') !== '';
}
