/** Finds the job's OIDC token. */
import type { Commands } from '../effects/commands.ts';
import { Secret } from '../effects/secret.ts';
import { MachineIdError } from '../errors.ts';
import { checkClaims } from './oidc-check.ts';
import { decodeClaims, type OidcClaims } from './oidc-claims.ts';

export interface OidcToken {
  readonly jwt: Secret;
  /** A variable's name or a command line. */
  readonly source: string;
  readonly claims: OidcClaims;
}

export interface OidcTokenSources {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly commands: Commands;
  readonly nowMs: number;
  /** Ends the wait for CircleCI's agent. */
  readonly signal?: AbortSignal;
}

const VARIABLES = ['CIRCLE_OIDC_TOKEN', 'CIRCLE_OIDC_TOKEN_V2'];

/** `circleci-agent` first: a job image may carry the public CLI under the name `circleci`, which has no such command. */
const MINTING_PROGRAMS = ['circleci-agent', 'circleci'];
const MINTING_LIMITS = { timeoutMs: 15_000, maxBytes: 64 * 1024 };

/** CircleCI's own orbs take a shorter value as missing: an empty variable may arrive as `null` or as quotes. */
const SHORTEST_TOKEN = 4;

/**
 * The first variable that is set, else, or when its time is over, a fresh token from CircleCI's agent; decoded and
 * checked.
 * @throws MachineIdError OIDC_TOKEN_MISSING, OIDC_TOKEN_MALFORMED, OIDC_TOKEN_ISSUER, OIDC_TOKEN_EXPIRED, OIDC_TOKEN_NOT_YET_VALID
 */
export async function obtainOidcToken(sources: OidcTokenSources): Promise<OidcToken> {
  const token = await findOidcToken(sources);
  checkClaims(token.claims, token.source, sources.nowMs);
  return token;
}

/**
 * The same without the checks of what it says.
 * @throws MachineIdError OIDC_TOKEN_MISSING, OIDC_TOKEN_MALFORMED
 */
export async function findOidcToken(sources: OidcTokenSources): Promise<OidcToken> {
  const found = fromVariable(sources.environment);
  const given = found && decoded(found);
  // A job may run for longer than the token lives that it was started with.
  if (given !== undefined && given.claims.expiresAtMs > sources.nowMs) return given;
  const fresh = await freshToken(sources);
  if (fresh !== undefined) return decoded(fresh);
  if (given !== undefined) return given;
  throw missing(sources.environment);
}

interface FoundToken {
  readonly value: string;
  readonly source: string;
}

function decoded({ source, value }: FoundToken): OidcToken {
  return { jwt: new Secret(value), source, claims: decodeClaims(value, source) };
}

function fromVariable(environment: OidcTokenSources['environment']): FoundToken | undefined {
  for (const source of VARIABLES) {
    const value = environment[source]?.trim() ?? '';
    if (value.length >= SHORTEST_TOKEN) return { value, source };
  }
  return undefined;
}

/** Teleport demands the organization's id as the audience, which is what CircleCI puts into the variable too. */
async function freshToken({ environment, commands, signal }: OidcTokenSources): Promise<FoundToken | undefined> {
  const audience = environment.CIRCLE_ORGANIZATION_ID;
  if (audience === undefined || audience === '') return undefined;
  const args = ['run', 'oidc', 'get', '--claims', JSON.stringify({ aud: audience })];
  const limits = { ...MINTING_LIMITS, ...(signal === undefined ? {} : { signal }) };
  for (const program of MINTING_PROGRAMS) {
    const { exitCode, stdout } = await commands.run(program, args, limits);
    signal?.throwIfAborted();
    const value = stdout.trim();
    if (exitCode === 0 && value.length >= SHORTEST_TOKEN) return { value, source: `${program} run oidc get` };
  }
  return undefined;
}

function missing(environment: OidcTokenSources['environment']): MachineIdError {
  const message = 'this job has no OIDC token: neither CIRCLE_OIDC_TOKEN nor CIRCLE_OIDC_TOKEN_V2 is set';
  if (environment.CIRCLECI !== 'true') {
    return new MachineIdError('OIDC_TOKEN_MISSING', `${message}, and this does not run on CircleCI`, {
      hint: 'Only a job on CircleCI gets the token; "circleci local execute" gets none. Run it in a pipeline. Into a container that a job starts itself, hand the variable on: docker run -e CIRCLE_OIDC_TOKEN.',
    });
  }
  if (isForkPullRequest(environment)) {
    return new MachineIdError('OIDC_TOKEN_MISSING', `${message}: it builds a pull request from a fork`, {
      hint: 'CircleCI withholds the token from forks unless the project setting "Pass secrets to builds from forked pull requests" is on. Better: skip this job for forks.',
    });
  }
  return new MachineIdError('OIDC_TOKEN_MISSING', `${message}, and CircleCI's agent gave no new one`, {
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
