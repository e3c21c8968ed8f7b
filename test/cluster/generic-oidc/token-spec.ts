/** `spec.generic_oidc` of a token resource, and what Teleport refuses when it is created. */
import { z } from 'zod';
import { refusedAtCreation } from '../data/teleport-errors.ts';
import { isList, isObject, JsonRecord, type Json, type JsonObject } from './go-values.ts';

const METHOD = '"generic_oidc"';

const OneValue = z.strictObject({ value: z.string().default('') });
const Values = z.strictObject({ values: z.array(z.string()).default([]) });

const OPERATORS = ['eq', 'not_eq', 'in', 'not_in'] as const;

const Condition = z.strictObject({
  attribute: z.string().default(''),
  eq: OneValue.nullish(),
  not_eq: OneValue.nullish(),
  in: Values.nullish(),
  not_in: Values.nullish(),
});

const Rule = z.strictObject({ conditions: z.array(Condition).nullish(), expression: z.string().nullish() });

/** The keys of generic-oidc.md, "Token resource". */
export const GenericOidcResource = z.strictObject({
  issuer: z.string().default(''),
  audience: z.string().default(''),
  tls_ca: z.string().default(''),
  static_jwks: z.string().default(''),
  insecure_allow_http_issuer: z.boolean().default(false),
  must_match_fields: JsonRecord.nullish(),
  allow_any: z.array(Rule).nullish(),
});

/** All values are texts; a boolean or number claim is compared with what they mean. */
export interface Condition {
  readonly attribute: string;
  readonly operator: (typeof OPERATORS)[number];
  readonly values: readonly string[];
}

export type AllowRule = { readonly conditions: readonly Condition[] } | { readonly expression: string };

export interface GenericOidcSpec {
  readonly issuer: string;
  readonly audience: string;
  /** PEM; replaces the system's roots. Empty for those. */
  readonly tlsCa: string;
  /** JSON; with it, nothing is fetched. Empty for discovery. */
  readonly staticJwks: string;
  readonly mustMatchFields: JsonObject;
  readonly allowAny: readonly AllowRule[];
}

/** @throws TeleportError as `tctl create` reports it; expressions are not parsed */
export function genericOidcSpec(resource: z.infer<typeof GenericOidcResource>): GenericOidcSpec {
  const { audience, issuer, must_match_fields: fields, static_jwks: staticJwks, tls_ca: tlsCa } = resource;
  const spec: GenericOidcSpec = {
    issuer,
    audience,
    tlsCa,
    staticJwks,
    mustMatchFields: fields ?? {},
    allowAny: (resource.allow_any ?? []).map(allowRule),
  };
  requireIssuerAndAudience(spec, resource.insecure_allow_http_issuer);
  if (!hasFieldRule(spec.mustMatchFields) && spec.allowAny.length === 0) {
    throw refusedAtCreation(
      `the ${METHOD} join method requires at least one rule under either \`must_match_fields\` or \`allow_any\``,
    );
  }
  return spec;
}

/** How Teleport words these is not known (generic-oidc.md, "still uncertain"); the last is by analogy with kubernetes. */
function requireIssuerAndAudience({ audience, issuer }: GenericOidcSpec, allowHttp: boolean): void {
  for (const [name, value] of Object.entries({ issuer, audience })) {
    if (value === '') {
      throw refusedAtCreation(`the ${METHOD} join method requires '${name}' to be set`);
    }
  }
  if (!issuer.startsWith('https://') && !(allowHttp && issuer.startsWith('http://'))) {
    throw refusedAtCreation('generic_oidc.issuer must be https:// unless insecure_allow_http_issuer is set');
  }
}

/** Neither `null` nor an object without rules in it is a rule. @throws TeleportError for a list, wherever it is */
export function hasFieldRule(fields: JsonObject): boolean {
  return Object.values(fields)
    .map(isFieldRule)
    .some((isRule) => isRule);
}

function isFieldRule(value: Json): boolean {
  if (isList(value)) {
    throw refusedAtCreation('list fields cannot be used in `must_match_fields`');
  }
  return isObject(value) ? hasFieldRule(value) : value !== null;
}

/** The two texts are those of the evaluation (lib/join/genericoidc/validator.go@88fbae6a). */
function allowRule(rule: z.infer<typeof Rule>, index: number): AllowRule {
  const conditions = rule.conditions ?? [];
  const expression = rule.expression ?? '';
  if (conditions.length > 0 && expression !== '') {
    throw refusedAtCreation(`allow_any[${String(index)}]: cannot contain both \`conditions\` and \`expression\``);
  }
  if (conditions.length === 0 && expression === '') {
    throw refusedAtCreation(`allow_any[${String(index)}]: exactly one of \`conditions\` or \`expression\` must be set`);
  }
  return conditions.length === 0
    ? { expression }
    : { conditions: conditions.map((one, position) => condition(one, `allow_any[${String(index)}]`, position)) };
}

/** The wording is a guess, except that one operator is demanded. */
function condition(resource: z.infer<typeof Condition>, rule: string, index: number): Condition {
  const place = `${rule}: conditions[${String(index)}]`;
  if (resource.attribute === '') {
    throw refusedAtCreation(`${place}: attribute must be set`);
  }
  const set = OPERATORS.filter((operator) => resource[operator] !== undefined && resource[operator] !== null);
  const [operator] = set;
  if (operator === undefined || set.length > 1) {
    throw refusedAtCreation(`${place}: exactly one operator must be set`);
  }
  const operand = resource[operator] ?? { values: [] };
  return {
    attribute: resource.attribute,
    operator,
    values: 'values' in operand ? operand.values : [operand.value],
  };
}
