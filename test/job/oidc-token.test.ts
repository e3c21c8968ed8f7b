import assert from 'node:assert/strict';
import test from 'node:test';
import type { CommandResult } from '../../src/effects/programs.ts';
import { RETRY_POLICY } from '../../src/effects/retry.ts';
import { createMask } from '../../src/effects/secret.ts';
import { type ErrorCode, MachineIdError } from '../../src/errors.ts';
import { tokenNotices } from '../../src/job/oidc-check.ts';
import { obtainOidcToken } from '../../src/job/oidc-token.ts';
import { type Answer, commandsThat, gives, jwt, NOW_MS, ORGANIZATION } from './oidc-tokens.ts';

const NOW_S = NOW_MS / 1000;

function fails(stderr: string): CommandResult {
  return { exitCode: 1, stdout: '', stderr };
}

/** A job whose agent answers as told, the last answer again and again, and what was asked and waited for. */
function jobWith(environment: Record<string, string>, answers: Readonly<Record<string, Answer>> = {}) {
  const asked: string[][] = [];
  const waitsMs: number[] = [];
  const commands = commandsThat(answers, asked);
  const clock = {
    nowMs: () => NOW_MS,
    sleep: (durationMs: number) => {
      waitsMs.push(durationMs);
      return Promise.resolve();
    },
  };
  const mask = createMask();
  return {
    asked,
    waitsMs,
    mask,
    obtain: (variable?: string) => obtainOidcToken({ environment, commands, clock, mask, variable }),
  };
}

function obtain(environment: Record<string, string>, answers?: Record<string, Answer>) {
  return jobWith(environment, answers).obtain();
}

async function refusalOf(attempt: Promise<unknown>): Promise<MachineIdError> {
  try {
    await attempt;
  } catch (error) {
    assert.ok(error instanceof MachineIdError);
    return error;
  }
  return assert.fail('the token was accepted');
}

function refusal(environment: Record<string, string>, answers?: Record<string, Answer>): Promise<MachineIdError> {
  return refusalOf(obtain(environment, answers));
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
  const job = jobWith({ CIRCLE_ORGANIZATION_ID: ORGANIZATION }, { 'circleci-agent': gives(jwt()) });
  const token = await job.obtain();
  assert.equal(token.source, 'circleci-agent run oidc get');
  assert.deepEqual(job.asked, [['circleci-agent', 'run', 'oidc', 'get', '--claims', `{"aud":"${ORGANIZATION}"}`]]);
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
  const job = jobWith({ CIRCLE_OIDC_TOKEN: jwt(), CIRCLE_ORGANIZATION_ID: ORGANIZATION });
  await job.obtain();
  assert.deepEqual(job.asked, []);
});

test('a circleci command that fails gives no token', async () => {
  const answers = { circleci: { exitCode: 1, stdout: jwt(), stderr: 'unknown command' } };
  await assert.rejects(obtain({ CIRCLE_ORGANIZATION_ID: ORGANIZATION }, answers), { code: 'OIDC_TOKEN_MISSING' });
});

const IN_JOB = { CIRCLECI: 'true', CIRCLE_ORGANIZATION_ID: ORGANIZATION };
const TOKEN_OF_OTHERS = jwt({ aud: 'sigstore' });

test('the agent is asked up to three times with pauses, and one that is missing is not asked again', async () => {
  const { agentPauseMs, agentTries } = RETRY_POLICY;
  const late = jobWith(IN_JOB, { circleci: [fails('busy'), fails('busy'), gives(jwt())] });
  assert.equal((await late.obtain()).source, 'circleci run oidc get');
  assert.deepEqual(
    late.waitsMs,
    Array.from({ length: agentTries - 1 }, () => agentPauseMs),
  );
  assert.deepEqual(
    late.asked.map(([program]) => program),
    ['circleci-agent', 'circleci', 'circleci', 'circleci'],
  );
  const never = jobWith(IN_JOB, { 'circleci-agent': fails('no'), circleci: fails('no') });
  await refusalOf(never.obtain());
  assert.equal(never.asked.length, 2 * agentTries);
  const none = jobWith(IN_JOB);
  await refusalOf(none.obtain());
  assert.deepEqual([none.asked.length, none.waitsMs], [2, []]);
});

