import assert from 'node:assert/strict';
import test from 'node:test';
import { readResources } from '../../../src/commands/explain-token/read-resources.ts';
import { MachineIdError } from '../../../src/errors.ts';

const ORGANIZATION = '11111111-2222-4333-8444-555555555555';
const PROJECT = 'aaaaaaaa-2222-4333-8444-555555555555';
const CONTEXT = 'cccccccc-2222-4333-8444-555555555555';
const RULE = `{project_id: ${PROJECT}, context_id: ${CONTEXT}}`;

interface TokenOptions {
  readonly version?: string;
  readonly metadata?: string;
  readonly roles?: string;
  readonly method?: string;
  readonly bot?: string;
  readonly circleci?: string;
}

function token(options: TokenOptions = {}): string {
  const { bot = 'bot_name: ci', metadata = '{name: circleci-bot}', method = 'circleci', roles = '[Bot]' } = options;
  const { circleci = `{organization_id: ${ORGANIZATION}, allow: [${RULE}]}`, version = 'v2' } = options;
  return `kind: token
version: ${version}
metadata: ${metadata}
spec:
  roles: ${roles}
  join_method: ${method}
  ${bot}
  circleci: ${circleci}
`;
}

function problemsIn(text: string, name = 'token.yaml'): readonly string[] {
  try {
    readResources(text, name);
  } catch (error) {
    assert.ok(error instanceof MachineIdError && error.code === 'CONFIG_INVALID', String(error));
    return error.problems.map(({ line, message, path }) => `${String(line)} ${path}: ${message}`);
  }
  return [];
}

test('a token is read with its rules and their lines', () => {
  const [read] = readResources(token(), 'token.yaml').resources;
  assert.deepEqual(read, {
    kind: 'token',
    line: 1,
    name: 'circleci-bot',
    expiresAtMs: undefined,
    joinMethod: 'circleci',
    roles: ['Bot'],
    botName: 'ci',
    organizationId: ORGANIZATION,
    rules: [{ line: 8, rule: { projectId: PROJECT, contextId: CONTEXT } }],
  });
});

test('roles are read ignoring case, as in Teleport', () => {
  const roles = readResources(token({ roles: '[" bot", windows_desktop]' }), 'token.yaml').resources;
  assert.deepEqual(
    roles.map((one) => one.roles),
    [['Bot', 'WindowsDesktop']],
  );
});

/** Each with Teleport's error. */
const INVALID: readonly (readonly [string, TokenOptions, RegExp])[] = [
  ['no roles', { roles: '[]', bot: 'bot_name:' }, /^5 spec\.roles: provisioning token is missing roles/],
  ['an unknown role', { roles: '[Bot, Robot]' }, /^5 spec\.roles\[1\]: role Robot is not registered/],
  ['a mistyped role', { roles: '[Bott]', bot: '' }, /role Bott is not registered; did you mean "Bot"\?/],
  ['a duplicate role', { roles: '[Bot, bot]' }, /^5 spec\.roles\[1\]: duplicate role "Bot"/],
  ['a role in lower case and no bot', { roles: '[bot]', bot: '' }, /token with role "Bot" must set bot_name/],
  ['no bot', { bot: '' }, /token with role "Bot" must set bot_name/],
  ['a bot for a node', { roles: '[Node]' }, /can only set bot_name on token with role "Bot"/],
  ['no name', { metadata: '{}' }, /metadata\.name: missing parameter Name/],
  [
    'another version',
    { version: 'v3' },
    /^2 version: server resource version v3 is not supported; write "version: v2"/,
  ],
  ['no version', { version: '' }, /^2 version: is missing; write "version: v2"/],
  ['no settings', { circleci: '' }, /"circleci" configuration must be provided for join method "circleci"/],
  [
    'no rules',
    { circleci: `{organization_id: ${ORGANIZATION}, allow: []}` },
    /the "circleci" join method requires at least one token allow rule/,
  ],
  [
    'no organization',
    { circleci: `{allow: [${RULE}]}` },
    /the "circleci" join method requires 'organization_id' to be set/,
  ],
  [
    'a rule without an id',
    { circleci: `{organization_id: ${ORGANIZATION}, allow: [${RULE}, {}]}` },
    /^8 spec\.circleci\.allow\[1\]: allow rule for "circleci" must include at least "project_id" or "context_id"/,
  ],
  [
    'a time in another format',
    { metadata: '{name: t, expires: tomorrow}' },
    /^3 metadata\.expires: parsing time "tomorrow"/,
  ],
  [
    'an unknown key in a rule',
    { circleci: `{organization_id: ${ORGANIZATION}, allow: [{project_id: ${PROJECT}, contextid: ${CONTEXT}}]}` },
    /^8 spec\.circleci\.allow\[0\]\.contextid: unknown key "contextid" is rejected by tctl; did you mean "context_id"\?/,
  ],
  ['a number for a name', { bot: 'bot_name: 12' }, /^7 spec\.bot_name: must be text, .*; put it in quotes/],
  ['a number for a role', { roles: '[Bot, 1]' }, /^5 spec\.roles\[1\]: must be text/],
  ['a list for a name', { metadata: '{name: [a]}' }, /^3 metadata\.name: must be text, not a list/],
  ['a list for a mapping', { circleci: '[]' }, /cannot unmarshal !!seq into a mapping/],
];

