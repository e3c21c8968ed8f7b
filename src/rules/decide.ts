/** Decides whether a join token admits a job, as Teleport does when the job joins. */

import { audienceFit, audienceText, organizationOf } from '../job/oidc-claims.ts';
import { type RuleClaims, ruleDifferences } from '../join/facts.ts';
import { CONTEXT_IDS, ORG_ID, PROJECT_ID } from './claim-names.ts';
import { decideGenericOidc } from './generic-oidc.ts';
import { type Claims, isJsonList, type Json } from './json.ts';
import type { GenericOidc, JoinToken } from './resource.ts';
import { type ClaimCheck, closeness, outcomeOfAll, type RuleVerdict, type Verdict } from './verdict.ts';

export interface Decision extends Verdict {
  /** Reasons why the token rejects the job regardless of its rules, one sentence each. */
  readonly obstacles: readonly string[];
}

/** The claims of a job's OIDC token, and where they come from: `CIRCLE_OIDC_TOKEN`, a file or the flags. */
export interface Job {
  readonly source: string;
  /** Without `aud` if only ids are known: then the audience is not checked. */
  readonly claims: Claims;
}

export function decide(token: JoinToken, job: Job, nowMs: number): Decision {
  const obstacles = [...obstaclesFor(token, nowMs), ...obstaclesOfJob(token, job)];
  const verdict = token.genericOidc
    ? decideGenericOidc(token.genericOidc, job.claims)
    : decideCircleCi(token, ruleClaimsOf(job.claims));
  const [first] = obstacles;
  if (first === undefined) return { ...verdict, obstacles };
  // The rules are not reached.
  return { ...verdict, obstacles, outcome: 'rejected', reason: first, panics: false };
}

function decideCircleCi({ rules }: JoinToken, claims: RuleClaims): Verdict {
  const verdicts = rules.map(({ line, rule }, at): RuleVerdict => {
    const differences = ruleDifferences(rule, claims);
    const checks = Object.entries({ project_id: rule.projectId, context_id: rule.contextId }).flatMap(
      ([field, expected]): readonly ClaimCheck[] => {
        if (expected === undefined) return [];
        const difference = differences.find((one) => one.field === field);
        const actual = difference === undefined ? '' : `the job has ${difference.actual.join(', ') || 'none'}`;
        return [
          { outcome: difference === undefined ? 'matches' : 'differs', expected: `${field} ${expected}`, actual },
        ];
      },
    );
    return { path: `allow[${at}]`, line, outcome: outcomeOfAll(checks), checks };
  });
  const matching = verdicts.find(({ outcome }) => outcome === 'matches');
  if (matching !== undefined) {
    return { outcome: 'admitted', rules: verdicts, reason: `${matching.path} admits it`, panics: false };
  }
  const differing = verdicts.map(({ checks, path }) => `${path}: ${closeness(checks)}`).join('; ');
  const reason = verdicts.length === 0 ? 'the token has no rules' : `no rule of allow matches (${differing})`;
  return { outcome: 'rejected', rules: verdicts, reason, panics: false };
}

/** The claims that rules of the method circleci are compared with. */
export function ruleClaimsOf(claims: Claims): RuleClaims {
  const contexts = claims[CONTEXT_IDS];
  return { projectId: textIn(claims[PROJECT_ID]), contextIds: textsIn(contexts) };
}

/** From the issuer, or from its own claim if there is no issuer. */
export function organizationIn(claims: Claims): string | undefined {
  const issuer = textIn(claims.iss);
  return issuer === undefined ? textIn(claims[ORG_ID]) : organizationOf(issuer);
}

/** Undefined without the claim. */
export function audiencesIn({ aud }: Claims): readonly string[] | undefined {
  return aud === undefined ? undefined : typeof aud === 'string' ? [aud] : textsIn(aud);
}

function textIn(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function textsIn(value: Json | undefined): readonly string[] {
  return isJsonList(value) ? value.filter((item) => typeof item === 'string') : [];
}

/** Reasons why the token rejects every job, one sentence each. */
export function obstaclesFor({ expiresAtMs, joinMethod, roles }: JoinToken, nowMs: number): readonly string[] {
  if (joinMethod !== 'circleci' && joinMethod !== 'generic_oidc') {
    return [`its join method is "${joinMethod}"; create a separate token with spec.join_method: circleci`];
  }
  const obstacles: string[] = [];
  if (!roles.includes('Bot')) obstacles.push('it does not allow bots to join; set spec.roles: [Bot] and spec.bot_name');
  if (expiresAtMs !== undefined && expiresAtMs <= nowMs) {
    const at = new Date(expiresAtMs).toISOString();
    obstacles.push(`it expired at ${at}; remove metadata.expires, since the name of this token is not a secret`);
  }
  return obstacles;
}

function obstaclesOfJob(token: JoinToken, job: Job): readonly string[] {
  if (token.genericOidc !== undefined) return obstaclesOfOidcToken(token.genericOidc, job);
  return token.joinMethod === 'circleci' ? obstaclesOfOrganization(token, job) : [];
}

/** With the method circleci, the issuer is that of the organization, and its ID is the audience. */
function obstaclesOfOrganization({ organizationId: expected }: JoinToken, { claims, source }: Job): readonly string[] {
  const organizationId = organizationIn(claims);
  const audiences = audiencesIn(claims);
  if (organizationId === undefined) {
    return [`the organization of the job is not known from ${source}; the token requires ${String(expected)}`];
  }
  if (organizationId !== expected) {
    return [
      `spec.circleci.organization_id is ${String(expected)}, but the job's organization is ${organizationId}; set organization_id: ${organizationId}`,
    ];
  }
  if (audiences === undefined) return [];
  const fit = audienceFit({ audiences, authorizedParty: textIn(claims.azp) }, organizationId);
  if (fit === 'right') return [];
  const actual = `${source} is for ${audienceText({ audiences })}`;
  return [
    fit === 'wrong'
      ? `${actual}, but Teleport accepts only ${organizationId}; run gets such a token from CircleCI's agent: ${command(organizationId)}`
      : `${actual}, which Teleport 17 and later reject; use a token whose only audience is ${organizationId}`,
  ];
}

function obstaclesOfOidcToken(
  { audience, hasStaticKeys, issuer }: GenericOidc,
  { claims, source }: Job,
): readonly string[] {
  const obstacles: string[] = [];
  const actualIssuer = textIn(claims.iss);
  if (actualIssuer !== issuer) {
    obstacles.push(`issuer is ${issuer}, but ${source} was issued by ${actualIssuer ?? 'an unknown issuer'}`);
  }
  const audiences = audiencesIn(claims);
  if (audiences === undefined) return obstacles;
  const actual = `${source} is for ${audienceText({ audiences })}`;
  if (!audiences.includes(audience)) {
    obstacles.push(`audience is ${audience}, but ${actual}; get a token for it: ${command(audience)}`);
  } else if (audiences.length > 1 && textIn(claims.azp) !== audience && !hasStaticKeys) {
    obstacles.push(`${actual}, and Teleport rejects several audiences; get a token for one: ${command(audience)}`);
  }
  return obstacles;
}

function command(audience: string): string {
  return `circleci run oidc get --claims '${JSON.stringify({ aud: audience })}'`;
}
