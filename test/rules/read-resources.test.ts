import assert from 'node:assert/strict';
import test from 'node:test';
import { lintToken } from '../../src/rules/lint.ts';
import type { Level } from '../../src/rules/lint-rule.ts';
import { readResources } from '../../src/rules/read-resources.ts';
import { MachineIdError } from '../../src/errors.ts';

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

/** What lint finds in the tokens. */
function warningsIn(text: string, levels: readonly Level[] = ['error', 'warning']): readonly string[] {
  return readResources(text, 'token.yaml').resources.flatMap((resource) =>
    resource.kind === 'token'
      ? lintToken(resource)
          .filter(({ level }) => levels.includes(level))
          .map(({ line, message }) => `line ${String(line)}: ${message}`)
      : [],
  );
}

test('a token is read with its rules and their lines', () => {
  const [read] = readResources(token(), 'token.yaml').resources;
  assert.ok(read?.kind === 'token');
  const { at, ...own } = read;
  assert.equal(at('spec', 'circleci', 'allow', 0, 'project_id').line, 8);
  assert.deepEqual(own, {
    kind: 'token',
    form: 'tctl',
    line: 1,
    name: 'circleci-bot',
    expiresAtMs: undefined,
    joinMethod: 'circleci',
    roles: ['Bot'],
    botName: 'ci',
    organizationId: ORGANIZATION,
    rules: [{ line: 8, rule: { projectId: PROJECT, contextId: CONTEXT } }],
    genericOidc: undefined,
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
  const { resources } = readResources(json, 'token.json');
  assert.deepEqual(
    resources.map(({ kind, name }) => [kind, name]),
    [
      ['token', 't'],
      ['bot', 'ci'],
    ],
  );
  assert.match(warningsIn(json).join('\n'), /this rule allows every job of every project that may use that context/);
});

test('names instead of IDs and other join methods are warnings', () => {
  const circleci = `{organization_id: gh/acme, allow: [{project_id: gh/acme/app, context_id: ${CONTEXT.toUpperCase()}}]}`;
  const warnings = warningsIn(token({ circleci }));
  for (const expected of [
    /line 8: organization_id "gh\/acme" is not a CircleCI ID/,
    /project_id "gh\/acme\/app" is not a CircleCI ID/,
    /must be in lower case/,
  ]) {
    assert.match(warnings.join('\n'), expected);
  }
  assert.match(
    warningsIn(token({ method: 'github' }), ['note']).join('\n'),
    /join_method is "github"; CircleCI jobs need a token with the join method "circleci" or "generic_oidc"/,
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
  const [read] = readResources(bot('{roles: [access]}'), 'bot.yaml').resources;
  assert.ok(read?.kind === 'bot');
  assert.deepEqual([read.line, read.name, read.roles], [1, 'ci', ['access']]);
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
  spec = local.spec
}

resource "teleport_provision_token" "other" {
  metadata = { name = var.name }
  spec = { roles = ["Bot"], join_method = upper("x") }
}

resource "teleport_bot" "ci" {
  name  = "ci"
  roles = ["access"]
}
`;

test('expressions of Terraform that decide about a join are reported with how to check the token', () => {
  const problems = problemsIn(HCL);
  assert.equal(problems.length, 2);
  assert.match(problems[0] ?? '', /^7 spec: teleport_provision_token\.ci .*tctl get token\/circleci-bot \| machine-id/);
  assert.match(problems[1] ?? '', /^12 spec\.join_method: teleport_provision_token\.other .*tctl get token\/NAME/);
});

test('a plan, a state and the JSON form of Terraform are reported with how to check the token', () => {
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
  const warnings = warningsIn(token({ metadata: `{name: ${name}}` }));
  assert.match(warnings.join('\n'), /line 3: metadata\.name looks like the secret of another token/);
  assert.doesNotMatch(warnings.join('\n'), new RegExp(name));
  assert.deepEqual(warningsIn(token()), []);
});

const GENERIC = `kind: token
version: v2
metadata: {name: deploy}
spec:
  roles: [Bot]
  bot_name: deploy
  join_method: generic_oidc
  generic_oidc:
    issuer: https://oidc.circleci.com/org/${ORGANIZATION}
    audience: example.teleport.sh/deploy
    must_match_fields:
      oidc.circleci.com/vcs-ref: refs/heads/main
      oidc.circleci.com/ssh-rerun: no
      sub: "no"
      level: 5
      runner: {os: linux, gone: ~}
    allow_any:
      - conditions:
          - {attribute: sub, not_in: {values: [a, b]}}
          - {attribute: iss, eq: {value: ""}}
      - expression: claims.sub == "x"
`;

test('the rules of a generic_oidc token are read as tctl reads them', () => {
  const [read] = readResources(GENERIC, 'token.yaml').resources;
  assert.ok(read?.kind === 'token');
  assert.deepEqual(read.genericOidc, {
    issuer: `https://oidc.circleci.com/org/${ORGANIZATION}`,
    audience: 'example.teleport.sh/deploy',
    allowsHttp: false,
    hasStaticKeys: false,
    fieldsLine: 11,
    mustMatchFields: {
      'oidc.circleci.com/vcs-ref': 'refs/heads/main',
      'oidc.circleci.com/ssh-rerun': false,
      sub: 'no',
      level: 5,
      runner: { os: 'linux', gone: null },
    },
    writtenFields: read.genericOidc?.mustMatchFields,
    allowAny: [
      {
        line: 18,
        conditions: [
          { attribute: 'sub', operator: 'not_in', values: ['a', 'b'] },
          { attribute: 'iss', operator: 'eq', values: [''] },
        ],
      },
      { line: 21, expression: 'claims.sub == "x"' },
    ],
  });
});

