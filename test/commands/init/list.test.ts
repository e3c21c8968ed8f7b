import assert from 'node:assert/strict';
import test from 'node:test';
import { readCsv } from '../../../src/commands/init/csv.ts';
import { driftBetween } from '../../../src/commands/init/drift.ts';
import { readList } from '../../../src/commands/init/list.ts';
import { MachineIdError } from '../../../src/errors.ts';
import { readResources } from '../../../src/rules/read-resources.ts';
import { answersOf } from './setup-of.ts';

const BASE = answersOf({
  bot: undefined,
  token: undefined,
  projectId: undefined,
  contextId: undefined,
  roles: undefined,
});

function problemsIn(text: string, name = 'list.csv'): readonly string[] {
  try {
    readList(text, name, BASE);
  } catch (error) {
    assert.ok(error instanceof MachineIdError && error.code === 'CONFIG_INVALID', String(error));
    return error.problems.map(({ line, message, path }) => `${String(line)} ${path}: ${message}`);
  }
  return [];
}

test('CSV is read as RFC 4180 says, with lines', () => {
  const rows = readCsv('\ufeffa,b ,c\r\n1,"x, ""y""\nz",\n\n 2 ,,"3"\n');
  assert.ok(!('message' in rows));
  assert.deepEqual(
    rows.map(({ cells, line }) => [line, Object.fromEntries(cells)]),
    [
      [2, { a: '1', b: 'x, "y"\nz' }],
      [5, { a: '2', c: '3' }],
    ],
  );
  assert.deepEqual(readCsv('a,b\n1,2'), [
    {
      line: 2,
      cells: new Map([
        ['a', '1'],
        ['b', '2'],
      ]),
    },
  ]);
  for (const [text, line] of [
    ['a\n"b', 2],
    ['a\nb"c"\n', 2],
    ['a\n1,2\n', 2],
    ['', 1],
  ] as const) {
    const problem = readCsv(text);
    assert.ok('message' in problem, text);
    assert.equal(problem.line, line, text);
  }
});

test('a YAML list and a CSV file with the same projects are read alike', () => {
  const yaml = `- name: a
  project_id: p
  contexts: [x, y]
  branches: [main, "release/*"]
  roles: r
  ssh: true
- {name: b, project_id: q, contexts: z, branches: main, roles: [r, s]}
`;
  const csv = `name,project_id,contexts,branches,roles,ssh
a,p,x y,main;release/*,r,true
b,q,z,main,"r, s",
`;
  const plain = (text: string, name: string) =>
    readList(text, name, BASE).map(({ answers, name: project }) => [
      project,
      answers.ssh,
      ...(['token', 'projectId', 'contextId', 'branches', 'roles'] as const).map(
        (one) => answers.fields.get(one)?.text,
      ),
    ]);
  const expected = [
    ['a', true, 'a', 'p', 'x,y', 'main,release/*', 'r'],
    ['b', false, 'b', 'q', 'z', 'main', 'r,s'],
  ];
  assert.deepEqual(plain(csv, 'list.csv'), expected);
  assert.deepEqual(plain(yaml, 'list.yaml'), expected);
});

test('all problems of a list are reported together, with their lines', () => {
  assert.deepEqual(problemsIn('name,branch,ssh\na,main,maybe\na,,\n'), [
    '2 ssh: cannot unmarshal !!str `maybe` into bool; write true or false',
    '2 branch: unknown key "branch" is not a column of the list; did you mean "branches"?',
    '3 name: "a" is the name of another project of the list',
  ]);
  assert.match(problemsIn('- name: {a: b}\n', 'list.yaml').join(), /1 name: must be text, or a list of texts/);
  assert.match(problemsIn('name\n').join(), /the list has no projects/);
});

const TOKEN = `kind: token
version: v2
metadata: {name: a}
spec:
  roles: [Bot]
  bot_name: a
  join_method: generic_oidc
  generic_oidc:
    issuer: https://oidc.circleci.com/org/o
    audience: x
    must_match_fields: {b: "1", a: true}
    allow_any: [{expression: claims.sub == "x"}]
---
kind: bot
version: v1
metadata: {name: a}
spec: {roles: [r, s]}
`;

test('drift is what decides about a join, not how the resources are written', () => {
  const read = (text: string) => readResources(text, 'a').resources;
  const expected = read(TOKEN);
  const same = TOKEN.replace('{b: "1", a: true}', '{a: true, b: "1", }').replace('[r, s]', '[s, r]');
  const agent = 'kind: token\nversion: v2\nmetadata: {name: n}\nspec: {roles: [Node], join_method: token}\n';
  assert.deepEqual(driftBetween(expected, read(`${same}---\n${agent}`)), []);
  assert.deepEqual(driftBetween(expected, read(TOKEN.replace('audience: x', 'audience: y').replace('[r, s]', '[r]'))), [
    'token "a": audience is "y" in the cluster, expected "x"',
    'bot "a": roles is ["r"] in the cluster, expected ["r","s"]',
  ]);
  assert.deepEqual(driftBetween([], expected), ['token "a" is not in the list']);
  assert.deepEqual(driftBetween(expected, []), [
    'token "a" is missing in the cluster',
    'bot "a" is missing in the cluster',
  ]);
});
