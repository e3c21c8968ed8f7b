import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { evaluateExpression } from './expression.ts';
import { GoPanic, NotModelled, Refusal } from './go-values.ts';

const CLAIMS = {
  sub: 'org/o/project/p',
  aud: 'a',
  iat: 1764500000,
  'oidc.circleci.com/vcs-ref': 'refs/heads/main',
  'oidc.circleci.com/ssh-rerun': false,
  'oidc.circleci.com/context-ids': ['c1', 'c2'],
  numbers: [1, 2],
  nothing: null,
  runner: { environment: 'self-hosted', labels: { os: 'linux' } },
};
const REF = 'claims["oidc.circleci.com/vcs-ref"]';
const RERUN = 'claims["oidc.circleci.com/ssh-rerun"]';
const CONTEXTS = 'claims["oidc.circleci.com/context-ids"]';

/** Each as in generic-oidc.md, "Traps with CircleCI's claim names", or as the file named there computes it. */
const VALUES: readonly (readonly [string, boolean])[] = [
  ['claims.sub == "org/o/project/p"', true],
  ['claims.sub != "org/o/project/p"', false],
  ['"org/o/project/p" == claims.sub', true],
  ['claims.sub == `org/o/project/p`', true],
  ['claims["sub"] == "org/o/\\u0070roject/p"', true],
  [`${REF} == "refs/heads/main"`, true],
  [`${REF} == "refs/heads/other"`, false],
  [`!${RERUN}`, true],
  [`${RERUN} || ${REF} == "refs/heads/main"`, true],
  [`${RERUN} && claims["absent"] == "x"`, false],
  [`contains(set(${REF}), "refs/heads/main")`, true],
  [`contains(set("refs/heads/main", "refs/heads/next"), ${REF})`, true],
  [`set(${REF}).contains("refs/heads/main")`, true],
  [`contains_any(set(${CONTEXTS}), set("c2", "c9"))`, true],
  [`contains_any(set(${CONTEXTS}), set("c9"))`, false],
  [`contains_all(set(${CONTEXTS}), set("c1", "c2"))`, true],
  [`contains_all(set(${CONTEXTS}), set())`, false],
  [`set(${CONTEXTS}).contains_any(set("c1"))`, true],
  [`is_empty(set(${CONTEXTS}))`, false],
  ['is_empty(set())', true],
  [`set(${REF}, ${CONTEXTS}, set("x")).contains("x")`, true],
  ['set("x").add("y").contains("y")', true],
  [`regexp.match(set(${REF}), "refs/heads/*")`, true],
  [`regexp.match(set(${REF}), "refs/heads/")`, false],
  [`regexp.match(set(${REF}), "^refs/(heads|tags)/ma.n$")`, true],
  [`regexp.match(set(${REF}), "refs/heads/ma.n")`, false],
  [`strings.upper(${REF}) == "REFS/HEADS/MAIN"`, true],
  [`ifelse(${RERUN}, "a", "b") == "b"`, true],
  ['claims.runner.environment == "self-hosted"', true],
  ['claims.runner["labels"]["os"] == "linux"', true],
  ['5 == 5', true],
  [`\n  (${REF} ==\n "refs/heads/main") // the branch\n`, true],
];

