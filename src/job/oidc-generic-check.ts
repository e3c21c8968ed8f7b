/** Rejects an OIDC token that is not the one to join with by generic_oidc, and warns about one that the cluster may reject. */
import { MachineIdError } from '../errors.ts';
import { audienceText, hasOnlyAudience } from './oidc-claims.ts';
import type { GenericTokenRequest, ObtainedToken } from './token-request.ts';

/**
 * Only the join token has the right audience if the configuration has none.
 * @throws MachineIdError OIDC_TOKEN_AUDIENCE_MISMATCH
 */
export function checkGenericAudience(
  token: ObtainedToken,
  { audience, source: configured }: GenericTokenRequest,
): void {
  const { claims, origin, source } = token;
  if (audience === undefined || hasOnlyAudience(claims, audience)) return;
  const setting = origin === 'named variable' ? '--oidc-token' : (configured?.setting ?? '');
  throw new MachineIdError(
    'OIDC_TOKEN_AUDIENCE_MISMATCH',
    `${source} is for ${audienceText(claims)}, expected only ${JSON.stringify(audience)}, which --audience names`,
    {
      hint: `Remove ${setting}, so that CircleCI's agent is asked for the token, or create that token with circleci run oidc get --claims '${JSON.stringify({ aud: audience })}'. No other token is used instead.`,
    },
  );
}

/** What Teleport may reject, or what makes the token weaker than it can be (generic-oidc.md, "The JWT"). */
export function genericNotices({ claims, source }: ObtainedToken): readonly string[] {
  const { audiences, authorizedParty, namesKey, organizationId } = claims;
  return [
    ...(audiences.length > 1 && authorizedParty === undefined
      ? [`${source} is for ${audienceText(claims)}: Teleport rejects a token with several audiences and no claim azp`]
      : []),
    ...(namesKey ? [] : [`the header of ${source} does not name its key (kid): Teleport may reject it`]),
    ...(organizationId !== undefined && audiences.includes(organizationId)
      ? [
          `${source} is for the organization's id, as is the default token that jobs send to other servers, which could join with it too: choose another audience in the join token, and set --audience to it`,
        ]
      : []),
  ];
}
