import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { clusterForFile } from './embedded-cluster.ts';
import { beginJob, type Job, type RunChanges } from './job.ts';
import { assertRunRefused, type Refusal } from './refusal.ts';
import { resultOf } from './run-result.ts';

const cluster = await clusterForFile();

/** The values that CircleCI leaves: unset, empty, or the literal of an empty context variable. */
const NO_TOKEN = { CIRCLE_OIDC_TOKEN: undefined, CIRCLE_OIDC_TOKEN_V2: undefined };

test('the second form of the token is used if the first is missing', async (t) => {
  const job = await beginJob(t, cluster);
  const token = await cluster.mint({ form: 'v2' });
  const run = await job.run([...job.flags, '--json'], {
    environment: { CIRCLE_OIDC_TOKEN: '', CIRCLE_OIDC_TOKEN_V2: token },
  });
  resultOf(run);
  assert.match(run.stderr, /OIDC token from CIRCLE_OIDC_TOKEN_V2: project 3d9c1f64-\S+, 1 context/);
});

for (const name of ['circleci-agent', 'circleci']) {
  test(`without a variable the token comes from ${name}, for the organization as its audience`, async (t) => {
    const job = await beginJob(t, cluster);
    const secrets = [await addAgent(job, name)];
    const run = await job.run([...job.flags, '--json'], { environment: NO_TOKEN, secrets });
    resultOf(run);
    assert.match(run.stderr, new RegExp(`OIDC token from ${name} run oidc get`));
    assert.deepEqual((await readFile(join(job.folder, 'asked'), 'utf8')).trimEnd().split('\n'), [
      'run',
      'oidc',
      'get',
      '--claims',
      JSON.stringify({ aud: cluster.info.organizationId }),
    ]);
  });
}

test('the public circleci command line, which has no tokens, is ignored', async (t) => {
  const job = await beginJob(t, cluster);
  await addAgent(job, 'circleci-agent');
  await job.addProgram('circleci', 'echo "Error: unknown command" >&2; exit 255');
  resultOf(await job.run([...job.flags, '--json'], { environment: NO_TOKEN }));
  await job.addProgram('circleci-agent', 'exit 1');
  await assertRefusedBeforeContact(job, { code: 'OIDC_TOKEN_MISSING', says: /agent printed none/ }, NO_TOKEN);
});

test('a token for another audience is replaced with one from the agent, in an organization with custom claims', async (t) => {
  const job = await beginJob(t, cluster);
  const [other, fresh] = [await cluster.mint({ audience: 'sigstore' }), await addAgent(job, 'circleci')];
  const environment = { CIRCLE_OIDC_TOKEN: other, CIRCLE_ORGANIZATION_ID: undefined };
  const run = await job.run([...job.flags, '--json'], { environment, secrets: [other, fresh] });
  resultOf(run);
  assert.match(run.stderr, /OIDC token from circleci run oidc get/);
  const asked = await readFile(join(job.folder, 'asked'), 'utf8');
  assert.equal(asked.trimEnd().split('\n').at(-1), JSON.stringify({ aud: cluster.info.organizationId }));
});

test('a variable named with --oidc-token is used unchanged and never replaced', async (t) => {
  const job = await beginJob(t, cluster);
  const [other, mine] = await Promise.all([cluster.mint({ audience: 'sigstore' }), cluster.mint()]);
  await addAgent(job, 'circleci');
  const run = await job.run([...job.flags, '--oidc-token', 'MINE', '--json'], {
    environment: { CIRCLE_OIDC_TOKEN: other, MINE: mine },
    secrets: [other, mine],
  });
  resultOf(run);
  assert.match(run.stderr, /OIDC token from MINE/);
  const args = [...job.flags, '--oidc-token', 'OTHER'];
  for (const [value, refusal] of [
    [
      other,
      { code: 'OIDC_TOKEN_AUDIENCE_MISMATCH', says: /^OTHER is for the audience sigstore/, hint: /never replaced/ },
    ],
    ['', { code: 'OIDC_TOKEN_MISSING', says: /^OTHER, which --oidc-token names, is not set/, hint: /\$BASH_ENV/ }],
  ] as const) {
    await assertRunRefused(job, refusal, { args, changes: { environment: { OTHER: value }, secrets: [other] } });
  }
  const wrong = await job.run([...job.flags, '--oidc-token', mine], { secrets: [mine] });
  assert.equal(wrong.exitCode, 2);
  assert.match(wrong.stderr, /^code: USAGE_INVALID$/m);
});

test('messages of the agent are printed, but not its tokens', async (t) => {
  const job = await beginJob(t, cluster);
  const secret = await cluster.mint();
  await job.addProgram('circleci', 'echo x >>"$HOME/asked"; echo "Error: no task token $SECRET" >&2; exit 1');
  const run = await job.run(job.flags, { environment: { ...NO_TOKEN, SECRET: secret }, secrets: [secret] });
  assert.match(
    run.stderr,
    /^circleci run oidc get failed with exit code 1: Error: no task token \[masked\] \(3 tries\)$/m,
  );
  assert.equal(await readFile(join(job.folder, 'asked'), 'utf8'), 'x\nx\nx\n');
});

