/** Holds a job against a join token, as Teleport does when the job joins (protocol reference 2.5). */
import { audienceText } from '../../job/oidc-check.ts';
import { audienceFit } from '../../job/oidc-claims.ts';
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
  /** Of the job's OIDC token; undefined when only ids are known. */
  readonly audiences?: readonly string[] | undefined;
  readonly authorizedParty?: string | undefined;
  /** Where they come from: `CIRCLE_OIDC_TOKEN`, a file, the flags. */
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
  /** What keeps the job out whatever the rules say: one sentence each. */
  readonly obstacles: readonly string[];
  readonly rules: readonly ExplainedRule[];
  /** The rule to add, when that is what is missing. */
  readonly add: AllowRule | undefined;
  /** What the rule to add would admit besides. */
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

/** What keeps every job out: one sentence each. */
export function obstaclesFor({ expiresAtMs, joinMethod, roles }: JoinToken, nowMs: number): readonly string[] {
  if (joinMethod !== 'circleci') {
    return [`it is for the join method "${joinMethod}"; set spec.join_method: circleci in a token of its own`];
  }
  const obstacles: string[] = [];
  if (!roles.includes('Bot')) obstacles.push('it does not let a bot join; set spec.roles: [Bot] and spec.bot_name');
  if (expiresAtMs !== undefined && expiresAtMs <= nowMs) {
    const at = new Date(expiresAtMs).toISOString();
    obstacles.push(`it expired at ${at}; leave metadata.expires out, since the name of this token is no secret`);
  }
  return obstacles;
}

/** Teleport expects tokens of the organization's own issuer, with the organization as their audience too. */
function obstaclesOfJob({ organizationId: wanted }: JoinToken, job: JobFacts): readonly string[] {
  const { audiences, organizationId, source } = job;
  if (organizationId === undefined) {
    return [`the job's organization is not known from ${source}; the token wants ${String(wanted)}`];
  }
  if (organizationId !== wanted) {
    return [
      `spec.circleci.organization_id is ${String(wanted)}, the job is of ${organizationId}; write organization_id: ${organizationId}`,
    ];
  }
  if (audiences === undefined) return [];
  const fit = audienceFit({ audiences, authorizedParty: job.authorizedParty }, organizationId);
  if (fit === 'right') return [];
  const said = `${source} is for ${audienceText({ audiences })}`;
  return [
    fit === 'wrong'
      ? `${said}, and Teleport takes only ${organizationId}; a run asks CircleCI's agent for such a token: circleci run oidc get --claims '{"aud":"${organizationId}"}'`
      : `${said}, which Teleport 17 and later refuse; use a token whose only audience is ${organizationId}`,
  ];
}
