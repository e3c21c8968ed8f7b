/** Rejects an OIDC token that the cluster would reject, before anything is sent. */
import { CLOCK_TOLERANCE_MS, clockNotice, notYetValid, utcTime } from '../crypto/validity.ts';
import { MachineIdError } from '../errors.ts';
import { audienceFit, audienceText, type OidcClaims, organizationOf, ROOT_ISSUER } from './oidc-claims.ts';
import { checkGenericAudience, genericNotices } from './oidc-generic-check.ts';
import type { ObtainedToken, TokenRequest } from './token-request.ts';

/** The issuer of CircleCI Cloud; Teleport has it compiled in. */
const CLOUD_ISSUER = /^https:\/\/oidc\.circleci\.com\/org\/[0-9A-Za-z-]+$/;

/** @throws MachineIdError OIDC_TOKEN_ISSUER_MISMATCH, OIDC_TOKEN_AUDIENCE_MISMATCH, OIDC_TOKEN_EXPIRED, OIDC_TOKEN_NOT_YET_VALID */
export function checkClaims(token: ObtainedToken, nowMs: number, request?: TokenRequest): void {
  if (request?.joinMethod === 'generic_oidc') checkGenericAudience(token, request);
  else {
    checkIssuer(token);
    checkAudience(token);
  }
  checkTimes(token, nowMs);
}

/** @throws MachineIdError OIDC_TOKEN_AUDIENCE_MISMATCH */
export function checkAudience(token: ObtainedToken): void {
  const { agentRefusals: lines, claims, source } = token;
  const organization = organizationOf(claims.issuer) ?? '';
  if (audienceFit(claims, organization) !== 'wrong') return;
  throw new MachineIdError(
    'OIDC_TOKEN_AUDIENCE_MISMATCH',
    `${source} is for ${audienceText(claims)}, expected the organization's id ${organization}`,
    { lines, ...adviceForAudience(token, organization) },
  );
}

function adviceForAudience({ origin, source }: ObtainedToken, organization: string) {
  const command = `circleci run oidc get --claims '{"aud":"${organization}"}'`;
  if (origin === 'named variable') {
    return {
      hint: `Create the token in ${source} with ${command}, or omit --oidc-token: this token is never replaced.`,
    };
  }
  return {
    likelyCauses: [
      "the organization has custom claims, and CircleCI uses their audience for the job's token",
      `a context, a project setting or a step sets ${source}`,
    ],
    hint: `Run the job again: CircleCI's agent can create the right token (${command}). If it cannot, remove the audience from the organization's custom claims (CircleCI's API: /org/${organization}/oidc-custom-claims).`,
  };
}

/** @throws MachineIdError OIDC_TOKEN_EXPIRED, OIDC_TOKEN_NOT_YET_VALID */
export function checkTimes(token: ObtainedToken, nowMs: number): void {
  const { agentRefusals: lines, claims, source } = token;
  if (claims.expiresAtMs <= nowMs) {
    throw new MachineIdError(
      'OIDC_TOKEN_EXPIRED',
      `${source} has expired: it was valid until ${utcTime(claims.expiresAtMs)}, and it is ${utcTime(nowMs)}`,
      { lines, hint: EXPIRED_HINTS[token.origin] },
    );
  }
  if (validFromMs(claims) > nowMs + CLOCK_TOLERANCE_MS) {
    throw new MachineIdError(
      'OIDC_TOKEN_NOT_YET_VALID',
      `${source} is not valid yet: ${notYetValid('it', validFromMs(claims), nowMs)}`,
      { hint: 'Set the clock of this runner with NTP: it is behind.' },
    );
  }
}

const EXPIRED_HINTS: Readonly<Record<ObtainedToken['origin'], string>> = {
  variable:
    'Call "run" in an earlier step of the job, or check the clock of a self-hosted runner. CircleCI issues the token when the job starts, for about an hour, and its agent printed no newer one.',
  'named variable':
    'Create this token right before the step that calls "run", or omit --oidc-token to use a fresh token.',
  'configured variable':
    'Create this token right before the step that calls "run", or set --audience instead to use a fresh token.',
  command: "Make the command print a fresh token, and compare this runner's clock with NTP.",
  agent: "Set the clock of this runner with NTP: CircleCI's agent has just created this token, so the clock is ahead.",
};

/** Warnings about a token that is used anyway: a clock that is behind, an audience that newer clusters reject. */
export function tokenNotices(token: ObtainedToken, nowMs: number, request?: TokenRequest): readonly string[] {
  const ofMethod = request?.joinMethod === 'generic_oidc' ? genericNotices(token) : [audienceNotice(token)];
  return [tokenClockNotice(token.claims, nowMs), ...ofMethod].flatMap((one) => one ?? []);
}

/** A clause if the token proves that this machine's clock is behind. */
export function tokenClockNotice(claims: OidcClaims, nowMs: number): string | undefined {
  return clockNotice(validFromMs(claims), nowMs);
}

/** A sentence if the token has the right audience among others. */
export function audienceNotice({ claims, source }: ObtainedToken): string | undefined {
  if (audienceFit(claims, organizationOf(claims.issuer) ?? '') !== 'before Teleport 17') return undefined;
  return `${source} is for ${audienceText(claims)}: Teleport 17 and later reject a token with several audiences unless the claim azp is the organization's id`;
}

function validFromMs({ issuedAtMs, notBeforeMs = 0 }: OidcClaims): number {
  return Math.max(notBeforeMs, issuedAtMs);
}

/** @throws MachineIdError OIDC_TOKEN_ISSUER_MISMATCH */
export function checkIssuer({ claims: { issuer }, origin, source }: ObtainedToken): void {
  if (CLOUD_ISSUER.test(issuer)) return;
  if (issuer === ROOT_ISSUER) {
    throw new MachineIdError(
      'OIDC_TOKEN_ISSUER_MISMATCH',
      `${source} was issued by ${issuer}, expected ${ROOT_ISSUER}/org/<organization id>`,
      {
        hint:
          origin === 'agent'
            ? "This token comes from CircleCI's agent: pass CIRCLE_OIDC_TOKEN to this step instead."
            : "Create the token without --root-issuer: Teleport only verifies tokens of the organization's own issuer.",
      },
    );
  }
  throw new MachineIdError(
    'OIDC_TOKEN_ISSUER_MISMATCH',
    `${source} was issued by ${shown(issuer)}, expected ${ROOT_ISSUER}/org/<organization id>: it looks like a token from a CircleCI server installation`,
    {
      hint: `Teleport's circleci join method only verifies tokens of CircleCI Cloud. On CircleCI server, join with --join-method generic_oidc and --audience (Teleport 18.11 and later), with a join token whose spec.generic_oidc has issuer: ${shown(issuer)}; if the certificate of the server is from a private authority, also tls_ca; if the Auth Service cannot reach the server, static_jwks.`,
    },
  );
}

/** The job can choose the issuer, so it is truncated and quoted. */
function shown(issuer: string): string {
  return JSON.stringify(issuer.slice(0, 200));
}
