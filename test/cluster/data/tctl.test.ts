import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { resources, type JoinToken, type Resources } from './data.ts';
import { profileOf } from './profiles.ts';
import { tctlBotsAdd, tctlCreate } from './tctl.ts';
import { TeleportError } from './teleport-errors.ts';

const GENERIC = `kind: token
version: v2
metadata: { name: deploy }
spec:
  roles: [Bot]
  join_method: generic_oidc
  bot_name: deploy
  generic_oidc:
    issuer: https://oidc.circleci.com/org/11111111-2222-4333-8444-555555555555
    audience: example.teleport.sh/deploy
    must_match_fields:
      oidc.circleci.com/vcs-ref: refs/heads/main
      oidc.circleci.com/ssh-rerun: false
    allow_any:
      - expression: 'contains(set(claims["oidc.circleci.com/context-ids"]), "c")'
      - conditions: [{ attribute: sub, in: { values: [a, b] } }]
`;
const CIRCLECI = `kind: token
version: v2
metadata: { name: older, expires: "2027-01-01T00:00:00Z" }
spec:
  roles: [bot]
  join_method: circleci
  bot_name: deploy
  circleci:
    organization_id: o
    allow: [{ project_id: p }]
`;
const BOT = 'kind: bot\nversion: v1\nmetadata: { name: deploy }\nspec: { roles: [access] }\n';

function created(text: string, own: Resources = resources([])): Resources {
  tctlCreate(own, text);
  return own;
}

function token(own: Resources, name: string): JoinToken | undefined {
  return own.tokens.find((one) => one.name === name);
}

describe('tctl create', () => {
  test('reads several documents of a file, of bots and of tokens of both methods', () => {
    const own = created([BOT, GENERIC, CIRCLECI].join('---\n'));
    assert.deepEqual(own.roles.find(({ name }) => name === 'bot-deploy')?.impersonates, ['access']);
    assert.equal(token(own, 'older')?.expiresAt?.toISOString(), '2027-01-01T00:00:00.000Z');
    assert.deepEqual(token(own, 'older')?.roles, ['Bot']);
    assert.deepEqual(token(own, 'deploy')?.genericOidc, {
      issuer: 'https://oidc.circleci.com/org/11111111-2222-4333-8444-555555555555',
      audience: 'example.teleport.sh/deploy',
      tlsCa: '',
      staticJwks: '',
      mustMatchFields: { 'oidc.circleci.com/vcs-ref': 'refs/heads/main', 'oidc.circleci.com/ssh-rerun': false },
      allowAny: [
        { expression: 'contains(set(claims["oidc.circleci.com/context-ids"]), "c")' },
        { conditions: [{ attribute: 'sub', operator: 'in', values: ['a', 'b'] }] },
      ],
    });
  });

  test('reads JSON, and ignores empty documents', () => {
    const own = created(
      `---\n---\n${JSON.stringify({ kind: 'bot', version: 'v1', metadata: { name: 'b' }, spec: { roles: [] } })}`,
    );
    assert.notEqual(
      own.roles.find(({ name }) => name === 'bot-b'),
      undefined,
    );
  });

  test('replaces a resource of the same name', () => {
    const own = created(`${GENERIC}---\n${GENERIC.replace('audience: example', 'audience: other')}`);
    assert.equal(own.tokens.filter(({ name }) => name === 'deploy').length, 1);
    assert.equal(token(own, 'deploy')?.genericOidc?.audience, 'other.teleport.sh/deploy');
  });

  test('reads YAML 1.1, in which an unquoted yes is a boolean', () => {
    const own = created(GENERIC.replace('ssh-rerun: false', 'ssh-rerun: yes'));
    assert.equal(token(own, 'deploy')?.genericOidc?.mustMatchFields['oidc.circleci.com/ssh-rerun'], true);
  });

  test('does not parse expressions', () => {
    created(GENERIC.replace('contains(set(', 'contains(('));
  });

  test('knows generic_oidc from 18.11 on', () => {
    for (const version of ['15.3.7', '17.7.1', '18.6.0', '18.10.9']) {
      assert.throws(() => {
        tctlCreate(resources([]), GENERIC, profileOf(version));
      }, /^Error: unknown join method "generic_oidc"$/);
    }
    for (const version of ['18.11.0', '19.0.0', '20.1.0']) {
      tctlCreate(resources([]), GENERIC, profileOf(version));
    }
  });

  test("reads the operator's resources, in which nested fields are refused", () => {
    const spec = GENERIC.slice(GENERIC.indexOf('metadata'));
    const manifest = `apiVersion: resources.teleport.dev/v2\nkind: TeleportProvisionToken\n${spec}`;
    assert.equal(token(created(manifest), 'deploy')?.method, 'generic_oidc');
    assert.throws(() => created(manifest.replace('ssh-rerun: false', 'ssh-rerun: { a: b }')), /nested/);
  });

  test('a bot can be added to a created token in the older way', () => {
    const own = created(GENERIC);
    tctlBotsAdd(own, 'deploy', ['access'], 'deploy');
    assert.throws(() => {
      tctlBotsAdd(own, 'other', ['access'], 'deploy');
    }, /is valid for bot with name "deploy"/);
  });

  const refusals: readonly (readonly [string, string, RegExp])[] = [
    [
      'an unknown method',
      GENERIC.replace('join_method: generic_oidc', 'join_method: oidc'),
      /^unknown join method "oidc"$/,
    ],
    [
      'a method that is not modelled',
      GENERIC.replace('join_method: generic_oidc', 'join_method: gcp'),
      /does not read tokens of/,
    ],
    [
      'a section that is missing',
      CIRCLECI.replace('method: circleci', 'method: generic_oidc'),
      /^"generic_oidc" configuration must be provided/,
    ],
    [
      'the other section missing',
      GENERIC.replace('method: generic_oidc', 'method: circleci'),
      /^"cirleci" configuration must be provided/,
    ],
    [
      'no allow rule',
      CIRCLECI.replace('[{ project_id: p }]', '[]'),
      /^the "circleci" join method requires at least one token allow rule$/,
    ],
    [
      'no organization',
      CIRCLECI.replace('organization_id: o', 'organization_id: ""'),
      /requires 'organization_id' to be set$/,
    ],
    [
      'an empty allow rule',
      CIRCLECI.replace('project_id: p', 'project_id: ""'),
      /^allow rule for "circleci" must include at least "project_id" or "context_id"$/,
    ],
    ['no bot', GENERIC.replace('bot_name: deploy', 'bot_name: ""'), /^token with role "Bot" must set bot_name$/],
    ['a bot for another role', GENERIC.replace('[Bot]', '[Node]'), /^can only set bot_name on token with role "Bot"$/],
    [
      'a list in must_match_fields',
      GENERIC.replace('ssh-rerun: false', 'ssh-rerun: [a]'),
      /^list fields cannot be used in `must_match_fields`$/,
    ],
    [
      'static_jwks that is no text',
      GENERIC.replace('must_match_fields', 'static_jwks: { keys: [] }\n    must_match_fields'),
      /static_jwks/,
    ],
    ['a key that Teleport does not know', GENERIC.replace('audience:', 'audiences: [a]\n    audience:'), /audiences/],
    ['another kind', BOT.replace('bot', 'user'), /creating a user/],
    ['what is not YAML', 'kind: [', /./],
  ];
  for (const [name, text, reason] of refusals) {
    test(`refuses ${name}`, () => {
      assert.throws(
        () => created(text),
        (error) => error instanceof TeleportError && error.kind === 'BadParameter' && reason.test(error.message),
      );
    });
  }
});
