/** What a join token decides about a job, what to add to it, and what else it admits. */
import { type AllowRule, alsoAllows, narrowestRule, type RuleDifference, ruleDifferences } from '../../join/facts.ts';
import { ORG_ID } from '../../rules/claim-names.ts';
import { audiencesIn, type Decision, decide, type Job, organizationIn, ruleClaimsOf } from '../../rules/decide.ts';
import type { JoinToken } from '../../rules/resource.ts';
import { type Variant, variantsOf } from '../../rules/variants.ts';

/** A rule of the method circleci. */
export interface ExplainedRule {
  readonly line: number | undefined;
  readonly rule: AllowRule;
  readonly differences: readonly RuleDifference[];
}

export interface Explanation extends Omit<Decision, 'rules'> {
  readonly allows: boolean;
  readonly rules: readonly ExplainedRule[];
  /** Of the method generic_oidc. */
  readonly verdicts: Decision['rules'];
  /** The rule to add; undefined if a rule matches or no rule would help. */
  readonly add: AllowRule | undefined;
  /** What else the rule to add would allow. */
  readonly alsoAllows: readonly string[];
  /** Jobs like this one, and what the token decides about them. */
  readonly variants: readonly (Pick<Variant, 'name' | 'jobs'> & Pick<Decision, 'outcome' | 'panics' | 'reason'>)[];
  /** Sentences about how the job gets a token that this decision is about. */
  readonly notes: readonly string[];
}

export function explainToken(token: JoinToken, given: Job, nowMs: number): Explanation {
  const { job, notes } = withAudience(token, given);
  const decision = decide(token, job, nowMs);
  const claims = ruleClaimsOf(job.claims);
  const rules = token.rules.map(({ line, rule }) => ({ line, rule, differences: ruleDifferences(rule, claims) }));
  const matches = rules.some(({ differences }) => differences.length === 0);
  const add = matches || token.joinMethod !== 'circleci' ? undefined : narrowestRule(claims);
  return {
    ...decision,
    allows: decision.outcome === 'admitted',
    rules,
    verdicts: token.genericOidc === undefined ? [] : decision.rules,
    add,
    alsoAllows: add === undefined ? [] : alsoAllows(add),
    variants: decision.outcome === 'admitted' ? variantsFor(token, job, nowMs) : [],
    notes,
  };
}

/** With generic_oidc, run asks CircleCI's agent for a token with the audience; its other claims are those of the default one. */
function withAudience(token: JoinToken, job: Job): { readonly job: Job; readonly notes: readonly string[] } {
  const audience = token.genericOidc?.audience;
  const [own, ...others] = audiencesIn(job.claims) ?? [];
  const organizations = [organizationIn(job.claims), job.claims[ORG_ID]];
  const isDefault = own !== undefined && others.length === 0 && organizations.includes(own);
  if (audience === undefined || !isDefault || audience === own) return { job, notes: [] };
  const note = `${job.source} is the default token, for the audience ${own}: the decision is about one for ${audience}, which run gets with --audience ${audience}`;
  return { job: { ...job, claims: { ...job.claims, aud: audience } }, notes: [note] };
}

function variantsFor(token: JoinToken, job: Job, nowMs: number): Explanation['variants'] {
  return variantsOf(job.claims).map(({ claims, jobs, name }) => {
    const { outcome, panics, reason } = decide(token, { ...job, claims }, nowMs);
    return { name, jobs, outcome, panics, reason };
  });
}