for (const [name, options, expected] of INVALID) {
  test(`a token with ${name} is rejected with Teleport's error and no other`, () => {
    const problems = problemsIn(token(options));
    assert.equal(problems.length, 1, problems.join('\n'));
    assert.match(problems[0] ?? '', expected);
  });
}

test('all problems of all documents are reported together, in the order of the file', () => {
  const problems = problemsIn(
    `${token({ roles: '[]', bot: '' })}---\n${token({ version: 'v1', bot: '' })}---\nkind: tokn\n`,
  );
  assert.deepEqual(
    problems.map((problem) => problem.split(':')[0]),
    [
      ...['5 spec.roles', '11 version', '13 spec.bot_name', '19 kind'],
      ...['undefined version', 'undefined metadata.name', 'undefined spec.roles'],
    ],
  );
});

test('the JSON output of tctl can be read too', () => {
  const json = JSON.stringify([
    {
      kind: 'token',
      version: 'v2',
      metadata: { name: 't', revision: 'x' },
      spec: {
        roles: ['Bot'],
        join_method: 'circleci',
        bot_name: 'ci',
        circleci: { organization_id: ORGANIZATION, allow: [{ context_id: CONTEXT }] },
      },
    },
    { kind: 'bot', version: 'v1', metadata: { name: 'ci' }, spec: { roles: ['access'] } },
  ]);
  const { resources, warnings } = readResources(json, 'token.json');
  assert.deepEqual(
    resources.map(({ kind, name }) => [kind, name]),
    [
      ['token', 't'],
      ['bot', 'ci'],
    ],
  );
  assert.match(warnings.join('\n'), /this rule allows every job of every project that may use that context/);
});

test('names instead of IDs and other join methods are warnings', () => {
  const circleci = `{organization_id: gh/acme, allow: [{project_id: gh/acme/app, context_id: ${CONTEXT.toUpperCase()}}]}`;
  const { warnings } = readResources(token({ circleci }), 'token.yaml');
  for (const expected of [
    /line 8: organization_id "gh\/acme" is not a CircleCI ID/,
    /project_id "gh\/acme\/app" is not a CircleCI ID/,
    /must be in lower case/,
  ]) {
    assert.match(warnings.join('\n'), expected);
  }
  const other = readResources(token({ method: 'github' }), 'token.yaml');
  assert.match(
    other.warnings.join('\n'),
    /join_method is "github"; CircleCI jobs need a token with the join method "circleci"/,
  );
});

test('the name of a token with the join method token is masked, since it is a secret', () => {
  const name = 'abcdefghijklmnopqrst';
  for (const method of ['token', '']) {
    const [read] = readResources(token({ metadata: `{name: ${name}}`, method }), 'token.yaml').resources;
    assert.equal(read?.name, '***************pqrst');
  }
  const [short] = readResources(token({ metadata: '{name: hunter2}', method: 'token' }), 'token.yaml').resources;
  assert.equal(short?.name, '*******');
});

test('a bot is checked as in Teleport', () => {
  const bot = (spec: string, version = 'v1') => `kind: bot\nversion: ${version}\nmetadata: {name: ci}\nspec: ${spec}\n`;
  assert.deepEqual(readResources(bot('{roles: [access]}'), 'bot.yaml').resources, [
    { kind: 'bot', line: 1, name: 'ci', roles: ['access'] },
  ]);
  assert.deepEqual(problemsIn(bot('{roles: [a, ""]}', 'v2')), [
    '2 version: is "v2", expected v1',
    '4 spec.roles[1]: must not contain empty strings',
  ]);
  assert.deepEqual(problemsIn(bot('{max_session_ttl: long}')), [
    '4 spec.max_session_ttl: "long" is not a duration such as 43200s',
  ]);
});

