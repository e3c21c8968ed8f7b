import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Refusal } from './go-values.ts';
import { requireAdmitted } from './rules.ts';
import { GenericOidcResource, genericOidcSpec, type GenericOidcSpec } from './token-spec.ts';
import { TeleportError } from '../data/teleport-errors.ts';

const REF = 'oidc.circleci.com/vcs-ref';
const RERUN = 'oidc.circleci.com/ssh-rerun';
const CLAIMS = {
  sub: 'org/o/project/p',
  iat: 1764500000,
  [REF]: 'refs/heads/main',
  [RERUN]: false,
  'oidc.circleci.com/context-ids': ['c1', 'c2'],
  verified: true,
  level: 5,
  huge: 2 ** 53,
  runner: { environment: 'self-hosted', weight: 2 },
  nothing: null,
};

interface Rules {
  readonly must_match_fields?: object;
  readonly allow_any?: readonly object[];
}

/** As `tctl create` reads it. */
function specOf(rules: object): GenericOidcSpec {
  const resource = { issuer: 'https://ci.example.com', audience: 'a', ...rules };
  return genericOidcSpec(GenericOidcResource.parse(resource));
}

const when = (...conditions: readonly object[]): object => ({ conditions });
const eq = (attribute: string, value: string): object => ({ attribute, eq: { value } });
const notEq = (attribute: string, value: string): object => ({ attribute, not_eq: { value } });
const among = (attribute: string, ...values: readonly string[]): object => ({ attribute, in: { values } });
const notAmong = (attribute: string, ...values: readonly string[]): object => ({ attribute, not_in: { values } });
const expression = (text: string): object => ({ expression: text });

