/** `must_match_fields` of a generic_oidc token: every key literally, all must match (lib/join/genericoidc/field_rules.go). */
import {
  isJsonList,
  isJsonObject,
  isUnsafeInteger,
  type Json,
  type JsonObject,
  memberOf,
  shown,
  typeOf,
} from './json.ts';
import type { ClaimCheck } from './verdict.ts';

/** One check for each value, also of nested fields. */
export function checkFields(
  fields: JsonObject,
  claims: JsonObject | undefined,
  path: readonly string[] = [],
): readonly ClaimCheck[] {
  return Object.entries(fields).flatMap(([key, field]) => {
    const claim = claims === undefined ? undefined : memberOf(claims, key);
    const inner = [...path, key];
    if (!isJsonObject(field)) return [checkField(field, claim, inner.join('.'))];
    if (isJsonObject(claim)) return checkFields(field, claim, inner);
    const expected = `${inner.join('.')} is an object`;
    return [{ outcome: 'differs', expected, actual: `the job's is ${shown(claim)}` } as const];
  });
}

/** Whether there is a rule at all: neither null nor an object without rules in it is one. */
export function hasFieldRule(fields: JsonObject): boolean {
  return Object.values(fields).some((field) => (isJsonObject(field) ? hasFieldRule(field) : field !== null));
}

function checkField(field: Json, claim: Json | undefined, name: string): ClaimCheck {
  const expected = field === null ? `${name} is null or absent` : `${name} is ${shown(field)}`;
  const problem = problemOf(field, claim);
  if (problem === undefined) return { outcome: 'matches', expected, actual: '' };
  return { outcome: 'differs', expected, actual: problem };
}

function problemOf(field: Json, claim: Json | undefined): string | undefined {
  if (field === null) return claim === undefined || claim === null ? undefined : `the job's is ${shown(claim)}`;
  if (isJsonList(field)) return 'a list cannot be compared';
  if (claim === undefined) return 'the job has no such claim';
  if (typeOf(claim) !== typeOf(field)) {
    return `the job's is ${shown(claim)}, a ${typeOf(claim)}, which never equals a ${typeOf(field)}`;
  }
  const isUnsafe = [field, claim].some((value) => typeof value === 'number' && isUnsafeInteger(value));
  if (isUnsafe) return 'integers of this size are not compared';
  return field === claim ? undefined : `the job's is ${shown(claim)}`;
}