const OPERATOR = `apiVersion: resources.teleport.dev/v2
kind: TeleportProvisionToken
metadata: {name: ci, namespace: teleport, labels: {app.kubernetes.io/name: ci}}
spec:
  roles: [Bot]
  bot_name: ci
  join_method: circleci
  circleci:
    organization_id: ${ORGANIZATION}
    allow: [${RULE}]
`;

test('a token and a bot of the Kubernetes operator are read like those of tctl', () => {
  const bot =
    'apiVersion: resources.teleport.dev/v1\nkind: TeleportBotV1\nmetadata: {name: ci}\nspec: {roles: [access]}\n';
  const { resources, warnings } = readResources(`${OPERATOR}status: {conditions: []}\n---\n${bot}`, 'token.yaml');
  assert.deepEqual(warnings, []);
  assert.deepEqual(
    resources.map(({ kind, name }) => [kind, name]),
    [
      ['token', 'ci'],
      ['bot', 'ci'],
    ],
  );
  const [read] = resources;
  assert.ok(read?.kind === 'token');
  assert.deepEqual([read.rules[0]?.line, read.organizationId], [10, ORGANIZATION]);
});

test('the output of kubectl is read: one object with the metadata of the cluster, or a list of objects', () => {
  const object = {
    apiVersion: 'resources.teleport.dev/v2',
    kind: 'TeleportProvisionToken',
    metadata: { name: 'ci', uid: 'u', resourceVersion: '12', generation: 1, managedFields: [], finalizers: ['f'] },
    spec: {
      roles: ['Bot'],
      bot_name: 'ci',
      join_method: 'circleci',
      circleci: { organization_id: ORGANIZATION, allow: [{ project_id: PROJECT, context_id: CONTEXT }] },
    },
    status: {},
  };
  for (const kind of ['List', 'TeleportProvisionTokenList']) {
    const list = { apiVersion: 'v1', kind, items: [object, { ...object, metadata: { name: 'cd' } }], metadata: {} };
    for (const text of [JSON.stringify(list), JSON.stringify([object, object])]) {
      assert.equal(readResources(text, 'tokens.json').resources.length, 2);
    }
  }
});

