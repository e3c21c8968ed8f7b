/** `conditions` of an `allow_any` entry, all of which must hold (lib/join/genericoidc/conditions.go). */
import { fieldAt } from './expression.ts';
import { type Claims, isUnsafeInteger, type Json, shown, typeOf } from './json.ts';
import type { ClaimCheck } from './verdict.ts';

export const OPERATORS = ['eq', 'not_eq', 'in', 'not_in'] as const;

export interface Condition {
  /** Split at every dot. */
  readonly attribute: string;
  readonly operator: (typeof OPERATORS)[number];
  readonly values: readonly string[];
}

export function checkCondition(condition: Condition, claims: Claims): ClaimCheck {
  const { attribute, operator, values } = condition;
  const expected = `${attribute} ${OPERATOR_WORDS[operator]} ${values.map((value) => JSON.stringify(value)).join(', ')}`;
  const found = fieldAt(claims, attribute.split('.'));
  // An absent attribute matches no operator, not even a negative one.
  if ('problem' in found) return { outcome: 'differs', expected, actual: absence(attribute) };
  let equals = false;
  for (const value of values) {
    const compared = compare(found.value, value);
    if (typeof compared === 'string') return { outcome: 'fails', expected, actual: compared };
    equals ||= compared;
    if (equals) break;
  }
  if (equals === (operator === 'eq' || operator === 'in')) return { outcome: 'matches', expected, actual: '' };
  return { outcome: 'differs', expected, actual: `the job's is ${shown(found.value)}` };
}

const OPERATOR_WORDS = { eq: 'is', not_eq: 'is not', in: 'is one of', not_in: 'is none of' } as const;

function absence(attribute: string): string {
  if (!attribute.includes('.')) return 'the job has no such claim';
  const path = attribute.split('.').map((part) => JSON.stringify(part));
  return `the attribute is split at its dots, into ${path.join(' > ')}, and the job has no such claim`;
}

/** Texts that Go's strconv.ParseBool reads. */
const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ...['1', 't', 'T', 'true', 'TRUE', 'True'].map((text) => [text, true] as const),
  ...['0', 'f', 'F', 'false', 'FALSE', 'False'].map((text) => [text, false] as const),
]);

/** Whether they are equal, or the error. */
function compare(claim: Json, expected: string): boolean | string {
  if (typeof claim === 'string') return claim === expected;
  if (typeof claim === 'boolean') {
    const value = BOOLEANS.get(expected);
    return value === undefined ? `the job's is a boolean, and ${JSON.stringify(expected)} is none` : claim === value;
  }
  if (typeof claim !== 'number') return `the job's is a ${typeOf(claim)}, which a condition cannot compare`;
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(expected)) {
    return `the job's is a number, and ${JSON.stringify(expected)} is none`;
  }
  if (isUnsafeInteger(Number(expected)) || isUnsafeInteger(claim)) return 'integers of this size are not compared';
  return claim === Number(expected);
}
