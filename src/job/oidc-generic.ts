/**
 * Finds the OIDC token of the join method `generic_oidc`: in a variable, from a command, or from CircleCI's agent. Each is
 * the only source if it is configured, so that a token for another server never takes the place of the right one.
 */
import { Secret } from '../effects/secret.ts';
import { MachineIdError } from '../errors.ts';
import { askAgent, withoutTokens } from './oidc-agent.ts';
import { decodeClaims, hasOnlyAudience, type OidcClaims } from './oidc-claims.ts';
import { defaultToken, missingToken, variableToken } from './oidc-variables.ts';
import type { GenericTokenRequest, OidcToken, OidcTokenSources, TokenSource } from './token-request.ts';

/** @throws MachineIdError OIDC_TOKEN_MISSING, OIDC_TOKEN_MALFORMED */
export async function findGenericToken(request: GenericTokenRequest, sources: OidcTokenSources): Promise<OidcToken> {
  const { audience, source } = request;
  switch (source?.kind) {
    case 'variable':
      return tokenFromVariable(source, sources);
    case 'command':
      return tokenFromCommand(source, sources);
    case undefined:
      return audience === undefined ? defaultToken(sources, isCurrent) : tokenForAudience(audience, sources);
    default:
      return source satisfies never;
  }
}

function tokenFromVariable(
  { name, setting }: TokenSource & { readonly kind: 'variable' },
  sources: OidcTokenSources,
): OidcToken {
  const otherwise = `remove ${setting} and set --audience, so that CircleCI's agent is asked for the token`;
  return variableToken({ name, namedBy: setting, origin: 'configured variable', otherwise }, sources);
}

/** Of CircleCI's default token, only the cluster knows whether its audience is the right one. */
function isCurrent({ expiresAtMs }: OidcClaims, nowMs: number): boolean {
  return expiresAtMs > nowMs;
}

// CircleCI's agent.

async function tokenForAudience(audience: string, sources: OidcTokenSources): Promise<OidcToken> {
  const accepts = (claims: OidcClaims) => hasOnlyAudience(claims, audience);
  const { refusals, token } = await askAgent({ ...sources, audience, accepts });
  if (token !== undefined) {
    const { claims, source, value } = token;
    return { jwt: new Secret(value), source, claims, origin: 'agent', agentRefusals: [] };
  }
  const what = `this job has no OIDC token for the audience ${JSON.stringify(audience)}`;
  throw missingToken(sources.environment, refusals, what);
}

// A command of the configuration, which prints the token and nothing else.

const MAX_BYTES = 64 * 1024;
const JWT = /[\w-]+\.[\w-]+\.[\w-]+/g;

async function tokenFromCommand(
  command: TokenSource & { readonly kind: 'command' },
  { commands, environment, mask, signal }: OidcTokenSources,
): Promise<OidcToken> {
  const { args, program, setting, timeoutMs } = command;
  const directory = environment.HOME ?? environment.USERPROFILE;
  const ended = await commands.run(program, args, {
    timeoutMs,
    maxBytes: MAX_BYTES,
    ...(directory === undefined || directory === '' ? {} : { directory }),
    ...(signal === undefined ? {} : { signal }),
  });
  signal?.throwIfAborted();
  for (const [found] of ended.stdout.matchAll(JWT)) mask.hide(found);
  const problem = problemOf(ended, timeoutMs);
  if (problem !== undefined) throw failedCommand(command, problem, withoutTokens(ended.stderr));
  const value = ended.stdout.trim();
  mask.hide(value);
  if (value === '') throw failedCommand(command, 'printed nothing to stdout', withoutTokens(ended.stderr));
  const source = `the output of ${setting}`;
  const claims = decodeClaims(
    value,
    source,
    'Print the token and nothing else to stdout; anything else belongs on stderr.',
  );
  return { jwt: new Secret(value), source, claims, origin: 'command', agentRefusals: [] };
}

type Ended = Awaited<ReturnType<OidcTokenSources['commands']['run']>>;

function problemOf({ exitCode, missing, stoppedFor }: Ended, timeoutMs: number): string | undefined {
  if (exitCode === 0) return undefined;
  if (missing === true) return 'was not found: it is neither on PATH nor a path of a program';
  if (exitCode !== undefined) return `failed with exit code ${exitCode}`;
  switch (stoppedFor) {
    case 'time':
      return `did not exit within ${timeoutMs / 1000} s`;
    case 'output':
      return `printed more than ${MAX_BYTES / 1024} KiB`;
    case undefined:
      return 'could not be started, or was killed';
    default:
      return stoppedFor satisfies never;
  }
}

/** The arguments may contain a secret, so they are not repeated. */
function failedCommand(
  { program, setting }: TokenSource & { readonly kind: 'command' },
  problem: string,
  stderr: string,
): MachineIdError {
  return new MachineIdError('OIDC_TOKEN_MISSING', `${setting}: ${JSON.stringify(program)} ${problem}`, {
    lines: stderr === '' ? [] : [`stderr: ${stderr}`],
    hint: "Run the command in an earlier step to see what it prints. It runs without a shell, in the home directory; onboarding.generic_oidc.timeout is how long it may take. For a token of CircleCI, remove it and set --audience, so that CircleCI's agent is asked.",
  });
}
