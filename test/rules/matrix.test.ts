/** The matrix of rules and jobs: who is admitted, and what decides, checked against the embedded cluster's evaluator. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { parse } from 'yaml';
import { decide } from '../../src/rules/decide.ts';
import { type Claims, claimsIn, type JsonObject } from '../../src/rules/json.ts';
import { readResources } from '../../src/rules/read-resources.ts';
import { variantsOf } from '../../src/rules/variants.ts';
import { GoPanic, Refusal } from '../cluster/generic-oidc/go-values.ts';
import { requireAdmitted } from '../cluster/generic-oidc/rules.ts';
import { GenericOidcResource, genericOidcSpec } from '../cluster/generic-oidc/token-spec.ts';

const ORGANIZATION = '11111111-2222-4333-8444-555555555555';
const PROJECT = '66666666-7777-4888-9999-aaaaaaaaaaaa';
const CONTEXT = 'bbbbbbbb-cccc-4ddd-8eee-ffffffffffff';
const ISSUER = `https://oidc.circleci.com/org/${ORGANIZATION}`;
const AUDIENCE = 'example.teleport.sh/deploy';

const JOB: Claims = {
  iss: ISSUER,
  aud: AUDIENCE,
  sub: `org/${ORGANIZATION}/project/${PROJECT}/user/u/vcs-origin/github.com/example/app/vcs-ref/refs/heads/main`,
  iat: 1764500000,
  exp: 1764503600,
  'oidc.circleci.com/org-id': ORGANIZATION,
  'oidc.circleci.com/project-id': PROJECT,
  'oidc.circleci.com/pipeline-definition-id': 'd',
  'oidc.circleci.com/context-ids': [CONTEXT],
  'oidc.circleci.com/vcs-origin': 'github.com/example/app',
  'oidc.circleci.com/vcs-ref': 'refs/heads/main',
  'oidc.circleci.com/ssh-rerun': false,
};

const REF = 'claims["oidc.circleci.com/vcs-ref"]';

/** By name; each as under `spec.generic_oidc`. */
const RULES: Readonly<Record<string, JsonObject>> = {
  'fields and context': {
    must_match_fields: {
      'oidc.circleci.com/project-id': PROJECT,
      'oidc.circleci.com/vcs-origin': 'github.com/example/app',
      'oidc.circleci.com/vcs-ref': 'refs/heads/main',
      'oidc.circleci.com/ssh-rerun': false,
    },
    allow_any: [{ expression: `contains_any(set(claims["oidc.circleci.com/context-ids"]), set("${CONTEXT}"))` }],
  },
  'project alone': { must_match_fields: { 'oidc.circleci.com/project-id': PROJECT } },
  'branch pattern': { allow_any: [{ expression: `regexp.match(set(${REF}), "refs/heads/m*")` }] },
  'bare index': { allow_any: [{ expression: `${REF} == "refs/heads/main"` }] },
  'dotted condition': {
    allow_any: [{ conditions: [{ attribute: 'oidc.circleci.com/vcs-ref', eq: { value: 'refs/heads/main' } }] }],
  },
  'quoted false': { must_match_fields: { 'oidc.circleci.com/ssh-rerun': 'false' } },
  'not rerun': { allow_any: [{ expression: '!claims["oidc.circleci.com/ssh-rerun"]' }] },
  '== false': { allow_any: [{ expression: 'claims["oidc.circleci.com/ssh-rerun"] == false' }] },
  'error first': {
    allow_any: [
      { expression: `contains(set(${REF}), "refs/heads/other")` },
      { conditions: [{ attribute: 'iss', eq: { value: ISSUER } }] },
    ],
  },
};

const JOBS = [{ name: 'the job', claims: JOB }, ...variantsOf(JOB)];

type Mark = 'yes' | 'no' | 'PANIC';

function judge(rules: JsonObject, claims: Claims): Mark {
  const spec = genericOidcSpec(GenericOidcResource.parse({ issuer: ISSUER, audience: AUDIENCE, ...rules }));
  try {
    requireAdmitted(spec, claims);
    return 'yes';
  } catch (error) {
    if (error instanceof GoPanic) return 'PANIC';
    assert.ok(error instanceof Refusal, String(error));
    return 'no';
  }
}

function tokenFor(rules: JsonObject) {
  const spec = { roles: ['Bot'], bot_name: 'deploy', join_method: 'generic_oidc' };
  const settings = { issuer: ISSUER, audience: AUDIENCE, ...rules };
  const resource = {
    kind: 'token',
    version: 'v2',
    metadata: { name: 'deploy' },
    spec: { ...spec, generic_oidc: settings },
  };
  const text = JSON.stringify(resource);
  assert.deepEqual(parse(text), resource);
  const [token] = readResources(text, 'token.json').resources;
  assert.ok(token?.kind === 'token');
  return token;
}

test('the matrix of rules and jobs is that of the cluster, and says what decides', (context) => {
  const rows = Object.entries(RULES).map(([name, rules]) => {
    const token = tokenFor(rules);
    const cells = JOBS.map(({ claims }) => {
      const { outcome, panics, reason } = decide(token, { source: 'the job', claims: claimsIn(claims) ?? {} }, 0);
      const mark: Mark = panics ? 'PANIC' : outcome === 'admitted' ? 'yes' : 'no';
      assert.equal(mark, judge(rules, claims), `${name}: ${reason}`);
      assert.match(reason, /must_match_fields|allow_any/);
      return { mark, reason };
    });
    return { name, cells };
  });
  const width = Math.max(...Object.keys(RULES).map((name) => name.length));
  const names = JOBS.map(({ name }) => name);
  context.diagnostic([''.padEnd(width), ...names].join(' | '));
  for (const { cells, name } of rows) {
    context.diagnostic(
      [name.padEnd(width), ...cells.map(({ mark }, at) => mark.padEnd(names[at]?.length ?? 0))].join(' | '),
    );
    const reasons = new Set(cells.map(({ mark, reason }) => `  ${mark}: ${reason}`));
    for (const reason of reasons) context.diagnostic(reason);
  }
  const admitted = (rule: string) =>
    names.filter((_, at) => rows.find(({ name }) => name === rule)?.cells[at]?.mark === 'yes');
  assert.deepEqual(admitted('fields and context'), ['the job', 'pipeline-definition', 'user']);
  assert.deepEqual(admitted('dotted condition'), []);
  assert.deepEqual(admitted('quoted false'), []);
  assert.ok(!admitted('error first').includes('webhook') && admitted('error first').includes('branch'));
});
