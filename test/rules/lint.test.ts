import assert from 'node:assert/strict';
import test from 'node:test';
import { LINT_RULES, lintToken } from '../../src/rules/lint.ts';
import { readResources } from '../../src/rules/read-resources.ts';

const ORGANIZATION = '11111111-2222-4333-8444-555555555555';
const PROJECT = '66666666-7777-4888-9999-aaaaaaaaaaaa';
const CONTEXT = 'bbbbbbbb-cccc-4ddd-8eee-ffffffffffff';
const ISSUER = `https://oidc.circleci.com/org/${ORGANIZATION}`;

/** `error any-branch 12`, without notes. */
function found(text: string, name = 'token.yaml'): readonly string[] {
  return readResources(text, name).resources.flatMap((resource) =>
    resource.kind === 'token' ? lintToken(resource).map(({ id, level, line }) => `${level} ${id} ${String(line)}`) : [],
  );
}

interface Parts {
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly entries?: readonly object[];
  readonly audience?: string;
  readonly issuer?: string;
  readonly settings?: object;
  readonly name?: string;
  readonly roles?: readonly string[];
}

const FIELDS = {
  'oidc.circleci.com/project-id': PROJECT,
  'oidc.circleci.com/vcs-origin': 'github.com/example/app',
  'oidc.circleci.com/vcs-ref': 'refs/heads/main',
  'oidc.circleci.com/ssh-rerun': false,
};
const CONTEXTS = `contains_any(set(claims["oidc.circleci.com/context-ids"]), set("${CONTEXT}"))`;

/** On line 1 up to the rules: `must_match_fields` on 3 and its keys from 4 on, entries from 31 on. */
function generic({ entries = [{ expression: CONTEXTS }], fields = FIELDS, ...parts }: Parts): string {
  const {
    audience = 'example.teleport.sh/deploy',
    issuer = ISSUER,
    name = 'deploy',
    roles = ['Bot'],
    settings,
  } = parts;
  const json = (value: unknown) => JSON.stringify(value);
  const lines = [
    `{kind: token, version: v2, metadata: {name: ${name}}, spec: {roles: ${json(roles)}, join_method: generic_oidc, bot_name: deploy,`,
    `generic_oidc: {issuer: ${json(issuer)}, audience: ${json(audience)},${settings === undefined ? '' : `${json(settings).slice(1, -1)},`}`,
    'must_match_fields: {',
    ...Object.entries(fields).map(([key, value]) => `  ${json(key)}: ${json(value)},`),
  ];
  while (lines.length < 29) lines.push('');
  return [...lines, '}, allow_any: [', ...entries.map((entry) => `  ${json(entry)},`), ']}}}', ''].join('\n');
}

function circleci(rule: object, organization = ORGANIZATION): string {
  return `kind: token
version: v2
metadata: {name: deploy}
spec:
  roles: [Bot]
  bot_name: deploy
  join_method: circleci
  circleci: {organization_id: ${JSON.stringify(organization)}, allow: [
    ${JSON.stringify(rule)}]}
`;
}

const TERRAFORM = `resource "teleport_provision_token" "deploy" {
  version  = "v2"
  metadata = { name = "deploy" }
  spec = {
    roles = ["Bot"], bot_name = "deploy", join_method = "generic_oidc"
    generic_oidc = {
      issuer = "${ISSUER}"
      audience = "a"
      must_match_fields = { "oidc.circleci.com/vcs-ref" = "refs/heads/main" }
      allow_any = [{ expression = "contains(set(claims[\\"oidc.circleci.com/project-id\\"]), \\"${PROJECT}\\")" }]
    }
  }
}
`;

const without = (claim: string) => Object.fromEntries(Object.entries(FIELDS).filter(([name]) => !name.endsWith(claim)));
const expression = (text: string) => ({ fields: FIELDS, entries: [{ expression: `${CONTEXTS} && ${text}` }] });
const REF = 'claims["oidc.circleci.com/vcs-ref"]';
const RERUN = 'claims["oidc.circleci.com/ssh-rerun"]';

