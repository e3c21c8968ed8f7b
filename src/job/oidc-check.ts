/** Refuses an OIDC token that the cluster could only refuse, before anything is sent. */
import { CLOCK_TOLERANCE_MS, clockNotice, notBegun, utcTime } from '../crypto/validity.ts';
import { MachineIdError } from '../errors.ts';
import type { OidcClaims } from './oidc-claims.ts';

/** The issuer of CircleCI Cloud; Teleport has it compiled in. */
const CLOUD_ISSUER = /^https:\/\/oidc\.circleci\.com\/org\/[0-9A-Za-z-]+$/;
const ROOT_ISSUER = 'https://oidc.circleci.com';

/**
 * @param source where the token was found, for messages
 * @throws MachineIdError OIDC_TOKEN_ISSUER, OIDC_TOKEN_EXPIRED, OIDC_TOKEN_NOT_YET_VALID
 */
export function checkClaims(claims: OidcClaims, source: string, nowMs: number): void {
  checkIssuer(claims.issuer, source);
  checkTimes(claims, source, nowMs);
}

/** @throws MachineIdError OIDC_TOKEN_EXPIRED, OIDC_TOKEN_NOT_YET_VALID */
export function checkTimes(claims: OidcClaims, source: string, nowMs: number): void {
  if (claims.expiresAtMs <= nowMs) {
    throw new MachineIdError(
      'OIDC_TOKEN_EXPIRED',
      `${source} has expired: it was valid until ${utcTime(claims.expiresAtMs)}, and it is ${utcTime(nowMs)}`,
      {
        hint: 'CircleCI issues the token when the job starts, for about an hour, and its agent gave no newer one: call run in an earlier step of the job, or check the clock of a self-hosted runner.',
      },
    );
  }
  if (validFromMs(claims) > nowMs + CLOCK_TOLERANCE_MS) {
    throw new MachineIdError(
      'OIDC_TOKEN_NOT_YET_VALID',
      `${source} is not valid yet: ${notBegun('it', validFromMs(claims), nowMs)}`,
      { hint: 'The clock of this runner is behind: set it by NTP.' },
    );
  }
}

/** A sentence when the token proves that the clock of this machine is behind. */
export function tokenClockNotice(claims: OidcClaims, nowMs: number): string | undefined {
  return clockNotice(validFromMs(claims), nowMs);
}

function validFromMs({ issuedAtMs, notBeforeMs = 0 }: OidcClaims): number {
  return Math.max(notBeforeMs, issuedAtMs);
}

/** @throws MachineIdError OIDC_TOKEN_ISSUER */
export function checkIssuer(issuer: string, source: string): void {
  if (CLOUD_ISSUER.test(issuer)) return;
  if (issuer === ROOT_ISSUER) {
    throw new MachineIdError(
      'OIDC_TOKEN_ISSUER',
      `${source} was issued by ${issuer}, expected ${ROOT_ISSUER}/org/<organization id>`,
      { hint: "Make the token without --root-issuer: Teleport verifies tokens of the organization's own issuer." },
    );
  }
  throw new MachineIdError(
    'OIDC_TOKEN_ISSUER',
    `${source} was issued by ${shown(issuer)}, expected ${ROOT_ISSUER}/org/<organization id>: it looks like a token of a CircleCI server installation`,
    {
      hint: "Teleport's circleci join method verifies tokens of CircleCI Cloud only; on CircleCI server use another join method with tbot.",
    },
  );
}

/** An issuer is a URL of the job's own making: shown short and without control characters. */
function shown(issuer: string): string {
  return JSON.stringify(issuer.slice(0, 200));
}
