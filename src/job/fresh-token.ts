/** A fresh OIDC token for a new join later in the job. CircleCI's variables keep the token from the start of the job. */
import { Secret } from '../effects/secret.ts';
import { MachineIdError } from '../errors.ts';
import { askAgent } from './oidc-agent.ts';
import { checkClaims, checkTimes } from './oidc-check.ts';
import { hasOnlyAudience, type OidcClaims, organizationOf } from './oidc-claims.ts';
import { obtainOidcToken } from './oidc-token.ts';
import type { OidcToken, OidcTokenSources } from './token-request.ts';

/**
 * Asks CircleCI's agent for a token with the issuer and audience of `first`, the token of the first join. If the agent prints
 * none, `first` itself is used while it is valid. A configured command is run again instead.
 * @param sources those of the first token
 * @throws MachineIdError OIDC_TOKEN_EXPIRED if there is neither; after a configured command, as `obtainOidcToken` does
 */
export async function obtainFreshToken(first: OidcToken, sources: OidcTokenSources): Promise<OidcToken> {
  if (first.origin === 'command') return obtainOidcToken(sources);
  const { refusals, token } = await freshFor(first, sources);
  if (token !== undefined) {
    const { claims, source, value } = token;
    const fresh: OidcToken = { jwt: new Secret(value), source, claims, origin: 'agent', agentRefusals: [] };
    checkClaims(fresh, sources.clock.nowMs(), sources.request);
    return fresh;
  }
  const old = { ...first, agentRefusals: refusals };
  try {
    checkTimes(old, sources.clock.nowMs());
  } catch (cause) {
    throw new MachineIdError(
      'OIDC_TOKEN_EXPIRED',
      "CircleCI's agent printed no new token, and the first one has expired",
      {
        lines: refusals,
        hint: 'Make sure that "circleci run oidc get" works in the job. Without it, credentials cannot be renewed after the first hour.',
        cause,
      },
    );
  }
  return old;
}

async function freshFor({ claims: { audiences, issuer } }: OidcToken, sources: OidcTokenSources) {
  // Teleport needs the organization's id, of which a token with several audiences may be the first or the last.
  const organization = organizationOf(issuer) ?? '';
  const audience = audiences.includes(organization) ? organization : audiences[0];
  if (audience === undefined) {
    return {
      token: undefined,
      refusals: ["CircleCI's agent was not asked for a token: the first one has no audience"],
    };
  }
  const accepts = (claims: OidcClaims) => claims.issuer === issuer && hasOnlyAudience(claims, audience);
  return askAgent({ ...sources, audience, accepts });
}
