/** Finds the job's OIDC token. */
import { checkClaims } from './oidc-check.ts';
import { findGenericToken } from './oidc-generic.ts';
import { defaultToken, mayBeAccepted, VARIABLES, variableToken } from './oidc-variables.ts';
import type { OidcToken, OidcTokenSources, TokenRequest } from './token-request.ts';

const CIRCLECI: TokenRequest = { joinMethod: 'circleci' };

/**
 * The token from CircleCI's variables, or if Teleport could not accept it, a fresh one from CircleCI's agent. A variable that
 * the user names is the only source: the job created that token on purpose, so it is never replaced. `findGenericToken` has
 * the sources of the join method generic_oidc.
 * @throws MachineIdError OIDC_TOKEN_MISSING, OIDC_TOKEN_MALFORMED, OIDC_TOKEN_ISSUER_MISMATCH, OIDC_TOKEN_AUDIENCE_MISMATCH, OIDC_TOKEN_EXPIRED, OIDC_TOKEN_NOT_YET_VALID
 */
export async function obtainOidcToken(sources: OidcTokenSources): Promise<OidcToken> {
  const token = await findOidcToken(sources);
  checkClaims(token, sources.clock.nowMs(), sources.request);
  return token;
}

/**
 * The same without checking the claims.
 * @throws MachineIdError OIDC_TOKEN_MISSING, OIDC_TOKEN_MALFORMED
 */
export async function findOidcToken(sources: OidcTokenSources): Promise<OidcToken> {
  const { environment, mask, request = CIRCLECI, variable = 'CIRCLE_OIDC_TOKEN' } = sources;
  for (const name of VARIABLES) mask.hide(environment[name]?.trim() ?? '');
  if (variable !== 'CIRCLE_OIDC_TOKEN') return namedToken(variable, sources);
  if (request.joinMethod === 'circleci') return defaultToken(sources, mayBeAccepted);
  return findGenericToken(request, sources);
}

function namedToken(name: string, sources: OidcTokenSources): OidcToken {
  const isGeneric = sources.request?.joinMethod === 'generic_oidc';
  const otherwise = isGeneric
    ? "omit --oidc-token and set --audience, so that CircleCI's agent is asked for the token"
    : 'omit --oidc-token to use the token that CircleCI sets';
  return variableToken({ name, namedBy: '--oidc-token', origin: 'named variable', otherwise }, sources);
}
