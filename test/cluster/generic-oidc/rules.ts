/**
 * Decides whether the rules of a `generic_oidc` token admit the claims of a verified JWT: `must_match_fields`, always and
 * first, then `allow_any` (generic-oidc.md, "Token resource"; lib/join/genericoidc/validator.go@88fbae6a).
 */
import { meetsConditions } from './conditions.ts';
import { evaluateExpression } from './expression.ts';
import { goQuoted, goText, goType, isList, isObject, isUnsafeInteger, memberOf } from './go-values.ts';
import { Refusal, within, type Json, type JsonObject } from './go-values.ts';
import { hasFieldRule, type AllowRule, type GenericOidcSpec } from './token-spec.ts';

/** @throws Refusal with the reason, which the client does not get */
export function requireAdmitted(spec: GenericOidcSpec, claims: JsonObject): void {
  within('validating generic_oidc rules', () => {
    if (!hasFieldRule(spec.mustMatchFields) && spec.allowAny.length === 0) {
      throw new Refusal('generic OIDC token has no rules configured');
    }
    within('validating field rules', () => {
      requireFields(spec.mustMatchFields, claims, []);
    });
    if (spec.allowAny.length > 0) {
      within('validating allow rules', () => {
        requireOne(spec.allowAny, claims);
      });
    }
  });
}

/** The first entry that matches ends the evaluation, and so does the first error. */
function requireOne(rules: readonly AllowRule[], claims: JsonObject): void {
  const admitted = rules.some((rule, index) =>
    within(`allow_any[${String(index)}]: evaluating ${'expression' in rule ? 'allow expression' : 'conditions'}`, () =>
      'expression' in rule ? evaluateExpression(rule.expression, claims) : meetsConditions(rule.conditions, claims),
    ),
  );
  if (!admitted) {
    throw new Refusal('claims matched no allow_any rules');
  }
}

/** Every key is taken to the letter, dots included (lib/join/genericoidc/field_rules.go@0f455edc). */
function requireFields(rules: JsonObject, claims: JsonObject, path: readonly string[]): void {
  for (const [key, rule] of Object.entries(rules)) {
    const name = [...path, key].join('.');
    const claim = memberOf(claims, key);
    if (claim === undefined) {
      if (rule === null) {
        continue;
      }
      throw new Refusal(`claims missing expected key: ${name}`);
    }
    requireField(rule, claim, [...path, key]);
  }
}

function requireField(rule: Json, claim: Json, path: readonly string[]): void {
  const name = path.join('.');
  if (rule === null) {
    if (claim !== null) {
      throw new Refusal(`incorrect value in claim: ${name} must be null or unset but had a value`);
    }
    return;
  }
  if (isList(rule)) {
    throw new Refusal(`list comparison in ${name} is not supported, token rules cannot be evaluated`);
  }
  if (isObject(rule)) {
    if (!isObject(claim)) {
      throw new Refusal(`field must be a nested struct but got ${goType(claim)}: ${name}`);
    }
    requireFields(rule, claim, path);
    return;
  }
  if (typeof claim !== typeof rule) {
    throw new Refusal(`field must be a ${typeof rule} but got ${goType(claim)}: ${name}`);
  }
  requireComparable(rule, claim, name);
  if (rule !== claim) {
    const expected = typeof rule === 'string' ? goQuoted(rule) : goText(rule);
    throw new Refusal(`incorrect value in claim: ${name} must be ${expected} but got ${goText(claim)}`);
  }
}

function requireComparable(rule: Json, claim: Json, name: string): void {
  if (typeof claim === 'number' && isUnsafeInteger(claim)) {
    throw new Refusal(`claim contains an integer too large to be safely compared: ${name}`);
  }
  if (typeof rule === 'number' && isUnsafeInteger(rule)) {
    throw new Refusal(`field rule cannot safely compare integers of this size: ${name}`);
  }
}
