/**
 * Explains the refusal of a join by generic_oidc, for which Teleport gives clients no reason: what this program can see itself, and
 * what the rules are compared with (generic-oidc.md, "The wire").
 */
import { utcTime } from '../crypto/validity.ts';
import { MachineIdError } from '../errors.ts';
import { audienceText, circleCiServerOf, type OidcClaims, ROOT_ISSUER } from '../job/oidc-claims.ts';
import type { JoinFacts } from './facts.ts';
import { missingClaims, ruleLines } from './generic-oidc-rule.ts';

/** Soon enough for clocks that differ, and for a slow join. */
const SOON_MS = 60_000;

/** @param where the cluster, for messages */
export function maskedRefusal(facts: JoinFacts, where: string, said: string, cause?: unknown): MachineIdError {
  const { checkedAtMs, claims, tokenName } = facts;
  return new MachineIdError(
    'JOIN_GENERIC_OIDC_REFUSED',
    `${where} refused this job's OIDC token for join token "${tokenName}", or its rules reject the job; it gives no reason: ${said}`,
    {
      lines: claims === undefined ? [] : ['a join token that admits exactly this job has:', ...ruleLines(claims)],
      likelyCauses: claims === undefined ? [] : causesOf(claims, facts),
      hint: `Look in the log of the Auth Service for "denying generic_oidc join attempt" at ${utcTime(checkedAtMs)}: it has the reason. Compare spec.generic_oidc in "tctl get token/${tokenName}" with the lines above, or with --token-file FILE, which prints what that token decides about the job.`,
      cause,
    },
  );
}

/** What is certain first; the rules of the join token are not known here. */
function causesOf(claims: OidcClaims, facts: JoinFacts): readonly string[] {
  return [
    ...ofTheToken(claims),
    ...ofTimes(facts),
    ...ofTheAudience(claims),
    ...ofTheJob(claims),
    `spec.generic_oidc.issuer is not exactly ${claims.issuer}`,
    ...ofTheIssuer(claims),
  ];
}

/** Teleport refuses these whatever the join token has, except that static_jwks allows several audiences. */
function ofTheToken(claims: OidcClaims): readonly string[] {
  return [
    ...(claims.audiences.length > 1 && claims.authorizedParty === undefined
      ? [`the token is for ${audienceText(claims)}: with several and no claim azp, it is refused`]
      : []),
    ...(claims.namesKey ? [] : ['the header of the token does not name its key (kid)']),
  ];
}

function ofTimes({ checkedAtMs, expiresAtMs, issuedAtMs }: JoinFacts): readonly string[] {
  if (expiresAtMs - checkedAtMs < SOON_MS) {
    return [`the token expires at ${utcTime(expiresAtMs)}, and has perhaps expired by the clock of the Auth Service`];
  }
  if (issuedAtMs <= checkedAtMs + 1000) return [];
  return [`the token was issued at ${utcTime(issuedAtMs)}, which is in the future by this machine's clock`];
}

function ofTheAudience(claims: OidcClaims): readonly string[] {
  const { audiences, organizationId } = claims;
  const isDefault = organizationId !== undefined && audiences.includes(organizationId);
  return [
    isDefault
      ? "the token is for the organization's id, as CircleCI's default tokens are, and spec.generic_oidc.audience is another: set --audience to that"
      : `spec.generic_oidc.audience is not ${audiences.join(', ')}`,
  ];
}

function ofTheJob(claims: OidcClaims): readonly string[] {
  const { sshRerun, vcsOrigin = 'unknown', vcsRef = 'unknown' } = claims;
  const missing = missingClaims(claims);
  return [
    ...(missing.length === 0
      ? []
      : [`the token has no claim ${missing.join(' and ')}: a rule that needs one rejects it`]),
    ...(sshRerun ? ['this job was rerun with SSH, which the rules may exclude'] : []),
    `the rules are for another branch or tag (this is ${vcsRef}), repository (${vcsOrigin}), project or context`,
  ];
}

function ofTheIssuer({ issuer }: OidcClaims): readonly string[] {
  const server = circleCiServerOf(issuer);
  if (server !== undefined) {
    return [
      `the Auth Service cannot reach https://${server}: let it, or set static_jwks in the join token; with a private certificate authority, set tls_ca`,
    ];
  }
  if (issuer === ROOT_ISSUER)
    return ['the token was created with --root-issuer, and the join token expects the organization in the issuer'];
  return [`the Auth Service cannot reach ${issuer}`];
}