/** Of a token without any other finding than notes about webhooks. */
const CASES: readonly (readonly [expected: string, text: string])[] = [
  ['warning secret-name 1', generic({ name: '0123456789abcdef0123456789ABCDEF' })],
  ['note join-method 7', circleci({}).replace('join_method: circleci', 'join_method: github')],
  ['warning other-roles 1', generic({ roles: ['Bot', 'Node'] })],
  ['error circleci-id 8', circleci({ project_id: PROJECT, context_id: CONTEXT }, 'gh/example')],
  ['error circleci-id 9', circleci({ project_id: PROJECT.toUpperCase(), context_id: CONTEXT })],
  ['error circleci-id 4', generic({ fields: { ...FIELDS, 'oidc.circleci.com/project-id': 'example/app' } })],
  ['warning project-only 9', circleci({ project_id: PROJECT })],
  ['warning context-only 9', circleci({ context_id: CONTEXT })],
  ['note circleci-limits 7', circleci({ project_id: PROJECT, context_id: CONTEXT })],
  ['warning audience-is-organization 2', generic({ audience: ORGANIZATION })],
  ['error several-audiences 2', generic({ audience: 'a, b' })],
  ['warning issuer 2', generic({ issuer: `${ISSUER}/` })],
  ['error issuer 2', generic({ issuer: 'https://oidc.circleci.com' })],
  ['warning http-issuer 2', generic({ settings: { insecure_allow_http_issuer: true } })],
  ['error terraform-fields 9', TERRAFORM],
  [
    'error condition-dotted-claim 31',
    generic({ entries: [{ conditions: [{ attribute: 'oidc.circleci.com/vcs-ref', not_eq: { value: 'x' } }] }] }),
  ],
  ['error claim-type 7', generic({ fields: { ...FIELDS, 'oidc.circleci.com/ssh-rerun': 'false' } })],
  ['error claim-type 8', generic({ fields: { ...FIELDS, 'oidc.circleci.com/context-ids': CONTEXT } })],
  ['error claim-type 31', generic(expression('contains(claims["oidc.circleci.com/context-ids"], "a")'))],
  ['error claim-type 31', generic(expression(`${REF}.contains("a")`))],
  ['error claim-type 31', generic(expression(`${RERUN} == "false"`))],
  ['warning unknown-claim 8', generic({ fields: { ...FIELDS, 'oidc.circleci.com/vcs_ref': 'x' } })],
  ['warning unknown-claim 31', generic({ entries: [{ conditions: [{ attribute: 'branch', eq: { value: 'x' } }] }] })],
  ['note webhook-claim 6', generic({})],
  ['note webhook-claim 31', generic(expression(`contains(set(${REF}), "x")`))],
  [
    'warning webhook-claim 31',
    generic({ entries: [{ expression: `contains(set(${REF}), "x")` }, { expression: CONTEXTS }] }),
  ],
  ['warning any-project 3', generic({ fields: without('project-id'), entries: [] })],
  ['warning any-branch 31', generic({ fields: without('vcs-ref') })],
  ['warning any-origin 31', generic({ fields: without('vcs-origin') })],
  ['warning any-rerun 31', generic({ fields: without('ssh-rerun') })],
  [
    'warning any-rerun 31',
    generic({
      fields: without('ssh-rerun'),
      entries: [{ expression: `${CONTEXTS} && (!${RERUN} || contains(set(claims.sub), "x"))` }],
    }),
  ],
  ['note any-context 3', generic({ entries: [] })],
  ['warning project-only 3', generic({ fields: { 'oidc.circleci.com/project-id': PROJECT }, entries: [] })],
  ['error boolean-comparison 31', generic(expression(`${RERUN} == false`))],
  ['error expression-error 31', generic(expression('contains('))],
  ['error expression-error 31', generic(expression('contains(set(claim.sub), "x")'))],
  ['error expression-error 31', generic(expression('claims.iat > 5'))],
  ['note expression-unchecked 31', generic(expression('contains(strings.split(claims.sub, "/"), "x")'))],
  ['error bare-claim 31', generic(expression(`${REF} == "refs/heads/main"`))],
  ['error bare-claim 31', generic(expression('claims["oidc.circleci.com/vcs-sha"] == "x"'))],
  ['note bare-claim 31', generic(expression(`!${RERUN}`))],
  ['error number-comparison 31', generic(expression('claims.exp == 5'))],
  ['error number-comparison 31', generic(expression('claims.iat == "5"'))],
];

for (const [expected, text] of CASES) {
  test(`lint finds ${expected}`, () => {
    const all = found(text, text.startsWith('resource') ? 'main.tf' : 'token.yaml');
    assert.ok(all.includes(expected), all.join('\n'));
  });
}

test('every lint rule has a case', () => {
  const covered = new Set(CASES.map(([expected]) => expected.split(' ')[1]));
  const missing = LINT_RULES.map(({ id }) => id).filter((id) => !covered.has(id));
  assert.deepEqual(missing, ['invalid-resource']);
});

test('a token that compares project, origin, branch, rerun and context has only notes', () => {
  assert.deepEqual(found(generic({})), ['note webhook-claim 5', 'note webhook-claim 6']);
});

test('every finding has a sentence and a hint, and rules have distinct ids', () => {
  for (const [, text] of CASES) {
    for (const resource of readResources(text, text.startsWith('resource') ? 'main.tf' : 'a').resources) {
      if (resource.kind !== 'token') continue;
      for (const { hint, id, message } of lintToken(resource)) {
        assert.match(hint, /^[A-Z].*[.?]$/, id);
        assert.doesNotMatch(message, /[.\n]$/, id);
      }
    }
  }
  const ids = LINT_RULES.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  for (const { help, id } of LINT_RULES) assert.match(help, /^.*\.$/, id);
});
