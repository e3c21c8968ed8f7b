/** The product's evaluator against the embedded cluster's, which shares no code with it: same rules, same claims. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { evaluateExpression } from '../../src/rules/expression-rule.ts';
import { decideGenericOidc } from '../../src/rules/generic-oidc.ts';
import type { JsonObject } from '../../src/rules/json.ts';
import type { Outcome } from '../../src/rules/verdict.ts';
import { evaluateExpression as clusterExpression } from '../cluster/generic-oidc/expression.ts';
import { GoPanic, NotModelled, Refusal } from '../cluster/generic-oidc/go-values.ts';
import { requireAdmitted } from '../cluster/generic-oidc/rules.ts';
import type { AllowRule, Condition } from '../cluster/generic-oidc/token-spec.ts';

type Decision = 'admitted' | 'rejected' | 'panic' | 'unknown';

interface Rules {
  readonly mustMatchFields: JsonObject;
  readonly allowAny: readonly AllowRule[];
}

function clusterDecision({ allowAny, mustMatchFields }: Rules, claims: JsonObject): Decision {
  const spec = {
    issuer: 'https://ci.example.com',
    audience: 'a',
    tlsCa: '',
    staticJwks: '',
    mustMatchFields,
    allowAny,
  };
  try {
    requireAdmitted(spec, claims);
    return 'admitted';
  } catch (error) {
    if (error instanceof GoPanic) return 'panic';
    if (error instanceof NotModelled) return 'unknown';
    if (error instanceof Refusal) return 'rejected';
    throw error;
  }
}

function ownDecision({ allowAny, mustMatchFields }: Rules, claims: JsonObject): Decision {
  const entries = allowAny.map((entry) => ({ ...entry, line: undefined }));
  const { outcome, panics } = decideGenericOidc({ mustMatchFields, fieldsLine: undefined, allowAny: entries }, claims);
  return panics ? 'panic' : outcome;
}

const REF = 'oidc.circleci.com/vcs-ref';
const RERUN = 'oidc.circleci.com/ssh-rerun';
const CONTEXTS = 'oidc.circleci.com/context-ids';

const TEXTS = ['refs/heads/main', 'refs/heads/x', 'refs/tags/v1', 'c1', 'c2', 'true', '5', ''];
const NAMES = [REF, RERUN, CONTEXTS, 'sub', 'iat', 'deep', 'a', 'nothing'];
const text = fc.constantFrom(...TEXTS);
const name = fc.constantFrom(...NAMES);

const claims: fc.Arbitrary<JsonObject> = fc.record(
  {
    [REF]: fc.oneof({ weight: 5, arbitrary: text }, { weight: 1, arbitrary: fc.constant(null) }),
    [RERUN]: fc.oneof({ weight: 5, arbitrary: fc.boolean() }, { weight: 1, arbitrary: text }),
    [CONTEXTS]: fc.oneof(
      { weight: 5, arbitrary: fc.array(text, { maxLength: 3 }) },
      { weight: 1, arbitrary: fc.array(fc.constantFrom<string | number>('c1', 5), { maxLength: 2 }) },
    ),
    sub: text,
    iat: fc.constantFrom(5, 1764500000, 2 ** 53),
    deep: fc.record({ a: fc.oneof<fc.Arbitrary<string | JsonObject>[]>(text, fc.constant({ a: 'c1' })) }),
    nothing: fc.constant(null),
  },
  { requiredKeys: [] },
);

const { expression } = fc.letrec<{ expression: string; any: string; bool: string; set: string; string: string }>(
  (tie) => ({
    any: fc.oneof(
      name.map((key) => `claims[${JSON.stringify(key)}]`),
      fc.constantFrom(
        'claims.sub',
        'claims.deep.a',
        'claims.iat',
        'claims.absent',
        'claims',
        'claims.deep["a"]',
        'true',
      ),
      fc
        .tuple(tie('bool'), tie('any'), tie('string'))
        .map(([condition, one, other]) => `ifelse(${condition}, ${one}, ${other})`),
      tie('any').map((inner) => `strings.upper(${inner})`),
    ),
    string: fc.oneof(
      { weight: 3, arbitrary: text.map((value) => JSON.stringify(value)) },
      { weight: 3, arbitrary: tie('any') },
      { weight: 1, arbitrary: fc.constantFrom('5', '1.5', '`c1`', "'c'", 'set("a")') },
    ),
    set: fc.oneof(
      { weight: 6, arbitrary: fc.array(tie('string'), { maxLength: 3 }).map((args) => `set(${args.join(', ')})`) },
      { weight: 1, arbitrary: tie('any') },
      { weight: 1, arbitrary: fc.tuple(tie('set'), tie('set')).map((sets) => `union(${sets.join(', ')})`) },
      { weight: 1, arbitrary: fc.tuple(tie('set'), tie('string')).map(([set, one]) => `${set}.add(${one})`) },
    ),
    bool: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.tuple(tie('string'), fc.constantFrom('==', '!='), tie('string')).map((parts) => parts.join(' ')),
      fc.tuple(tie('set'), tie('string')).map(([set, one]) => `contains(${set}, ${one})`),
      fc.tuple(tie('set'), tie('string')).map(([set, one]) => `${set}.contains(${one})`),
      fc.tuple(tie('set'), tie('set')).map(([set, other]) => `contains_any(${set}, ${other})`),
      fc.tuple(tie('set'), tie('set')).map(([set, other]) => `contains_all(${set}, ${other})`),
      fc
        .tuple(tie('set'), fc.constantFrom('refs/heads/*', '*/v*', '^refs/(heads|tags)/.*$', '^(?=x)$', 'c1', '*'))
        .map(([set, pattern]) => `regexp.match(${set}, ${JSON.stringify(pattern)})`),
      fc
        .tuple(tie('bool'), fc.constantFrom('&&', '||', '&&\n', '==', '>'), tie('bool'))
        .map((parts) => parts.join(' ')),
      tie('bool').map((inner) => `!(${inner})`),
      tie('bool').map((inner) => `(${inner})`),
      tie('set').map((set) => `is_empty(${set})`),
      tie('any'),
    ),
    expression: fc.oneof({ weight: 9, arbitrary: tie('bool') }, { weight: 1, arbitrary: tie('any') }),
  }),
);

