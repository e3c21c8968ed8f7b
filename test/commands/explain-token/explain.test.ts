import assert from 'node:assert/strict';
import test from 'node:test';
import { explainToken } from '../../../src/commands/explain-token/explain.ts';
import { type Claims, claimsIn } from '../../../src/rules/json.ts';
import { readResources } from '../../../src/rules/read-resources.ts';
import type { JoinToken } from '../../../src/rules/resource.ts';

const ORGANIZATION = '11111111-2222-4333-8444-555555555555';

function tokenIn(text: string): JoinToken {
  const [token] = readResources(text, 'token.yaml').resources;
  assert.ok(token?.kind === 'token');
  return token;
}

const TOKEN = tokenIn(`kind: token
version: v2
metadata: {name: ci}
spec: {roles: [Bot], bot_name: ci, join_method: circleci, circleci: {organization_id: ${ORGANIZATION}, allow: [{project_id: p}]}}
`);

const JOB: Claims = {
  iss: `https://oidc.circleci.com/org/${ORGANIZATION}`,
  sub: `org/${ORGANIZATION}/project/p/user/u`,
  'oidc.circleci.com/project-id': 'p',
  'oidc.circleci.com/context-ids': ['c'],
  'oidc.circleci.com/vcs-ref': 'refs/heads/main',
  'oidc.circleci.com/vcs-origin': 'github.com/example/app',
  'oidc.circleci.com/ssh-rerun': false,
};

test('the audience of a job is compared with the organization, as Teleport does', () => {
  for (const [audiences, authorizedParty, obstacle] of [
    [undefined, undefined, undefined],
    [[ORGANIZATION], undefined, undefined],
    [['other', ORGANIZATION], ORGANIZATION, undefined],
    [['other', ORGANIZATION], undefined, /^MY_TOKEN is for the audiences other, 1111.*Teleport 17 and later reject/],
    [['sigstore'], undefined, /^MY_TOKEN is for the audience sigstore, .*circleci run oidc get --claims/],
    [[], undefined, /^MY_TOKEN is for no audience/],
  ] as const) {
    const claims = {
      ...JOB,
      ...(audiences === undefined ? {} : { aud: audiences }),
      ...(authorizedParty === undefined ? {} : { azp: authorizedParty }),
    };
    const { allows, obstacles } = explainToken(TOKEN, { source: 'MY_TOKEN', claims }, 0);
    assert.equal(allows, obstacle === undefined);
    if (obstacle !== undefined) assert.match(obstacles.join(), obstacle);
  }
});

const generic = (rules: string) =>
  tokenIn(`kind: token
version: v2
metadata: {name: ci}
spec:
  roles: [Bot]
  bot_name: ci
  join_method: generic_oidc
  generic_oidc:
    issuer: https://oidc.circleci.com/org/${ORGANIZATION}
    audience: example.teleport.sh/ci
    ${rules.replaceAll('\n', '\n    ')}
`);

const FIELDS = `must_match_fields:
  oidc.circleci.com/project-id: p
  oidc.circleci.com/vcs-ref: refs/heads/main
  oidc.circleci.com/ssh-rerun: false`;

function explained(token: JoinToken, changes: Readonly<Record<string, unknown>> = {}) {
  const claims = Object.fromEntries(
    Object.entries<unknown>({ ...JOB, aud: 'example.teleport.sh/ci', ...changes }).filter(
      ([, value]) => value !== undefined,
    ),
  );
  return explainToken(token, { source: 'MY_TOKEN', claims: claimsIn(claims) ?? {} }, 0);
}

test('of a generic_oidc token, it says which rule admits the job and which other jobs it admits', () => {
  const { allows, reason, variants } = explained(generic(FIELDS));
  assert.equal(allows, true);
  assert.equal(reason, 'must_match_fields admits it');
  const admitted = variants.filter(({ outcome }) => outcome === 'admitted').map(({ name }) => name);
  assert.deepEqual(admitted, ['fork', 'context', 'no-context', 'pipeline-definition', 'user']);
  assert.deepEqual(
    explained(TOKEN, { aud: ORGANIZATION })
      .variants.filter(({ outcome }) => outcome === 'rejected')
      .map(({ name }) => name),
    ['project'],
  );
});

