/** The `conditions` of an `allow_any` entry, all of which must hold (lib/join/genericoidc/conditions.go@60f1cd0a). */
import { fieldAt } from './expression.ts';
import { isSet, type Value } from './expression-values.ts';
import { goQuoted, goText, goType, isUnsafeInteger, Refusal, within, type Json, type JsonObject } from './go-values.ts';
import type { Condition } from './token-spec.ts';

/**
 * Whether all hold; those after the first that does not are not evaluated.
 * @throws Refusal for a comparison that is impossible, which ends the evaluation of the token
 */
export function meetsConditions(conditions: readonly Condition[], claims: JsonObject): boolean {
  return conditions.every((condition, index) =>
    within(`conditions[${String(index)}]: evaluating \`${condition.operator}\` matcher`, () =>
      meets(condition, claims),
    ),
  );
}

/** An absent attribute does not match, not even `not_eq` or `not_in`. */
function meets({ attribute, operator, values }: Condition, claims: JsonObject): boolean {
  const claim = claimAt(claims, attribute);
  if (claim === undefined) {
    return false;
  }
  const matches = values.some((value) => equals(claim, value));
  return operator === 'eq' || operator === 'in' ? matches : !matches;
}

/** The attribute is split at every dot, so that no claim with a dot in its name can be reached. */
function claimAt(claims: JsonObject, attribute: string): Json | undefined {
  let value: Value;
  try {
    value = fieldAt(claims, attribute.split('.'));
  } catch {
    return undefined;
  }
  return isSet(value) ? undefined : value;
}

/** The texts that Go's strconv.ParseBool reads. */
const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ...['1', 't', 'T', 'true', 'TRUE', 'True'].map((text) => [text, true] as const),
  ...['0', 'f', 'F', 'false', 'FALSE', 'False'].map((text) => [text, false] as const),
]);

function equals(claim: Json, expected: string): boolean {
  if (typeof claim === 'string') {
    return claim === expected;
  }
  if (typeof claim === 'number') {
    return equalsNumber(claim, expected);
  }
  if (typeof claim !== 'boolean') {
    throw new Refusal(`claim of type ${goType(claim)} cannot be compared against a scalar expected value`);
  }
  const value = BOOLEANS.get(expected);
  if (value === undefined) {
    throw new Refusal(`boolean claim value requires boolean expected value, but got ${goQuoted(expected)}`);
  }
  return claim === value;
}

function equalsNumber(claim: number, expected: string): boolean {
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(expected)) {
    throw new Refusal(`numeric claim value requires numeric expected value, but got ${goQuoted(expected)}`);
  }
  if (isUnsafeInteger(Number(expected))) {
    throw new Refusal(`integers of this size cannot be safely compared: ${expected}`);
  }
  if (isUnsafeInteger(claim)) {
    throw new Refusal(`claim contains an integer value too large for safe comparison: ${goText(claim)}`);
  }
  return claim === Number(expected);
}