/** Of generic-oidc.md, "Token resource" and "The wire"; with the reason in Auth's log if they refuse. */
const DECISIONS: readonly {
  readonly name: string;
  readonly rules: Rules;
  readonly refused?: RegExp;
}[] = [
  { name: 'a field with dots in its name', rules: { must_match_fields: { [REF]: 'refs/heads/main' } } },
  { name: 'a boolean field', rules: { must_match_fields: { [RERUN]: false } } },
  { name: 'a number field', rules: { must_match_fields: { level: 5 } } },
  { name: 'a nested field', rules: { must_match_fields: { runner: { environment: 'self-hosted', weight: 2 } } } },
  { name: 'null for an absent field', rules: { must_match_fields: { absent: null, level: 5 } } },
  { name: 'null for a null field', rules: { must_match_fields: { nothing: null, level: 5 } } },
  {
    name: 'another text',
    rules: { must_match_fields: { [REF]: 'refs/heads/next' } },
    refused:
      /incorrect value in claim: oidc\.circleci\.com\/vcs-ref must be "refs\/heads\/next" but got refs\/heads\/main$/,
  },
  {
    name: 'one field of two that differs',
    rules: { must_match_fields: { level: 5, sub: 'x' } },
    refused: /incorrect value in claim: sub must be "x"/,
  },
  {
    name: 'an absent field',
    rules: { must_match_fields: { absent: 'x' } },
    refused: /validating generic_oidc rules\n\tvalidating field rules\n\t\tclaims missing expected key: absent$/,
  },
  {
    name: 'an absent nested field',
    rules: { must_match_fields: { runner: { absent: 'x' } } },
    refused: /claims missing expected key: runner\.absent$/,
  },
  {
    name: 'an object for a claim that is a text',
    rules: { must_match_fields: { sub: { a: 'x' } } },
    refused: /field must be a nested struct but got string: sub$/,
  },
  {
    name: 'a quoted false',
    rules: { must_match_fields: { [RERUN]: 'false' } },
    refused: /field must be a string but got bool: oidc\.circleci\.com\/ssh-rerun$/,
  },
  {
    name: 'false for a text',
    rules: { must_match_fields: { [REF]: false } },
    refused: /field must be a boolean but got string: oidc\.circleci\.com\/vcs-ref$/,
  },
  {
    name: 'a number for a text',
    rules: { must_match_fields: { sub: 5 } },
    refused: /must be a number but got string: sub$/,
  },
  { name: 'another number', rules: { must_match_fields: { iat: 5 } }, refused: /iat must be 5 but got 1\.7645e\+09$/ },
  {
    name: 'null for a value',
    rules: { must_match_fields: { sub: null, level: 5 } },
    refused: /sub must be null or unset/,
  },
  {
    name: 'a text for a list',
    rules: { must_match_fields: { 'oidc.circleci.com/context-ids': 'c1' } },
    refused: /field must be a string but got \[\]interface \{\}/,
  },
  {
    name: 'a number that a float cannot hold',
    rules: { must_match_fields: { huge: 2 ** 53 } },
    refused: /integer too large to be safely compared: huge$/,
  },

  { name: 'eq', rules: { allow_any: [when(eq('sub', 'org/o/project/p'))] } },
  { name: 'not_eq', rules: { allow_any: [when(notEq('sub', 'x'))] } },
  { name: 'in', rules: { allow_any: [when(among('sub', 'x', 'org/o/project/p'))] } },
  { name: 'not_in', rules: { allow_any: [when(notAmong('sub', 'x', 'y'))] } },
  { name: 'a boolean, parsed', rules: { allow_any: [when(eq('verified', 'TRUE'))] } },
  { name: 'a number, parsed', rules: { allow_any: [when(eq('level', '5.0'))] } },
  { name: 'a nested attribute', rules: { allow_any: [when(eq('runner.environment', 'self-hosted'))] } },
  { name: 'the second entry', rules: { allow_any: [when(eq('sub', 'x')), when(eq('level', '5'))] } },
  { name: 'an entry before one that is an error', rules: { allow_any: [when(eq('level', '5')), expression('==')] } },
  {
    name: 'an entry after one whose attribute is absent',
    rules: { allow_any: [when(eq('absent', 'x')), when(eq('level', '5'))] },
  },
  {
    name: 'all entries that do not match',
    rules: { allow_any: [when(eq('sub', 'x')), expression('claims.sub == "x"')] },
    refused: /validating allow rules\n\t\tclaims matched no allow_any rules$/,
  },
  {
    name: 'one condition of two',
    rules: { allow_any: [when(eq('level', '5'), eq('sub', 'x'))] },
    refused: /claims matched no allow_any rules$/,
  },
  ...[eq, notEq, among, notAmong].map((operator) => ({
    name: `${Object.keys(operator('a', 'b'))[1] ?? ''} of an attribute with dots, which names no claim`,
    rules: { allow_any: [when(operator(REF, 'refs/heads/main'))] },
    refused: /claims matched no allow_any rules$/,
  })),
  {
    name: 'a condition on a list, which no later entry makes good',
    rules: { allow_any: [when(eq('runner', 'x')), when(eq('level', '5'))] },
    refused:
      /allow_any\[0\]: evaluating conditions[^]*conditions\[0\]: evaluating `eq` matcher[^]*claim of type map\[string\]interface \{\} cannot be compared/,
  },
  {
    name: 'a condition on null',
    rules: { allow_any: [when(eq('nothing', 'x'))] },
    refused: /claim of type <nil> cannot be compared/,
  },
  {
    name: 'a boolean compared with another text',
    rules: { allow_any: [when(eq('verified', 'yes')), when(eq('level', '5'))] },
    refused: /boolean claim value requires boolean expected value, but got "yes"/,
  },
  {
    name: 'a number compared with another text',
    rules: { allow_any: [when(eq('level', 'five'))] },
    refused: /numeric claim value requires numeric expected value, but got "five"/,
  },
  {
    name: 'a number too large to compare',
    rules: { allow_any: [when(eq('huge', '5'))] },
    refused: /integer value too large for safe comparison/,
  },
  {
    name: 'an expression that is an error, although the next entry matches',
    rules: { allow_any: [expression('claims.absent == "x"'), when(eq('level', '5'))] },
    refused: /allow_any\[0\]: evaluating allow expression[^]*field not found: absent$/,
  },
  {
    name: 'fields that do not match, although an entry does',
    rules: { must_match_fields: { sub: 'x' }, allow_any: [when(eq('level', '5'))] },
    refused: /incorrect value in claim: sub/,
  },
  {
    name: 'an entry that does not match, although the fields do',
    rules: { must_match_fields: { level: 5 }, allow_any: [when(eq('sub', 'x'))] },
    refused: /claims matched no allow_any rules$/,
  },
  { name: 'both', rules: { must_match_fields: { level: 5 }, allow_any: [when(eq('sub', 'org/o/project/p'))] } },
];