test('what the agent says is shown, for each program, in every case of a missing token', async () => {
  const answers = { circleci: fails('Error: no task token\n') };
  for (const environment of [IN_JOB, { CIRCLE_ORGANIZATION_ID: ORGANIZATION }, { ...IN_JOB, CIRCLE_PR_NUMBER: '1' }]) {
    const { message } = await refusal(environment, answers);
    assert.match(message, /\ncircleci-agent is not on PATH\n/);
    assert.match(message, /\ncircleci run oidc get failed with exit code 1: Error: no task token \(3 tries\)$/);
  }
  assert.match(
    (await refusal({ CIRCLECI: 'true' })).message,
    /agent was not asked for a token: CIRCLE_ORGANIZATION_ID is/,
  );
  const hung = await refusal(IN_JOB, { circleci: { exitCode: undefined, stdout: '', stderr: 'one moment' } });
  assert.match(
    hung.message,
    /circleci run oidc get did not exit within 15 s, or printed more than 64 KiB: one moment$/,
  );
  const silent = await refusal(IN_JOB, { circleci: { exitCode: 0, stdout: 'usage: circleci run', stderr: '' } });
  assert.match(silent.message, /circleci run oidc get printed no token/);
});

test('what the agent says is shown without tokens, control characters and without end', async () => {
  const half = jwt().slice(0, 60);
  for (const said of [
    jwt(),
    `token=${jwt()}`,
    `{"jwt":"${jwt()}"}`,
    half,
    jwt().replaceAll(/(?<=.)/g, '\u0000'),
    jwt().replace('.', '\u001b[0m.\u001b[1m'),
    jwt().replaceAll('.', '\n'),
    `Authorization: Bearer ${'a1'.repeat(10)}`,
    `https://user:${half}@example.com/`,
    `task ${'0123456789abcdef'.repeat(4)}`,
  ]) {
    const { message } = await refusal(IN_JOB, { circleci: fails(`refused ${said}`) });
    assert.match(message, /failed with exit code 1: refused /);
    for (const secret of [...jwt().split('.'), half, 'a1a1a1a1', '0123456789abcdef0123']) {
      assert.ok(!message.includes(secret.slice(0, 20)), `${JSON.stringify(said)}: ${message}`);
    }
  }
  const long = await refusal(IN_JOB, { circleci: fails(`\u001b[31mfailed\u001b[0m\r\n${'so it is '.repeat(9999)}`) });
  assert.match(long.message, /exit code 1: failed; so it is so it is/);
  assert.ok(long.message.length < 1000);
  const id = await refusal(IN_JOB, { circleci: fails(`no organization ${ORGANIZATION}`) });
  assert.ok(id.message.includes(ORGANIZATION));
});

test('a token for another audience gives way to one of the agent for the organization of its issuer', async () => {
  for (const aud of ['sigstore', ['sigstore', 'sts.amazonaws.com'], []]) {
    const job = jwt({ aud });
    const { asked, obtain: find } = jobWith({ CIRCLE_OIDC_TOKEN: job }, { circleci: gives(jwt()) });
    const token = await find();
    assert.deepEqual([token.source, token.claims.audiences], ['circleci run oidc get', [ORGANIZATION]]);
    assert.equal(asked[0]?.at(-1), `{"aud":"${ORGANIZATION}"}`);
  }
  const second = await obtain({ CIRCLE_OIDC_TOKEN: TOKEN_OF_OTHERS, CIRCLE_OIDC_TOKEN_V2: jwt() });
  assert.equal(second.source, 'CIRCLE_OIDC_TOKEN_V2');
});

