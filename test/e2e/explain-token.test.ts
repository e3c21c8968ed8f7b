import assert from 'node:assert/strict';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { z } from 'zod';
import {
  ORGANIZATION_ID,
  OTHER_PROJECT_ID,
  resources,
  SECOND_CONTEXT_ID,
  SHARED_CONTEXT_ID,
} from '../cluster/data/data.ts';
import type { MintOptions } from '../cluster/issuer/mint.ts';
import { clusterForFile } from './embedded-cluster.ts';
import { beginJob } from './job.ts';
import { runProgramSync } from '../programs.ts';
import { BUNDLE, NODE } from './run-bundle.ts';

const cluster = await clusterForFile();
const OTHER_ID = '99999999-8888-4777-8666-555555555555';

/** The token file that an administrator would write, as JSON. */
function fileOf(name: string): string {
  const token = resources([]).tokens.find((one) => one.name === name);
  assert.ok(token !== undefined, name);
  return JSON.stringify({
    kind: 'token',
    version: 'v2',
    metadata: { name, ...(token.expiresAt === undefined ? {} : { expires: token.expiresAt.toISOString() }) },
    spec: {
      roles: token.roles,
      join_method: token.method,
      ...(token.roles.includes('Bot') ? { bot_name: token.botName } : {}),
      circleci: {
        organization_id: token.organizationId,
        allow: token.allow.map(({ contextId, projectId }) => ({ project_id: projectId, context_id: contextId })),
      },
    },
  });
}

const JOBS: Readonly<Record<string, MintOptions>> = {
  'the usual job': {},
  'a job of another project': { project: OTHER_PROJECT_ID },
  'a job of a third project': { project: OTHER_ID },
  'a job without contexts': { contexts: [] },
  'a job with several contexts': { contexts: [OTHER_ID, SECOND_CONTEXT_ID] },
  'a job of another project with the shared context': { project: OTHER_ID, contexts: [SHARED_CONTEXT_ID] },
  'a job whose token is for another audience': { audience: 'https://example.com' },
  'a job whose token is for several audiences': { audience: [ORGANIZATION_ID, 'https://example.com'] },
  'a job of another organization': { organization: OTHER_ID, contexts: [SHARED_CONTEXT_ID] },
};

const TOKENS = ['circleci-bot', 'several-rules', 'other-organization', 'expired-token', 'node-token', 'github-bot'];

for (const joinToken of TOKENS) {
  test(`the explanation of the token ${joinToken} matches the decision of the cluster`, async (t) => {
    const job = await beginJob(t, cluster);
    await job.addFile('token.json', fileOf(joinToken));
    for (const [name, mint] of Object.entries(JOBS)) {
      const environment = { CIRCLE_OIDC_TOKEN: await cluster.mint(mint) };
      const [joined, explained] = await Promise.all([
        job.run(['run', '--proxy-server', cluster.info.proxy, '--token', joinToken, '--destination', job.destination], {
          environment,
        }),
        job.run(['explain-token', 'token.json', '--json'], { environment }),
      ]);
      assert.equal(explained.exitCode === 0, joined.exitCode === 0, `${name}\n${joined.stderr}\n${explained.stdout}`);
      if (joined.exitCode !== 0) assert.match(joined.stderr, /^code: (JOIN_|OIDC_TOKEN_AUDIENCE_MISMATCH)/m);
      if (explained.exitCode !== 0) assert.match(explained.stderr, /^code: TOKEN_REJECTS_JOB$/m);
    }
  });
}

test('the suggested rule allows the job', async (t) => {
  const job = await beginJob(t, cluster);
  await job.addFile('token.json', fileOf('circleci-bot'));
  const environment = { CIRCLE_OIDC_TOKEN: await cluster.mint({ project: OTHER_ID, contexts: [SHARED_CONTEXT_ID] }) };
  const rejected = await job.run(['explain-token', 'token.json'], { environment });
  assert.equal(rejected.exitCode, 1);
  assert.match(rejected.stdout, new RegExp(`project_id: expected .*, the job has ${OTHER_ID}`));
  assert.match(rejected.stdout, /which also allows every job of that project that uses that context/);
  const [, rule = ''] = /Add to spec\.circleci\.allow: "- (\{.*\})"/.exec(rejected.stderr) ?? [];
  const file = fileOf('circleci-bot').replace('"allow":[', `"allow":[${rule},`);
  await job.addFile('token.json', file);
  const allowed = await job.run(['explain-token', 'token.json'], { environment });
  assert.equal(allowed.exitCode, 0, allowed.stderr);
  assert.match(allowed.stdout, /This token allows the job: /);
  assert.match(allowed.stdout, /audit log: SELECT \* FROM bot_join WHERE token_name = 'circleci-bot'$/m);
});