test('of a rejected job, it says what rejects it and how close it was', () => {
  const { outcome, reason } = explained(generic(FIELDS), { 'oidc.circleci.com/vcs-ref': 'refs/heads/x' });
  assert.equal(outcome, 'rejected');
  assert.equal(
    reason,
    `must_match_fields: required: oidc.circleci.com/vcs-ref is "refs/heads/main"; the job's is "refs/heads/x" (2 of 3 match)`,
  );
  const conditions = generic(
    `allow_any:
  - conditions: [{attribute: sub, eq: {value: x}}]
  - conditions: [{attribute: iss, in: {values: [x, 'https://oidc.circleci.com/org/${ORGANIZATION}']}}, {attribute: sub, eq: {value: y}}]`,
  );
  assert.match(
    explained(conditions).reason,
    /closest: allow_any\[1\], 1 of 2 match: required: sub is "y"; the job's is "org/,
  );
});

test('an expression is explained part by part, with the claims that it reads', () => {
  const token = generic(`allow_any:
  - expression: |
      contains(set(claims["oidc.circleci.com/vcs-ref"]), "refs/heads/next") &&
      contains_any(set(claims["oidc.circleci.com/context-ids"]), set("c", "d"))`);
  const [rule] = explained(token).verdicts;
  assert.deepEqual(rule?.checks, [
    {
      outcome: 'differs',
      expected: 'contains(set(claims["oidc.circleci.com/vcs-ref"]), "refs/heads/next")',
      actual: `the job's oidc.circleci.com/vcs-ref is "refs/heads/main"`,
    },
    {
      outcome: 'matches',
      expected: 'contains_any(set(claims["oidc.circleci.com/context-ids"]), set("c", "d"))',
      actual: '',
    },
  ]);
});

test('an error and a panic are reported with what they do, and that no later entry is tried', () => {
  for (const [expression, expected] of [
    ['claims["oidc.circleci.com/vcs-ref"] ==', /an error, .*syntax error at 1:39: expected a value, found end/],
    ['claims["oidc.circleci.com/ssh-rerun"] == false', /an error, .*error at 1:1: == needs a text on one side/],
    ['claims["a"]\n&& claims["b"]', /syntax error at 2:1: .*write && at the end of that line/],
    ['claims.iat == 5', /error: field not found: iat/],
    ['claims["absent"] == "x"', /is a panic: .*nil where a value is needed/],
    ['regexp.match(set(claims.sub), "^(a+)+$")', /allow_any\[0\]: .*is not evaluated here/],
  ] as const) {
    const token = generic(
      `allow_any:\n  - expression: ${JSON.stringify(expression)}\n  - conditions: [{attribute: sub, not_eq: {value: x}}]`,
    );
    const { outcome, panics, reason } = explained(token);
    assert.match(reason, expected);
    assert.equal(outcome, expression.startsWith('regexp') ? 'unknown' : 'rejected');
    assert.equal(panics, expression.includes('absent'));
  }
});

test('the issuer and the audience of a generic_oidc token are compared with the job', () => {
  const token = generic(FIELDS);
  for (const [changes, obstacle] of [
    [
      { iss: 'https://oidc.circleci.com' },
      /^issuer is https:.*, but MY_TOKEN was issued by https:\/\/oidc\.circleci\.com$/,
    ],
    [
      { aud: 'other' },
      /^audience is example\.teleport\.sh\/ci, but .*circleci run oidc get --claims '\{"aud":"example/,
    ],
    [{ aud: ['a', 'example.teleport.sh/ci'] }, /Teleport rejects several audiences/],
    [{ aud: ['example.teleport.sh/ci'] }, undefined],
    [{ aud: ['a', 'example.teleport.sh/ci'], azp: 'example.teleport.sh/ci' }, undefined],
    [{ aud: undefined }, undefined],
  ] as const) {
    const { obstacles } = explained(token, changes);
    assert.equal(obstacles.length, obstacle === undefined ? 0 : 1);
    if (obstacle !== undefined) assert.match(obstacles.join(), obstacle);
  }
});

test('with the default token of a job, the decision is about the token that run asks for', () => {
  const { allows, notes } = explained(generic(FIELDS), { aud: ORGANIZATION });
  assert.equal(allows, true);
  assert.match(notes.join(), /MY_TOKEN is the default token.*--audience example\.teleport\.sh\/ci/);
});
