/** Refuses an OIDC token that the cluster could only refuse, before anything is sent. */
import { CLOCK_TOLERANCE_MS, clockNotice, notYetValid, utcTime } from '../crypto/validity.ts';
import { MachineIdError } from '../errors.ts';
import { audienceFit, type OidcClaims, organizationOf } from './oidc-claims.ts';

/** A token and where it comes from, which decides what a person can do about it. */
export interface ObtainedToken {
  readonly claims: OidcClaims;
  /** A variable's name or a command line. */
  readonly source: string;
  readonly origin: 'variable' | 'named variable' | 'agent';
  /** What CircleCI's agent answered when it was asked for a better one and gave none: one line for each program. */
  readonly agentRefusals: readonly string[];
}

/** The issuer of CircleCI Cloud; Teleport has it compiled in. */
const CLOUD_ISSUER = /^https:\/\/oidc\.circleci\.com\/org\/[0-9A-Za-z-]+$/;
const ROOT_ISSUER = 'https://oidc.circleci.com';

/** @throws MachineIdError OIDC_TOKEN_ISSUER_MISMATCH, OIDC_TOKEN_AUDIENCE_MISMATCH, OIDC_TOKEN_EXPIRED, OIDC_TOKEN_NOT_YET_VALID */
export function checkClaims(token: ObtainedToken, nowMs: number): void {
  checkIssuer(token);
  checkAudience(token);
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
    return { hint: `Make the token in ${source} by ${command}, or leave --oidc-token out: it is never replaced.` };
  }
  return {
    likelyCauses: [
      "the organization has custom claims: CircleCI puts their audience into the job's token",
      `a context, a project setting or a step sets ${source}`,
    ],
    hint: `Run the job again, since CircleCI's agent can make the right token (${command}). If it cannot, remove the audience from the organization's custom claims (CircleCI's API: /org/${organization}/oidc-custom-claims).`,
  };
}

/** Audiences are texts of the organization's choice: shown short. */
export function audienceText({ audiences }: Pick<OidcClaims, 'audiences'>): string {
  if (audiences.length === 0) return 'no audience';
  const text = audiences.join(', ');
  const shown = text.length <= 200 ? text : `${text.slice(0, 200)}...`;
  return `the audience${audiences.length === 1 ? '' : 's'} ${shown}`;
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
      { hint: 'The clock of this runner is behind: set it by NTP.' },
    );
  }
}

const EXPIRED_HINTS: Readonly<Record<ObtainedToken['origin'], string>> = {
  variable:
    'CircleCI issues the token when the job starts, for about an hour, and its agent gave no newer one: call run in an earlier step of the job, or check the clock of a self-hosted runner.',
  'named variable':
    'Make this token right before the step that calls run, or leave --oidc-token out: then a fresh token is used.',
  agent: "CircleCI's agent made this token just now, so the clock of this runner is ahead: set it by NTP.",
};

/** Sentences about a token that is used as it is: a clock that is behind, an audience that newer clusters refuse. */
export function tokenNotices(token: ObtainedToken, nowMs: number): readonly string[] {
  return [tokenClockNotice(token.claims, nowMs), audienceNotice(token)].flatMap((one) => one ?? []);
}

/** A sentence when the token proves that the clock of this machine is behind. */
export function tokenClockNotice(claims: OidcClaims, nowMs: number): string | undefined {
  return clockNotice(validFromMs(claims), nowMs);
}

/** A sentence when the token has the right audience among others. */
export function audienceNotice({ claims, source }: ObtainedToken): string | undefined {
  if (audienceFit(claims, organizationOf(claims.issuer) ?? '') !== 'before Teleport 17') return undefined;
  return `${source} is for ${audienceText(claims)}: Teleport 17 and later refuse a token of several audiences unless the claim azp is the organization's id`;
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
            ? "CircleCI's agent gave this token unasked: put CIRCLE_OIDC_TOKEN into the environment of this step."
            : "Make the token without --root-issuer: Teleport verifies tokens of the organization's own issuer.",
      },
    );
  }
  throw new MachineIdError(
    'OIDC_TOKEN_ISSUER_MISMATCH',
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
