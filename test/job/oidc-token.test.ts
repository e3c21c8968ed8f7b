import assert from 'node:assert/strict';
import test from 'node:test';
import type { CommandResult, Commands } from '../../src/effects/commands.ts';
import { type ErrorCode, MachineIdError } from '../../src/errors.ts';
import { obtainOidcToken } from '../../src/job/oidc-token.ts';

const ORGANIZATION = '11111111-2222-4333-8444-555555555555';
const NOW_MS = Date.UTC(2026, 10, 23, 12, 0, 0);
const NOW_S = NOW_MS / 1000;

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function jwt(change: Record<string, unknown> = {}): string {
  const claims = {
    iss: `https://oidc.circleci.com/org/${ORGANIZATION}`,
    aud: ORGANIZATION,
    sub: `org/${ORGANIZATION}/project/p/user/u`,
    iat: NOW_S - 10,
    exp: NOW_S + 3600,
    'oidc.circleci.com/project-id': 'p',
    'oidc.circleci.com/context-ids': ['c1', 'c2'],
    ...change,
  };
  return `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}.c2lnbmF0dXJl`;
}

/** Commands that answer as told and record what was asked. */
function commands(answers: Record<string, CommandResult> = {}): Commands & { readonly asked: string[][] } {
  const asked: string[][] = [];
  return {
    asked,
    run: (file, args) => {
      asked.push([file, ...args]);
      return Promise.resolve(answers[file] ?? { exitCode: undefined, stdout: '', stderr: '' });
    },
  };
}

function obtain(environment: Record<string, string>, answers?: Record<string, CommandResult>) {
  return obtainOidcToken({ environment, commands: commands(answers), nowMs: NOW_MS });
}

async function refusal(environment: Record<string, string>): Promise<MachineIdError> {
  try {
    await obtain(environment);
  } catch (error) {
    assert.ok(error instanceof MachineIdError);
    return error;
  }
  return assert.fail('the token was accepted');
}

test('CIRCLE_OIDC_TOKEN is taken first, with its claims', async () => {
  const token = await obtain({ CIRCLE_OIDC_TOKEN: jwt(), CIRCLE_OIDC_TOKEN_V2: jwt({ sub: 'v2' }) });
  assert.equal(token.source, 'CIRCLE_OIDC_TOKEN');
  assert.equal(token.claims.projectId, 'p');
  assert.deepEqual(token.claims.contextIds, ['c1', 'c2']);
  assert.equal(token.claims.expiresAtMs, NOW_MS + 3_600_000);
});

test('CIRCLE_OIDC_TOKEN_V2 is taken when the first variable is empty or too short to be a token', async () => {
  for (const first of ['', '   ', '""', 'nil']) {
    const token = await obtain({ CIRCLE_OIDC_TOKEN: first, CIRCLE_OIDC_TOKEN_V2: jwt() });
    assert.equal(token.source, 'CIRCLE_OIDC_TOKEN_V2');
  }
});

test('without a variable the agent is asked for a token with the organization as audience', async () => {
  const agent = commands({ 'circleci-agent': { exitCode: 0, stdout: `${jwt()}\n`, stderr: '' } });
  const environment = { CIRCLE_ORGANIZATION_ID: ORGANIZATION };
  const token = await obtainOidcToken({ environment, commands: agent, nowMs: NOW_MS });
  assert.equal(token.source, 'circleci-agent run oidc get');
  assert.deepEqual(agent.asked, [['circleci-agent', 'run', 'oidc', 'get', '--claims', `{"aud":"${ORGANIZATION}"}`]]);
});

test('the circleci command is asked when the agent is missing', async () => {
  const answers = { circleci: { exitCode: 0, stdout: jwt(), stderr: '' } };
  const token = await obtain({ CIRCLE_ORGANIZATION_ID: ORGANIZATION }, answers);
  assert.equal(token.source, 'circleci run oidc get');
});

test('a token whose time is over gives way to a fresh one, and to nothing else', async () => {
  const environment = { CIRCLE_OIDC_TOKEN: jwt({ exp: NOW_S }), CIRCLE_ORGANIZATION_ID: ORGANIZATION };
  const fresh = { 'circleci-agent': { exitCode: 0, stdout: jwt(), stderr: '' } };
  assert.equal((await obtain(environment, fresh)).source, 'circleci-agent run oidc get');
  await assert.rejects(obtain(environment), { code: 'OIDC_TOKEN_EXPIRED', message: /^CIRCLE_OIDC_TOKEN has expired/ });
  const stale = { 'circleci-agent': { exitCode: 0, stdout: jwt({ exp: NOW_S - 1 }), stderr: '' } };
  await assert.rejects(obtain(environment, stale), {
    code: 'OIDC_TOKEN_EXPIRED',
    message: /^circleci-agent run oidc get/,
  });
});