test('an invalid header of an operator object is reported together with problems of its spec', () => {
  for (const [from, to, expected] of [
    ['resources.teleport.dev/v2', 'v2', [/^1 apiVersion: is "v2"; write "apiVersion: resources\.teleport\.dev\/v2"$/]],
    ['kind: TeleportProvisionToken', 'kind: teleportprovisiontokens', [/^2 kind: is ".*"; write "kind: TeleportProv/]],
    ['kind: TeleportProvisionToken\n', '', [/^undefined kind: is missing; write "kind: TeleportProvisionToken"$/]],
    ['kind: TeleportProvisionToken', 'kind: ProvisionToken', [/^2 kind: is "ProvisionToken"; write "kind: Teleport/]],
    [
      'allow:',
      'allows:',
      [/requires at least one token allow rule/, /^10 .*"allows" is rejected by kubectl; did you mean/],
    ],
  ] as const) {
    const problems = problemsIn(OPERATOR.replace(from, to));
    assert.equal(problems.length, expected.length, problems.join('\n'));
    for (const one of expected)
      assert.ok(
        problems.some((problem) => one.test(problem)),
        problems.join('\n'),
      );
    const both = problemsIn(OPERATOR.replace(from, to).replace('[Bot]', '[Robot]'));
    assert.ok(
      both.some((problem) => problem.includes('Robot')),
      both.join('\n'),
    );
  }
});

test('a missing or misspelled kind does not hide the other problems', () => {
  const invalid = token({}).replace('allow:', 'allows:').replace('[Bot]', '[Bot, Robot]');
  for (const [kind, expected] of [
    ['', 'undefined kind: is missing; write "kind: token"'],
    ['kind: provision_token\n', '1 kind: is "provision_token"; write "kind: token"'],
    ['kind: tokn\n', '1 kind: is "tokn"; write "kind: token"'],
    ['kind: {}\n', '1 kind: is missing; write "kind: token"'],
    ['kind: access\n', '1 kind: is "access"; write "kind: token"'],
  ] as const) {
    const problems = problemsIn(invalid.replace('kind: token\n', kind));
    assert.ok(problems.includes(expected), problems.join('\n'));
    for (const one of [/unknown key "allows"/, /role Robot is not registered/, /at least one token allow rule/]) {
      assert.match(problems.join('\n'), one);
    }
  }
  assert.deepEqual(problemsIn('version: v1\nmetadata: {name: ci}\nspec: {roles: [a], traits: []}\n'), [
    'undefined kind: is missing; write "kind: bot"',
  ]);
  assert.deepEqual(problemsIn('proxy_server: a:443\n'), ['undefined kind: is missing; write "kind: token"']);
  assert.deepEqual(problemsIn('kind: role\n'), ['1 kind: is "role"; expected "token" or "bot"']);
});

test('other resources next to a token are ignored with a warning, in either form', () => {
  const { resources, warnings } = readResources(
    `kind: role\nmetadata: {name: ci}\n---\n${token({})}---\napiVersion: v1\nkind: Namespace\nmetadata: {name: ci}\n`,
    'setup.yaml',
  );
  assert.equal(resources.length, 1);
  assert.match(warnings.join('\n'), /setup\.yaml line 1: the resource of kind "role" is not checked/);
  assert.match(warnings.join('\n'), /setup\.yaml line \d+: the resource of kind "Namespace" is not checked/);
});

const HCL = `# the token
resource "teleport_provision_token" "ci" {
  version = "v2"
  metadata = {
    name = "circleci-bot"
  }
  spec = { roles = ["Bot"] }
}

resource "teleport_provision_token" "other" {
  metadata = { name = var.name }
}

resource "teleport_bot" "ci" {
  name  = "ci"
  roles = ["access"]
}
`;

test('Terraform resources are reported with how to check them, in HCL and in JSON', () => {
  const problems = problemsIn(HCL);
  assert.equal(problems.length, 3);
  assert.match(
    problems[0] ?? '',
    /^2 document: teleport_provision_token\.ci .*tctl get token\/circleci-bot \| machine-id/,
  );
  assert.match(problems[1] ?? '', /^10 document: teleport_provision_token\.other .*tctl get token\/NAME/);
  assert.match(problems[2] ?? '', /^14 document: teleport_bot\.ci .*tctl get bot\/ci/);
  const body = { metadata: { name: 'circleci-bot' }, spec: {} };
  const typed = { type: 'teleport_provision_token', name: 'ci' };
  for (const json of [
    { resource: { teleport_provision_token: { ci: body } } },
    { resource: { teleport_provision_token: { ci: [body] } } },
    { resource: [{ teleport_provision_token: { ci: body } }] },
    { values: { root_module: { child_modules: [{ resources: [{ ...typed, values: body }] }] } } },
    { resources: [{ ...typed, mode: 'managed', instances: [{ attributes: body }] }] },
    { resource_changes: [{ ...typed, change: { actions: ['create'], after: body } }] },
  ]) {
    const [problem = '', ...others] = problemsIn(JSON.stringify(json));
    assert.deepEqual(others, []);
    assert.match(problem, /teleport_provision_token\.ci is a Terraform resource.*tctl get token\/circleci-bot \|/);
  }
  const plan =
    '  + resource "teleport_provision_token" "ci" {\n      + metadata = {\n          + name = "ci"\n        }\n    }\n';
  assert.match(problemsIn(plan).join(), /^1 document: teleport_provision_token\.ci .*tctl get token\/ci \|/);
  assert.match(problemsIn('variable "name" {}\n', 'main.tf')[0] ?? '', /a Terraform file without teleport_prov/);
  assert.equal(readResources(`# see resource "teleport_provision_token"\n${token({})}`, 't.yaml').resources.length, 1);
});

test('an empty file and invalid YAML are rejected', () => {
  assert.deepEqual(problemsIn('# nothing\n'), ['undefined document: the file is empty']);
  assert.match(problemsIn('kind: [token\n').join('\n'), /failed parsing config file/);
});

test('a file that contains only text is rejected without quoting the text, which may be a secret', () => {
  for (const text of ['hunter2\n', '"hunter2"', '[hunter2]', '12345678', 'kind: token\nmetadata: {name: 12345678}\n']) {
    const problems = problemsIn(text).join('\n');
    assert.match(problems, /text/);
    assert.doesNotMatch(problems, /hunter2|12345678/);
  }
});

test('a file with too many resources is rejected', () => {
  for (const text of ['kind: bot\n---\n'.repeat(101), `[${'{kind: bot},'.repeat(10_000)}]`]) {
    assert.deepEqual(problemsIn(text), ['undefined document: the file has more than 100 resources']);
  }
});

test('a name that looks like the secret of another token is a warning, without the name', () => {
  const name = '0123456789abcdef0123456789ABCDEF';
  const { warnings } = readResources(token({ metadata: `{name: ${name}}` }), 'token.yaml');
  assert.match(warnings.join('\n'), /line 3: metadata\.name looks like the secret of another token/);
  assert.doesNotMatch(warnings.join('\n'), new RegExp(name));
  assert.deepEqual(readResources(token(), 'token.yaml').warnings, []);
});