for (const [name, environment, refusal] of [
  [
    'a job without a token is told to run again',
    {},
    { code: 'OIDC_TOKEN_MISSING', says: /has no OIDC token: neither CIRCLE_OIDC_TOKEN nor/, hint: /Run the job again/ },
  ],
  [
    'a pull request from a fork is told that CircleCI withholds the token',
    { CIRCLE_PR_NUMBER: '17', CIRCLE_PR_USERNAME: 'somebody' },
    { code: 'OIDC_TOKEN_MISSING', says: /pull request from a fork/, hint: /Pass secrets to builds from forked/ },
  ],
  [
    'a run outside CircleCI is told that only jobs get tokens',
    { CIRCLECI: undefined },
    { code: 'OIDC_TOKEN_MISSING', says: /is not running on CircleCI/, hint: /circleci local execute/ },
  ],
] as const) {
  test(name, async (t) => {
    const job = await beginJob(t, cluster);
    await assertRefusedBeforeContact(job, refusal, { ...NO_TOKEN, ...environment });
  });
}

for (const [name, mint, refusal] of [
  [
    'is for another audience',
    { audience: 'sigstore' },
    {
      code: 'OIDC_TOKEN_AUDIENCE_MISMATCH',
      says: /is for the audience sigstore, expected the organization's id/,
      hint: /custom claims/,
    },
  ],
  ['has expired', { expired: true }, { code: 'OIDC_TOKEN_EXPIRED', says: /has expired: it was valid until 2\d{3}-/ }],
  [
    'is not valid yet',
    { notYetValid: true },
    { code: 'OIDC_TOKEN_NOT_YET_VALID', says: /is not valid yet: it is valid from 2\d{3}-/, hint: /clock/ },
  ],
  [
    'comes from a CircleCI server',
    { issuer: 'https://circleci.example.com/org/7a5f2d9e-5c0b-4f5e-9d0a-2f1b3c4d5e6f' },
    {
      code: 'OIDC_TOKEN_ISSUER_MISMATCH',
      says: /circleci\.example\.com.*CircleCI server/,
      hint: /only verifies tokens of CircleCI Cloud/,
    },
  ],
  [
    'comes from the issuer of no organization',
    { issuer: 'https://oidc.circleci.com' },
    {
      code: 'OIDC_TOKEN_ISSUER_MISMATCH',
      says: /issued by https:\/\/oidc\.circleci\.com, expected/,
      hint: /--root-issuer/,
    },
  ],
] as const) {
  test(`a token that ${name} is not sent to any server`, async (t) => {
    const job = await beginJob(t, cluster);
    await assertRefusedBeforeContact(job, refusal, { CIRCLE_OIDC_TOKEN: await cluster.mint(mint) });
  });
}

for (const [name, token] of [
  ['words', 'not-a-token-at-all'],
  ['three parts that are no JSON', 'aaaaaaaaaaaa.bbbbbbbbbbbb.cccccccccccc'],
  [
    'a JWT without the claims of CircleCI',
    `${base64url({ alg: 'RS256' })}.${base64url({ hello: 'world' })}.AAAAAAAAAAAA`,
  ],
] as const) {
  test(`a token that is ${name} is malformed, and its text is not printed`, async (t) => {
    const job = await beginJob(t, cluster);
    await assertRefusedBeforeContact(
      job,
      { code: 'OIDC_TOKEN_MALFORMED', says: /CIRCLE_OIDC_TOKEN is not a CircleCI OIDC token/ },
      { CIRCLE_OIDC_TOKEN: token },
    );
  });
}

test('an invalid token fails the run even without outputs', async (t) => {
  const job = await beginJob(t, cluster);
  const token = await cluster.mint({ expired: true });
  const args = [...job.flags, '--no-export', '--json', '--debug'];
  await assertRunRefused(
    job,
    { code: 'OIDC_TOKEN_EXPIRED', says: /expired/ },
    { args, changes: { environment: { CIRCLE_OIDC_TOKEN: token } } },
  );
});

/** A stand-in for CircleCI's agent that records its arguments; resolves with the token that it prints. */
async function addAgent(job: Job, name: string): Promise<string> {
  const token = await cluster.mint();
  await job.addProgram(name, `printf '%s\\n' "$@" > "$HOME/asked"\necho '${token}'`);
  return token;
}

async function assertRefusedBeforeContact(
  job: Job,
  refusal: Refusal,
  environment: NonNullable<RunChanges['environment']>,
): Promise<void> {
  cluster.records.clear();
  await assertRunRefused(job, refusal, { changes: { environment } });
  assert.deepEqual(cluster.records.all, []);
}

function base64url(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