test('a job can be given by its IDs, by its claims or by its token', async (t) => {
  const job = await beginJob(t, cluster);
  const { contextId, organizationId, projectId } = cluster.info;
  const token = await job.addFile('token.json', fileOf('circleci-bot'));
  const without = { environment: { CIRCLE_OIDC_TOKEN: undefined, CIRCLE_ORGANIZATION_ID: undefined } };
  const ids = ['--organization-id', organizationId, '--project-id', projectId, '--context-id', contextId];
  assert.equal((await job.run(['explain-token', token, ...ids], without)).exitCode, 0);
  assert.equal((await job.run(['explain-token', ...ids.slice(0, 4), token], without)).exitCode, 1);
  const claims = {
    iss: `https://oidc.circleci.com/org/${organizationId}`,
    'oidc.circleci.com/project-id': projectId,
    'oidc.circleci.com/context-ids': [contextId],
  };
  await job.addFile('claims.json', JSON.stringify(claims));
  await job.addFile('jwt', `${await cluster.mint()}\n`);
  for (const file of ['claims.json', 'jwt']) {
    const { exitCode, stdout } = await job.run(['explain-token', token, '--claims', file], without);
    assert.equal(exitCode, 0, stdout);
    assert.match(stdout, new RegExp(`The job, from ${file}:`));
  }
  await job.addFile('odd', 'password');
  const odd = await job.run(['explain-token', token, '--claims', 'odd'], { ...without, secrets: ['password'] });
  assert.match(odd.stderr, /^code: OIDC_TOKEN_MALFORMED$/m);
  const alone = await job.run(['explain-token', token], without);
  assert.equal(alone.exitCode, 0, alone.stderr);
  assert.match(alone.stdout, /only the file is checked/);
});

test('without a job, a token that allows no job is a warning', async (t) => {
  const job = await beginJob(t, cluster);
  const environment = { CIRCLE_OIDC_TOKEN: undefined, CIRCLE_ORGANIZATION_ID: undefined };
  for (const [name, said] of [
    ['expired-token', /token "expired-token" allows no job: it expired at 2024-01-01T00:00:00\.000Z/],
    ['node-token', /token "node-token" allows no job: it does not allow bots to join/],
    ['github-bot', /token "github-bot" allows no job: its join method is "github"/],
  ] as const) {
    await job.addFile('token.json', fileOf(name));
    const { exitCode, stdout } = await job.run(['explain-token', 'token.json'], { environment });
    assert.equal(exitCode, 0);
    assert.match(stdout, said);
  }
});

test('a token of the Kubernetes operator is compared with the job, as text and as JSON', async (t) => {
  const job = await beginJob(t, cluster);
  const { kind, metadata, spec } = z.looseObject({ kind: z.string() }).parse(JSON.parse(fileOf('circleci-bot')));
  assert.equal(kind, 'token');
  const object = { apiVersion: 'resources.teleport.dev/v2', kind: 'TeleportProvisionToken', metadata, spec };
  await job.addFile('token.yaml', `kind: role\nmetadata: {name: ci}\n---\n${JSON.stringify(object)}\n`);
  const text = await job.run(['explain-token', 'token.yaml']);
  assert.equal(text.exitCode, 0, text.stderr);
  assert.match(text.stdout, /^token "circleci-bot" is valid.*\n.*yes/m);
  assert.match(text.stdout, /the resource of kind "role" is not checked/);
  const json = await job.run(['explain-token', 'token.yaml', '--json']);
  assert.match(json.stdout, /"valid":true.*"name":"circleci-bot".*"allows":true/);
});

test('problems are printed as JSON, and a Terraform file leads to the command to use instead', async (t) => {
  const job = await beginJob(t, cluster);
  await job.addFile('token.yaml', 'version: v2\nmetadata: {name: c}\nspec: {roles: [Bot], join_method: circleci}\n');
  const json = await job.run(['explain-token', 'token.yaml', '--json']);
  assert.equal(json.exitCode, 2);
  const { problems, valid } = z
    .object({ valid: z.boolean(), problems: z.array(z.object({ path: z.string() })) })
    .parse(JSON.parse(json.stdout));
  assert.equal(valid, false);
  assert.deepEqual(problems.map(({ path }) => path).sort(), ['kind', 'spec.bot_name', 'spec.circleci']);
  await job.addFile(
    'main.tf',
    'resource "teleport_provision_token" "ci" {\n  metadata = { name = "deploy" }\n  spec = local.spec\n}\n',
  );
  const { exitCode, stderr } = await job.run(['explain-token', 'main.tf']);
  assert.equal(exitCode, 2);
  assert.match(
    stderr,
    /main\.tf line 3: spec: teleport_provision_token\.ci is .*: tctl get token\/deploy \| machine-id explain/,
  );
});

