/**
 * Decides whether the rules of a generic_oidc token admit a job: `must_match_fields` first and always, then the entries of
 * `allow_any` in order, of which the first that matches or fails ends it (lib/join/genericoidc/validator.go).
 */
import { checkCondition, type Condition } from './conditions.ts';
import { checkExpression, evaluateExpression } from './expression-rule.ts';
import { checkFields, hasFieldRule } from './field-rules.ts';
import type { Claims, JsonObject } from './json.ts';
import { type ClaimCheck, closeness, outcomeOfAll, type RuleVerdict, type Verdict } from './verdict.ts';

interface WithLine {
  readonly line: number | undefined;
}

export type AllowEntry = WithLine & ({ readonly conditions: readonly Condition[] } | { readonly expression: string });

export interface GenericOidcRules {
  readonly mustMatchFields: JsonObject;
  readonly fieldsLine: number | undefined;
  readonly allowAny: readonly AllowEntry[];
}

export function decideGenericOidc(rules: GenericOidcRules, claims: Claims): Verdict {
  const { allowAny, fieldsLine: line, mustMatchFields } = rules;
  const hasFields = hasFieldRule(mustMatchFields);
  if (!hasFields && allowAny.length === 0) return verdict('rejected', [], 'the token has no rules');
  const checks = checkFields(mustMatchFields, claims);
  const outcome = outcomeOfAll(checks);
  const fields: readonly RuleVerdict[] = checks.length === 0 ? [] : [{ path: FIELDS, line, outcome, checks }];
  const entries = allowAny.map((entry, at) => checkEntry(entry, at, claims));
  if (outcome !== 'matches') {
    return verdict('rejected', [...fields, ...entries], `${FIELDS}: ${firstProblem(checks)} (${closeness(checks)})`);
  }
  if (entries.length === 0) return verdict('admitted', fields, `${FIELDS} admits it`);
  const decisive = entries.find((entry) => entry.outcome !== 'differs');
  const all = [...fields, ...entries];
  if (decisive === undefined) {
    return verdict('rejected', all, `no entry of allow_any matches (closest: ${closest(entries)})`);
  }
  const reached = [...fields, ...entries.slice(0, entries.indexOf(decisive) + 1)];
  return decidedBy(decisive, decisive.outcome === 'matches' ? reached : all);
}

const FIELDS = 'must_match_fields';

function decidedBy(rule: RuleVerdict, rules: readonly RuleVerdict[]): Verdict {
  const { checks, outcome, path } = rule;
  const problem = firstProblem(checks.filter((check) => check.outcome === outcome));
  switch (outcome) {
    case 'matches':
      return verdict('admitted', rules, `${path} admits it`);
    case 'fails':
      return verdict('rejected', rules, `${path} is an error, after which no entry is tried: ${problem}`);
    case 'panics':
      return { ...verdict('rejected', rules, `${path} is a panic: ${problem}`), panics: true };
    case 'unknown':
      return verdict('unknown', rules, `${path}: ${problem}`);
    case 'differs':
      return verdict('rejected', rules, `${path}: ${problem}`);
    default:
      return outcome satisfies never;
  }
}

function verdict(outcome: Verdict['outcome'], rules: readonly RuleVerdict[], reason: string): Verdict {
  return { outcome, rules, reason, panics: false };
}

function checkEntry(entry: AllowEntry, at: number, claims: Claims): RuleVerdict {
  const { line } = entry;
  const path = `allow_any[${at}]`;
  if ('expression' in entry) {
    const { outcome } = evaluateExpression(entry.expression, claims);
    return { path, line, outcome, checks: checkExpression(entry.expression, claims) };
  }
  const checks = entry.conditions.map((condition) => checkCondition(condition, claims));
  return { path, line, outcome: outcomeOfAll(checks), checks };
}

function firstProblem(checks: readonly ClaimCheck[]): string {
  const found = checks.find(({ outcome }) => outcome !== 'matches');
  return found === undefined ? 'no check fails' : `required: ${found.expected}; ${found.actual}`;
}

function closest(entries: readonly RuleVerdict[]): string {
  const share = ({ checks }: RuleVerdict) =>
    checks.filter(({ outcome }) => outcome === 'matches').length / Math.max(1, checks.length);
  const [best] = [...entries].sort((one, other) => share(other) - share(one));
  return best === undefined ? 'none' : `${best.path}, ${closeness(best.checks)}: ${firstProblem(best.checks)}`;
}