const REFUSALS: readonly (readonly [string, RegExp])[] = [
  // refused while Teleport parses, which it does at the join
  ['', /expected operand, found 'EOF'/],
  [`${REF} ==`, /parsing expression: claims[^]*\n\tparsing expression\n\t\t1:39: expected operand, found 'EOF'$/],
  [`${RERUN} == false`, /operator \(==\) can only be used when at least one operand type is known at parse time/],
  [`${REF} != claims.sub`, /operator \(!=\) can only be used/],
  ['claims.iat == 1.5', /operator \(==\) not supported for type: float64/],
  [`!${RERUN} == "x"`, /operator \(==\) not supported for type: bool/],
  [`${REF} == ("a" == "b")`, /operator \(==\) not supported for type: bool/],
  [
    '"a" == ("a" == "b")',
    /parsing rhs of \(==\) operator[^]*expected type string, got expression returning type \(bool\)/,
  ],
  ['set("a") == "b"', /operator \(==\) not supported for type: expression\.Set/],
  ['claims.iat > 5', /> is not supported/],
  ['-claims.iat == 5', /- is not supported/],
  ['claims.vcs-ref == "x"', /- is not supported/],
  ['claims.type == "x"', /1:8: expected selector or type assertion, found 'type'/],
  ['claims["a"].b == "x"', /unsupported selector type: \*ast\.IndexExpr/],
  ['claims[5] == "x"', /parsing key of index expression[^]*expected type string, got value \(5\) with type \(int\)/],
  ['set("a")["b"] == "x"', /cannot take index of unexpected type/],
  [`"refs/heads/main"`, /unexpected type[^]*expected type bool, got value \(refs\/heads\/main\) with type \(string\)/],
  [`set(${REF})`, /expected type bool, got expression returning type \(expression\.Set\)/],
  [`contains("${REF}", "a")`, /1:\d+: |expected type expression\.Set/],
  [`contains(${REF}, "refs/heads/main")`, /expected type expression\.Set, got value \(refs\/heads\/main\) with type/],
  ['contains(set("a"))', /function \(contains\) accepts 2 arguments, given 1/],
  ['equals(claims.sub, "x")', /unsupported function: equals/],
  ['claims.sub.startsWith("x")', /expected selector identifier, got: \*ast\.SelectorExpr/],
  [`${REF} == 'x'`, /unsupported function argument type: 'CHAR'/],
  [`${REF} == "x`, /string literal not terminated/],
  [`${REF} == "\\q"`, /unknown escape sequence/],
  [`${REF} = "x"`, /expected 'EOF', found '='/],
  [`${REF}\n== "x"`, /2:1: expected 'EOF', found '=='/],
  ['set("a",\n"b"\n).contains("a")', /missing ',' before newline in argument list/],
  // refused while it evaluates
  ['false', /identifier "false" is not defined/],
  ['claim.sub == "x"', /identifier "claim" is not defined/],
  ['claims.absent == "x"', /field not found: absent/],
  ['claims.runner.absent == "x"', /field not found: runner\.absent/],
  ['claims.sub.x == "x"', /field at "sub\.x" cannot have children/],
  ['claims.sub["x"] == "x"', /cannot take index of unexpected type/],
  ['claims["absent"]["x"] == "x"', /cannot take index of unexpected type/],
  ['contains(set(claims["absent"]), "x")', /unsupported set element type, got: <nil>/],
  ['set(claims.nothing).contains("x")', /unsupported set element type, got: <nil>/],
  ['set(claims.numbers).contains("x")', /unsupported set element type, got float64/],
  ['set(claims).contains("x")', /unsupported set element type, got: map\[string\]interface \{\}/],
  ['claims.iat == 1764500000', /expected type int, got value \(1\.7645e\+09\) with type \(float64\)/],
  ['claims.iat == "1764500000"', /expected type string, got value \(1\.7645e\+09\) with type \(float64\)/],
  [`${RERUN} == "false"`, /expected type string, got value \(false\) with type \(bool\)/],
  [`!${REF}`, /expected type bool, got value \(refs\/heads\/main\) with type \(string\)/],
  [`${CONTEXTS} == "c1"`, /got value \(\[c1 c2\]\) with type \(\[\]interface \{\}\)/],
  ['claims.runner == "x"', /got value \(map\[environment:self-hosted labels:map\[os:linux\]\]\)/],
  [`regexp.match(set(${REF}), "^(?=x)$")`, /invalid regular expression/],
  ['strings.lower(claims["absent"]) == "x"', /expected string or set, got value of type <nil>/],
];

/** A nil where a typed value is needed. */
const PANICS: readonly string[] = [
  'claims["absent"] == "x"',
  '"x" != claims["absent"]',
  '!claims["absent"]',
  'claims["absent"]',
  'claims["absent"] && claims.aud == "a"',
  'claims.aud == "b" || claims["absent"]',
  'contains(claims["absent"], "x")',
  'claims["absent"].contains("x")',
  'contains(set("x"), claims["absent"])',
  'claims.runner["absent"] == "x"',
  'claims["constructor"] == "x"',
  'claims.nothing == "x"',
];

describe('an expression', () => {
  for (const [expression, holds] of VALUES.filter(([text]) => !text.includes('true =='))) {
    test(`${JSON.stringify(expression)} ${holds ? 'holds' : 'does not hold'}`, () => {
      assert.equal(evaluateExpression(expression, CLAIMS), holds);
    });
  }
  for (const [expression, reason] of REFUSALS) {
    test(`${JSON.stringify(expression)} is an error`, () => {
      assert.throws(
        () => evaluateExpression(expression, CLAIMS),
        (error) => error instanceof Refusal && reason.test(error.message),
      );
    });
  }
  for (const expression of PANICS) {
    test(`${JSON.stringify(expression)} is a panic`, () => {
      assert.throws(() => evaluateExpression(expression, CLAIMS), GoPanic);
    });
  }

  test('a function that this cluster lacks is reported as such, not as a refusal of Teleport', () => {
    for (const expression of ['strings.split(set("a"), "b").contains("a")', 'set("a").remove("a")']) {
      assert.throws(() => evaluateExpression(expression, CLAIMS), NotModelled);
    }
  });
});