test('a token for another audience is refused where the agent gives no other, with what it said', async () => {
  const error = await refusal({ CIRCLE_OIDC_TOKEN: TOKEN_OF_OTHERS }, { circleci: fails('no task token') });
  assert.equal(error.code, 'OIDC_TOKEN_AUDIENCE_MISMATCH');
  assert.match(error.message, /^CIRCLE_OIDC_TOKEN is for the audience sigstore, expected the organization's id 1111/);
  assert.match(error.message, /circleci run oidc get failed with exit code 1: no task token/);
  assert.match(error.likelyCauses.join(), /custom claims/);
  const stubborn = await refusal({ CIRCLE_OIDC_TOKEN: TOKEN_OF_OTHERS }, { circleci: gives(TOKEN_OF_OTHERS) });
  assert.match(stubborn.message, /circleci run oidc get printed a token for another audience, expected 1111/);
});

test('the right audience among several is taken as it is where the agent has nothing better', async () => {
  const aud = [ORGANIZATION, 'sigstore'];
  const token = await obtain({ CIRCLE_OIDC_TOKEN: jwt({ aud }) });
  assert.equal(token.source, 'CIRCLE_OIDC_TOKEN');
  assert.match(tokenNotices(token, NOW_MS).join(), /for the audiences 1111.*, sigstore: Teleport 17 and later reject/);
  const complete = jobWith({ CIRCLE_OIDC_TOKEN: jwt({ aud, azp: ORGANIZATION }) }, { circleci: gives(jwt()) });
  assert.deepEqual(tokenNotices(await complete.obtain(), NOW_MS), []);
  assert.deepEqual(complete.asked, []);
  const better = await obtain({ CIRCLE_OIDC_TOKEN: jwt({ aud }) }, { circleci: gives(jwt()) });
  assert.equal(better.source, 'circleci run oidc get');
});

test('a variable that the user names is the only source, whatever is wrong with it', async () => {
  const answers = { 'circleci-agent': gives(jwt()) };
  for (const [value, code, says] of [
    [undefined, 'OIDC_TOKEN_MISSING', /^OTHER, which --oidc-token names, is not set/],
    ['nil', 'OIDC_TOKEN_MISSING', /^OTHER, which --oidc-token names, is too short/],
    [TOKEN_OF_OTHERS, 'OIDC_TOKEN_AUDIENCE_MISMATCH', /^OTHER is for the audience sigstore/],
    [jwt({ exp: NOW_S - 1 }), 'OIDC_TOKEN_EXPIRED', /^OTHER has expired/],
    ['not-a-token', 'OIDC_TOKEN_MALFORMED', /^OTHER is not/],
  ] as const) {
    const environment = { ...IN_JOB, CIRCLE_OIDC_TOKEN: jwt(), ...(value === undefined ? {} : { OTHER: value }) };
    const job = jobWith(environment, answers);
    const error = await refusalOf(job.obtain('OTHER'));
    assert.equal(error.code, code);
    assert.match(error.message, says);
    assert.deepEqual(job.asked, []);
  }
  const named = await jobWith({ CIRCLE_OIDC_TOKEN: jwt({ sub: 'first' }), OTHER: jwt() }).obtain('OTHER');
  assert.equal(named.source, 'OTHER');
  const own = jobWith({ ...IN_JOB, CIRCLE_OIDC_TOKEN: TOKEN_OF_OTHERS }, answers);
  assert.equal((await own.obtain('CIRCLE_OIDC_TOKEN')).source, 'circleci-agent run oidc get');
});

test('the hints differ for the variable, for the one that the user names, and for the agent', async () => {
  const old = jwt({ exp: NOW_S - 1 });
  const [variable, named, agent] = await Promise.all([
    refusal({ CIRCLE_OIDC_TOKEN: old }),
    refusalOf(jobWith({ OTHER: old }).obtain('OTHER')),
    refusal(IN_JOB, { circleci: gives(old) }),
  ]);
  assert.match(variable.hint, /Call "run" in an earlier step/);
  assert.match(named.hint, /omit --oidc-token/);
  assert.match(agent.hint, /Set the clock of this runner .* so the clock is ahead/);
  const words = await Promise.all([
    refusal({ CIRCLE_OIDC_TOKEN: 'words' }),
    refusalOf(jobWith({ OTHER: 'words' }).obtain('OTHER')),
  ]);
  assert.match(words[0].hint, /Nothing in the job's environment should set CIRCLE_OIDC_TOKEN/);
  assert.match(words[1].hint, /output of "circleci run oidc get" into OTHER, or omit --oidc-token/);
  const forOthers = await refusalOf(jobWith({ OTHER: TOKEN_OF_OTHERS }).obtain('OTHER'));
  assert.match(forOthers.hint, /Create the token in OTHER with circleci run oidc get --claims '\{"aud":"1111/);
});

test('every token that is seen is masked from then on', async () => {
  const fresh = jwt({ sub: 'fresh' });
  const job = jobWith({ CIRCLE_OIDC_TOKEN: TOKEN_OF_OTHERS }, { circleci: gives(fresh) });
  await job.obtain();
  assert.equal(job.mask.apply(`${TOKEN_OF_OTHERS} ${fresh}`), '[masked] [masked]');
});

test('a run outside CircleCI is reported', async () => {
  const error = await refusal({});
  assert.equal(error.code, 'OIDC_TOKEN_MISSING');
  assert.match(error.message, /is not running on CircleCI/);
});

test('for a job without a token, the hint names runners and CircleCI server', async () => {
  const { hint, likelyCauses } = await refusal({ CIRCLECI: 'true' });
  assert.match(likelyCauses.join('; '), /temporary directory.*; this is a CircleCI server/);
  assert.match(hint, /OIDC must be turned on/);
});

test('for a build of a fork, the hint names the setting that withholds the token', async () => {
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
  [
    'of a CircleCI server',
    'OIDC_TOKEN_ISSUER_MISMATCH',
    jwt({ iss: `https://circleci.example.com/org/${ORGANIZATION}` }),
  ],
  [
    'of a host that only begins like CircleCI',
    'OIDC_TOKEN_ISSUER_MISMATCH',
    jwt({ iss: `https://oidc.circleci.com.example.com/org/${ORGANIZATION}` }),
  ],
  ['of the root issuer', 'OIDC_TOKEN_ISSUER_MISMATCH', jwt({ iss: 'https://oidc.circleci.com' })],
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
