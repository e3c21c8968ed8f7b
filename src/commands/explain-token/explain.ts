/** Decides whether a join token allows a job, as Teleport does when the job joins (protocol reference 2.5). */
import { audienceFit, audienceText } from '../../job/oidc-claims.ts';
import {
  type AllowRule,
  alsoAllows,
  narrowestRule,
  type RuleClaims,
  type RuleDifference,
  ruleDifferences,
} from '../../join/facts.ts';
import type { JoinToken } from './resource.ts';

export interface JobFacts extends RuleClaims {
  /** The audiences of the job's OIDC token; undefined when only IDs are known. */
  readonly audiences?: readonly string[] | undefined;
  readonly authorizedParty?: string | undefined;
  /** Where the facts come from: `CIRCLE_OIDC_TOKEN`, a file or the flags. */
  readonly source: string;
  readonly organizationId: string | undefined;
}

export interface ExplainedRule {
  readonly line: number | undefined;
  readonly rule: AllowRule;
  readonly differences: readonly RuleDifference[];
}

export interface Explanation {
  readonly allows: boolean;
  /** Reasons why the token rejects the job regardless of its rules, one sentence each. */
  readonly obstacles: readonly string[];
  readonly rules: readonly ExplainedRule[];
  /** The rule to add; undefined if a rule matches or no rule would help. */
  readonly add: AllowRule | undefined;
  /** What else the rule to add would allow. */
  readonly alsoAllows: readonly string[];
}

export function explainToken(token: JoinToken, job: JobFacts, nowMs: number): Explanation {
  const rules = token.rules.map(({ line, rule }) => ({ line, rule, differences: ruleDifferences(rule, job) }));
  const obstacles = obstaclesOf(token, job, nowMs);
  const matches = rules.some(({ differences }) => differences.length === 0);
  const add = matches || token.joinMethod !== 'circleci' ? undefined : narrowestRule(job);
  return {
    allows: matches && obstacles.length === 0,
    obstacles,
    rules,
    add,
    alsoAllows: add === undefined ? [] : alsoAllows(add),
  };
}

function obstaclesOf(token: JoinToken, job: JobFacts, nowMs: number): readonly string[] {
  const own = obstaclesFor(token, nowMs);
  return token.joinMethod === 'circleci' ? [...own, ...obstaclesOfJob(token, job)] : own;
}

/** Reasons why the token rejects every job, one sentence each. */
export function obstaclesFor({ expiresAtMs, joinMethod, roles }: JoinToken, nowMs: number): readonly string[] {
  if (joinMethod !== 'circleci') {
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

/** Teleport expects an OIDC token from the organization's issuer, with the organization ID as its audience. */
function obstaclesOfJob({ organizationId: expected }: JoinToken, job: JobFacts): readonly string[] {
  const { audiences, organizationId, source } = job;
  if (organizationId === undefined) {
    return [`the organization of the job is not known from ${source}; the token requires ${String(expected)}`];
  }
  if (organizationId !== expected) {
    return [
      `spec.circleci.organization_id is ${String(expected)}, but the job's organization is ${organizationId}; set organization_id: ${organizationId}`,
    ];
  }
  if (audiences === undefined) return [];
  const fit = audienceFit({ audiences, authorizedParty: job.authorizedParty }, organizationId);
  if (fit === 'right') return [];
  const actual = `${source} is for ${audienceText({ audiences })}`;
  return [
    fit === 'wrong'
      ? `${actual}, but Teleport accepts only ${organizationId}; run gets such a token from CircleCI's agent: circleci run oidc get --claims '{"aud":"${organizationId}"}'`
      : `${actual}, which Teleport 17 and later reject; use a token whose only audience is ${organizationId}`,
  ];
}