describe('the rules of a token', () => {
  for (const { name, rules, refused } of DECISIONS) {
    test(`${refused === undefined ? 'admit' : 'refuse'} by ${name}`, () => {
      const decide = (): void => {
        requireAdmitted(specOf(rules), CLAIMS);
      };
      if (refused === undefined) {
        decide();
      } else {
        assert.throws(decide, (error) => error instanceof Refusal && refused.test(error.message));
      }
    });
  }

  test('a token without rules that was created somehow admits no one', () => {
    const spec = { ...specOf({ must_match_fields: { a: 'x' } }), mustMatchFields: { a: null } };
    assert.throws(() => {
      requireAdmitted(spec, CLAIMS);
    }, /generic OIDC token has no rules configured/);
  });
});

describe('the creation of a token', () => {
  const rule = { must_match_fields: { a: 'x' } };
  const noRule =
    /^the "generic_oidc" join method requires at least one rule under either `must_match_fields` or `allow_any`$/;
  const refusals: readonly (readonly [string, object, RegExp])[] = [
    ['no rule', {}, noRule],
    ['empty rules', { must_match_fields: {}, allow_any: [] }, noRule],
    ['null alone', { must_match_fields: { a: null, b: { c: null } } }, noRule],
    ['an object without a rule in it', { must_match_fields: { a: {} } }, noRule],
    [
      'a list of values',
      { must_match_fields: { a: 'x', b: ['c'] } },
      /^list fields cannot be used in `must_match_fields`$/,
    ],
    ['a nested list', { must_match_fields: { b: { c: [] }, a: 'x' } }, /^list fields cannot be used/],
    ['no issuer', { ...rule, issuer: '' }, /'issuer'/],
    ['no audience', { ...rule, audience: '' }, /'audience'/],
    [
      'an issuer over http',
      { ...rule, issuer: 'http://ci.example.com' },
      /must be https:\/\/ unless insecure_allow_http_issuer/,
    ],
    [
      'an entry without a rule',
      { allow_any: [{}] },
      /^allow_any\[0\]: exactly one of `conditions` or `expression` must be set$/,
    ],
    ['an empty expression', { allow_any: [when(eq('a', 'b')), { expression: '' }] }, /^allow_any\[1\]: exactly one of/],
    [
      'an entry with both',
      { allow_any: [{ conditions: [eq('a', 'b')], expression: 'claims.a == "b"' }] },
      /^allow_any\[0\]: cannot contain both `conditions` and `expression`$/,
    ],
    ['a condition without an operator', { allow_any: [when({ attribute: 'a' })] }, /exactly one operator/],
    ['a condition with two', { allow_any: [when({ ...eq('a', 'b'), ...notEq('a', 'c') })] }, /exactly one operator/],
    ['a condition without an attribute', { allow_any: [when({ eq: { value: 'b' } })] }, /attribute must be set/],
  ];
  for (const [name, spec, text] of refusals) {
    test(`is refused with ${name}`, () => {
      assert.throws(
        () => specOf(spec),
        (error) => error instanceof TeleportError && error.kind === 'BadParameter' && text.test(error.message),
      );
    });
  }

  test('accepts an expression with a syntax error, and an issuer over http if that is allowed', () => {
    specOf({
      allow_any: [expression('claims.a ==')],
      issuer: 'http://ci.example.com',
      insecure_allow_http_issuer: true,
    });
  });
});