test('an invalid token file is rejected with all its problems, and nothing is contacted', async (t) => {
  const job = await beginJob(t, cluster);
  await job.addFile('token.yaml', 'kind: token\nversion: v2\nspec:\n  roles: [robot]\n  join_method: circleci\n');
  const { exitCode, stderr, stdout } = await job.run(['explain-token', 'token.yaml']);
  assert.deepEqual([exitCode, stdout], [2, '']);
  for (const said of [/role robot is not registered/, /missing parameter Name/, /"circleci" configuration must be/]) {
    assert.match(stderr, said);
  }
  const missing = await job.run(['explain-token', 'none.yaml']);
  assert.deepEqual([missing.exitCode, /^code: (.*)$/m.exec(missing.stderr)?.[1]], [2, 'CONFIG_UNREADABLE']);
  const nothing = await job.run(['explain-token']);
  assert.deepEqual([nothing.exitCode, nothing.stderr.includes('FILE')], [2, true]);
});

/** As with `tctl get tokens | machine-id explain-token -`. */
function explainPiped(text: string | Uint8Array, args: readonly string[] = []) {
  return runProgramSync(NODE, [BUNDLE, 'explain-token', '-', ...args], { input: text, environment: {} });
}

test('the output of tctl can be piped in, and a secret token name is not printed', () => {
  const secret = 'c0ffeec0ffeec0ffeec0ffeec0ffee12';
  const both = `kind: token
version: v2
metadata: {name: ${secret}, expires: "2024-01-01T00:00:00Z"}
spec: {roles: [Node], join_method: token}
---
${fileOf('circleci-bot')}
`;
  for (const args of [[], ['--json']]) {
    const { exitCode, stderr, stdout } = explainPiped(both, args);
    assert.deepEqual([exitCode, stderr], [0, '']);
    assert.match(stdout, /circleci-bot/);
    assert.ok(!stdout.includes(secret));
  }
  const { exitCode, stderr } = explainPiped(both.replace('[Node]', '[Robot]').replace('roles', 'rolls: [], roles'));
  assert.equal(exitCode, 2);
  assert.match(stderr, /standard input line 4: spec\.rolls: unknown key "rolls" is rejected by tctl/);
  assert.match(stderr, /role Robot is not registered/);
  assert.ok(!stderr.includes(secret));
});

test('empty, undecodable and oversized input from a pipe is rejected', () => {
  for (const [input, code] of [
    ['', 'CONFIG_INVALID'],
    [new Uint8Array([0x6b, 0xff]), 'CONFIG_UNREADABLE'],
    [new Uint8Array(2 ** 20 + 1).fill(0x20), 'CONFIG_UNREADABLE'],
  ] as const) {
    const { exitCode, stderr } = explainPiped(input);
    assert.deepEqual([exitCode, /^code: (.*)$/m.exec(stderr)?.[1]], [2, code]);
  }
});

const LINTED = `kind: token
version: v2
metadata: {name: deploy}
spec:
  roles: [Bot]
  bot_name: deploy
  join_method: generic_oidc
  generic_oidc:
    issuer: https://oidc.circleci.com/org/${ORGANIZATION_ID}
    audience: example.teleport.sh/deploy
    must_match_fields: {oidc.circleci.com/project-id: ${OTHER_ID}, oidc.circleci.com/ssh-rerun: "false"}
`;

const Sarif = z.object({
  version: z.literal('2.1.0'),
  runs: z.tuple([
    z.object({
      tool: z.object({ driver: z.object({ rules: z.array(z.object({ id: z.string() })) }) }),
      results: z.array(
        z.object({
          ruleId: z.string(),
          ruleIndex: z.number(),
          level: z.enum(['error', 'warning', 'note']),
          locations: z.tuple([
            z.object({
              physicalLocation: z.object({
                artifactLocation: z.object({ uri: z.string() }),
                region: z.object({ startLine: z.int().min(1) }),
              }),
            }),
          ]),
        }),
      ),
    }),
  ]),
});