test('while the token of the variable holds, nothing is asked for', async () => {
  const agent = commands();
  const environment = { CIRCLE_OIDC_TOKEN: jwt(), CIRCLE_ORGANIZATION_ID: ORGANIZATION };
  await obtainOidcToken({ environment, commands: agent, nowMs: NOW_MS });
  assert.deepEqual(agent.asked, []);
});

test('a circleci command that fails gives no token', async () => {
  const answers = { circleci: { exitCode: 1, stdout: jwt(), stderr: 'unknown command' } };
  await assert.rejects(obtain({ CIRCLE_ORGANIZATION_ID: ORGANIZATION }, answers), { code: 'OIDC_TOKEN_MISSING' });
});

test('a run outside CircleCI is told so', async () => {
  const error = await refusal({});
  assert.equal(error.code, 'OIDC_TOKEN_MISSING');
  assert.match(error.message, /does not run on CircleCI/);
});

test('a job that got no token is told of runners and of CircleCI server', async () => {
  const { hint, likelyCauses } = await refusal({ CIRCLECI: 'true' });
  assert.match(likelyCauses.join('; '), /temporary directory.*; this is a CircleCI server/);
  assert.match(hint, /another join method/);
});

test('a build of a fork is told which setting withholds the token', async () => {
  const error = await refusal({ CIRCLECI: 'true', CIRCLE_PR_NUMBER: '7' });
  assert.equal(error.code, 'OIDC_TOKEN_MISSING');
  assert.match(error.message, /fork/);
  assert.match(error.hint, /Pass secrets to builds from forked pull requests/);
});

const REFUSED: [string, ErrorCode, string][] = [
  ['that has expired', 'OIDC_TOKEN_EXPIRED', jwt({ exp: NOW_S - 1 })],
  ['that ends this very second', 'OIDC_TOKEN_EXPIRED', jwt({ exp: NOW_S })],
  ['that begins in ten minutes', 'OIDC_TOKEN_NOT_YET_VALID', jwt({ nbf: NOW_S + 600 })],
  ['issued in the future', 'OIDC_TOKEN_NOT_YET_VALID', jwt({ iat: NOW_S + 600 })],
  ['of a CircleCI server', 'OIDC_TOKEN_ISSUER', jwt({ iss: `https://circleci.example.com/org/${ORGANIZATION}` })],
  [
    'of a host that only begins like CircleCI',
    'OIDC_TOKEN_ISSUER',
    jwt({ iss: `https://oidc.circleci.com.example.com/org/${ORGANIZATION}` }),
  ],
  ['of the root issuer', 'OIDC_TOKEN_ISSUER', jwt({ iss: 'https://oidc.circleci.com' })],
  ['that is no JWT', 'OIDC_TOKEN_MALFORMED', 'not-a-token'],
  ['with two parts', 'OIDC_TOKEN_MALFORMED', jwt().split('.').slice(0, 2).join('.')],
  ['without an end', 'OIDC_TOKEN_MALFORMED', jwt({ exp: undefined })],
  ['whose contexts are a text', 'OIDC_TOKEN_MALFORMED', jwt({ 'oidc.circleci.com/context-ids': 'c1' })],
];

for (const [name, code, value] of REFUSED) {
  test(`a token ${name} is refused before anything is sent, and is not shown`, async () => {
    const error = await refusal({ CIRCLE_OIDC_TOKEN: value });
    assert.equal(error.code, code);
    for (const text of [error.message, error.hint, String(error.cause)]) {
      assert.ok(!text.includes(value), 'the message shows the token');
      assert.ok(!text.includes('c2lnbmF0dXJl'), 'the message shows the signature');
    }
  });
}

test('a clock that is a minute behind refuses nothing', async () => {
  const token = await obtain({ CIRCLE_OIDC_TOKEN: jwt({ iat: NOW_S + 59, nbf: NOW_S + 59 }) });
  assert.equal(token.claims.issuedAtMs, NOW_MS + 59_000);
});