test('what Teleport rejects when a generic_oidc token is created is reported all at once, with lines', () => {
  const spec = (settings: string) =>
    `kind: token\nversion: v2\nmetadata: {name: t}\nspec:\n  roles: [Bot]\n  bot_name: t\n  join_method: generic_oidc\n  ${settings}\n`;
  for (const [settings, ...expected] of [
    ['generic_oidc:', /^8 .*"generic_oidc" configuration must be provided/],
    [
      'generic_oidc: {issuer: "http://ci", audience: a, allow_any: [{}, {expression: x, conditions: [{attribute: a, eq: {}}]}]}',
      /^8 .*\.issuer: must be an https URL/,
      /allow_any\[0\]: exactly one of `conditions` or `expression` must be set/,
      /allow_any\[1\]: cannot contain both/,
    ],
    [
      'generic_oidc: {must_match_fields: {a: ~, b: {}}}',
      /requires 'issuer'/,
      /requires 'audience'/,
      /requires at least one rule under either `must_match_fields` or `allow_any`/,
    ],
    [
      'generic_oidc: {issuer: https://ci, audience: [a, b], static_jwks: {keys: []}, must_match_fields: {a: [b], c: {d: 0x10}}}',
      /audience: must be one text: Teleport checks a single audience/,
      /static_jwks: must be text with the JWKS as JSON/,
      /must_match_fields\.a: list fields cannot be used/,
      /must_match_fields\.c\.d: write the number in decimal digits/,
    ],
    [
      'generic_oidc: {issuer: https://ci, audience: a, allow_any: [{conditions: [{attribute: a}, {eq: {value: 5}}, {atribute: b, in: {values: [c]}}]}]}',
      /value: must be text, .*quotes/,
      /unknown key "atribute" is rejected by tctl; did you mean "attribute"/,
    ],
    [
      'generic_oidc: {issuer: https://ci, audience: a, allow_any: [{conditions: [{attribute: a}, {eq: {value: b}, in: {}}]}]}',
      /conditions\[0\]: exactly one of eq, not_eq, in, not_in/,
      /conditions\[1\]: attribute must be set/,
      /conditions\[1\]: exactly one of/,
    ],
  ] as const) {
    const problems = problemsIn(spec(settings));
    assert.equal(problems.length, expected.length, problems.join('\n'));
    for (const one of expected) assert.match(problems.join('\n'), one);
  }
});