/** With one character removed, repeated or replaced. */
const damaged = fc
  .tuple(expression, fc.nat(), fc.constantFrom('', '(', ')', '"', '\n', '==', '.', ',', '@', '// '))
  .map(([source, at, instead]) => {
    const place = at % (source.length + 1);
    return source.slice(0, place) + instead + source.slice(place + 1);
  });

const condition: fc.Arbitrary<Condition> = fc.record({
  attribute: fc.constantFrom(...NAMES, 'deep.a', 'deep.a.a', 'absent'),
  operator: fc.constantFrom('eq' as const, 'not_eq' as const, 'in' as const, 'not_in' as const),
  values: fc.array(text, { minLength: 1, maxLength: 2 }),
});

const fields: fc.Arbitrary<JsonObject> = fc.dictionary(
  fc.constantFrom(...NAMES),
  fc.oneof<fc.Arbitrary<string | number | boolean | null | JsonObject>[]>(
    ...[text, fc.boolean(), fc.constantFrom(5, 2 ** 53), fc.constant(null), fc.constant({ a: 'c1' })],
  ),
  { maxKeys: 2 },
);

const rules: fc.Arbitrary<Rules> = fc.record({
  mustMatchFields: fc.oneof({ weight: 2, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: fields }),
  allowAny: fc.array(
    fc.oneof<fc.Arbitrary<AllowRule>[]>(
      expression.map((one) => ({ expression: one })),
      damaged.map((one) => ({ expression: one === '' ? ' ' : one })),
      fc.array(condition, { minLength: 1, maxLength: 2 }).map((conditions) => ({ conditions })),
    ),
    { maxLength: 3 },
  ),
});

type Value = 'true' | 'false' | 'error' | 'panic' | 'unknown';

function clusterValue(source: string, job: JsonObject): Value {
  try {
    return clusterExpression(source, job) ? 'true' : 'false';
  } catch (error) {
    if (error instanceof GoPanic) return 'panic';
    if (error instanceof NotModelled) return 'unknown';
    if (error instanceof Refusal) return 'error';
    throw error;
  }
}

const VALUES: Readonly<Record<Outcome, Value>> = {
  matches: 'true',
  differs: 'false',
  fails: 'error',
  panics: 'panic',
  unknown: 'unknown',
};

test('any expression has the same value as in the cluster, errors and panics included', () => {
  const seen = new Map<Value, number>();
  fc.assert(
    fc.property(fc.oneof(expression, damaged), claims, (source, job) => {
      const expected = clusterValue(source, job);
      seen.set(expected, (seen.get(expected) ?? 0) + 1);
      assert.equal(VALUES[evaluateExpression(source, job).outcome], expected);
    }),
    { numRuns: 4000 },
  );
  for (const value of ['true', 'false', 'error', 'panic'] as const) {
    assert.ok((seen.get(value) ?? 0) > 40, `${value}: ${String(seen.get(value))}`);
  }
});

test('any rules decide about any claims as in the cluster', () => {
  fc.assert(
    fc.property(rules, claims, (one, job) => {
      assert.equal(ownDecision(one, job), clusterDecision(one, job));
    }),
    { numRuns: 2000 },
  );
});