test('--lint checks several files without a job, and writes SARIF and JUnit also when it fails', async (t) => {
  const job = await beginJob(t, cluster);
  await mkdir(join(job.checkout, 'tokens'));
  await job.addFile('tokens/a.yaml', LINTED);
  await job.addFile('tokens/b c.yaml', 'kind: token\nmetadata: {}\n');
  const reports = ['--sarif', 'out/lint.sarif', '--junit', 'out/lint.xml'];
  const linted = await job.run(['explain-token', '--lint', ...reports, 'tokens/a.yaml', 'tokens/b c.yaml']);
  assert.equal(linted.exitCode, 1);
  assert.match(linted.stderr, /^code: TOKEN_LINT_FAILED$/m);
  assert.match(
    linted.stdout,
    /^error: tokens\/a\.yaml line 11: claim-type: .*\n +Write oidc\.circleci\.com\/ssh-rerun: false/m,
  );
  assert.match(linted.stdout, /^1 token for bots in 2 files: 4 errors, 2 warnings, 1 note$/m);
  assert.match(
    linted.stdout,
    /^error: tokens\/b c\.yaml line 2: invalid-resource: metadata\.name: missing parameter Name$/m,
  );
  const { runs } = Sarif.parse(JSON.parse(await readFile(join(job.checkout, 'out/lint.sarif'), 'utf8')));
  const [{ results, tool }] = runs;
  for (const { ruleId, ruleIndex } of results) assert.equal(tool.driver.rules[ruleIndex]?.id, ruleId);
  const places = results.map(({ locations: [{ physicalLocation: at }], ruleId }) => [
    ruleId,
    at.artifactLocation.uri,
    at.region.startLine,
  ]);
  assert.deepEqual(
    places.find(([rule]) => rule === 'claim-type'),
    ['claim-type', 'tokens/a.yaml', 11],
  );
  assert.ok(places.some(([rule, uri]) => rule === 'invalid-resource' && uri === 'tokens/b%20c.yaml'));
  const xml = await readFile(join(job.checkout, 'out/lint.xml'), 'utf8');
  assert.match(
    xml,
    /<testcase [^>]*name="tokens\/a\.yaml: token deploy"[^>]*><failure message="line 11: error claim-type/,
  );
  assert.match(xml, /<testsuites tests="2" failures="2"/);
});

test('--lint passes with notes alone, ignores rules by name, and reads standard input', () => {
  const valid = LINTED.replace('"false"', 'false');
  const ignore = ['any-branch', 'any-origin'].flatMap((rule) => ['--ignore', rule]);
  const passed = explainPiped(valid, ['--lint', '--json', ...ignore]);
  assert.equal(passed.exitCode, 0, passed.stderr);
  const { errors, files } = z
    .object({
      errors: z.number(),
      files: z.tuple([
        z.object({
          file: z.literal('standard input'),
          tokens: z.tuple([z.object({ findings: z.array(z.object({ rule: z.string(), level: z.literal('note') })) })]),
        }),
      ]),
    })
    .parse(JSON.parse(passed.stdout));
  assert.equal(errors, 0);
  assert.deepEqual(files[0].tokens[0].findings, [{ rule: 'any-context', level: 'note' }]);
  for (const [args, said] of [
    [['--lint', '--ignore', 'any-brunch'], /"any-brunch" is not a rule; did you mean any-branch\?/],
    [['--junit', 'x.xml'], /--junit: needs --lint/],
    [['--lint', '--project-id', OTHER_ID], /--project-id: has no effect with --lint/],
    [['other.yaml'], /other\.yaml: only one file can be compared with a job/],
  ] as const) {
    const refused = explainPiped(valid, args);
    assert.equal(refused.exitCode, 2);
    assert.match(refused.stderr, said);
  }
});

test('the token and the bot that init writes in a job are valid, and the token allows that job', async (t) => {
  const job = await beginJob(t, cluster);
  const names = ['--bot', 'circleci-deploy', '--roles', 'access', '--context-name', 'teleport'];
  const written = await job.run(['init', '--yes', '--proxy-server', cluster.info.proxy, ...names, '--ssh']);
  assert.equal(written.exitCode, 0, written.stderr);
  const token = await job.run(['explain-token', 'teleport/bot-token.yaml']);
  assert.equal(token.exitCode, 0, token.stderr);
  assert.match(token.stdout, /This token allows the job: /);
  assert.doesNotMatch(token.stdout, /warning:/);
  const bot = await job.run(['explain-token', 'teleport/bot.yaml']);
  assert.equal(bot.exitCode, 0, bot.stderr);
  assert.match(bot.stdout, /bot "circleci-deploy" is valid: roles access/);
});