test('nested fields in a token for the Kubernetes operator are a problem', () => {
  const text = GENERIC.replace(
    'kind: token\nversion: v2',
    'apiVersion: resources.teleport.dev/v2\nkind: TeleportProvisionToken',
  );
  assert.match(
    problemsIn(text).join('\n'),
    /^16 .*\.runner: nested fields are rejected by Teleport's Kubernetes operator/,
  );
});

const TERRAFORM_TOKEN = `
/* The bot that jobs become. */
resource "teleport_bot" "deploy" {
  name  = "deploy" // its name
  roles = ["deployer"]
}

resource "other" "x" {
  ingress { port = 1 }
  ingress { port = 2 }
  count = length(var.a) > 1 ? 1 : { for k in b : k => v }
}

locals { a = "b\${c}" }

resource "teleport_provision_token" "deploy" {
  version = "v2"
  metadata = {
    name   = "deploy"
    labels = { "team" = var.team }
  }
  spec = {
    roles       = ["Bot"]
    bot_name    = teleport_bot.deploy.name
    join_method = "generic_oidc"
    generic_oidc = {
      issuer   = "https://oidc.circleci.com/org/${ORGANIZATION}"
      audience = "example.teleport.sh/deploy"
      must_match_fields = { "oidc.circleci.com/ssh-rerun" = false }
      allow_any = [
        { expression = "contains(set(claims[\\"sub\\"]), \\"$\${x}\\")" },
        {
          expression = <<-EOT
            claims.sub == "x" &&
              claims.aud == "y"
          EOT
        },
      ]
    }
  }
}
`;

test('a Terraform file with literals is read, without the fields that the provider drops', () => {
  const { resources } = readResources(TERRAFORM_TOKEN, 'main.tf');
  assert.deepEqual(
    resources.map(({ kind, line, name }) => [kind, line, name]),
    [
      ['bot', 3, 'deploy'],
      ['token', 16, 'deploy'],
    ],
  );
  const [, token] = resources;
  assert.ok(token?.kind === 'token');
  const { genericOidc } = token;
  assert.deepEqual(
    [token.form, genericOidc?.mustMatchFields, genericOidc?.writtenFields],
    ['terraform', {}, { 'oidc.circleci.com/ssh-rerun': false }],
  );
  assert.deepEqual(genericOidc?.allowAny, [
    { line: 31, expression: 'contains(set(claims["sub"]), "${x}")' },
    { line: 32, expression: 'claims.sub == "x" &&\n  claims.aud == "y"\n' },
  ]);
  assert.deepEqual(
    problemsIn(TERRAFORM_TOKEN.replace('["Bot"]', '["Bot", "Robot"]').replace('audience =', 'audiences =')).map(
      (problem) => problem.split(':')[0],
    ),
    ['23 spec.roles[1]', '26 spec.generic_oidc.audience', '28 spec.generic_oidc.audiences'],
  );
});

test('a Terraform file that cannot be read is a problem with its line', () => {
  for (const [from, to, expected] of [
    ['version = "v2"', 'version = "v2', /^17 document: a text is not terminated/],
    ['roles       = ["Bot"]', 'roles ["Bot"]', /^23 document: expected "\{"/],
    ['version = "v2"', '(a) = 5', /^17 document: a key in parentheses/],
    ['version = "v2"', 'version = "\\q"', /^17 document: "\\q" is not an escape/],
    ['version = "v2"', 'version = <<EOX\n', /the heredoc EOX is not terminated/],
    [
      'audience = "example.teleport.sh/deploy"',
      'audience = "${"$"}{a}"',
      /^28 spec\.generic_oidc\.audience: .*tctl get token\/deploy/,
    ],
  ] as const) {
    const problems = problemsIn(TERRAFORM_TOKEN.replace(from, to), 'main.tf');
    assert.ok(
      problems.some((problem) => expected.test(problem)),
      problems.join('\n'),
    );
  }
});
