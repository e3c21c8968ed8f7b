import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { after, type TestContext } from 'node:test';
import { z } from 'zod';
import type { Cluster } from '../cluster/cluster.ts';
import type { MintOptions } from '../cluster/issuer/mint.ts';
import { directory } from './config-file.ts';
import { clusterIn, directoryFor, misbehave, NEWEST } from './embedded-cluster.ts';
import { listing } from './folder-listing.ts';
import { freePort } from './free-port.ts';
import { beginJob, type Job, type RunChanges } from './job.ts';
import { errorReport } from './refusal.ts';
import type { BundleRun } from './run-bundle.ts';
import { startTlsTerminator } from './tls-terminator.ts';

const authorities = await directoryFor({ after });
const cluster = await clusterIn(authorities, { after }, { teleport: NEWEST });
const { joinToken, proxy } = cluster.info;

const Check = z.strictObject({
  id: z.string(),
  title: z.string(),
  state: z.enum(['pass', 'warn', 'fail', 'skip']),
  detail: z.string(),
  fix: z.string().optional(),
});

const Examination = z.strictObject({
  version: z.string(),
  passed: z.int(),
  warned: z.int(),
  failed: z.int(),
  skipped: z.int(),
  checks: z.array(Check),
});

type Check = z.infer<typeof Check>;

const FLAGS = ['doctor', '--proxy-server', proxy, '--token', joinToken];

/** Whatever it finds, it changes nothing, and fails if a check fails. */
async function examined(job: Job, args: readonly string[], changes?: RunChanges): Promise<ReadonlyMap<string, Check>> {
  const before = await listing(job.folder);
  const run = await job.run([...args, '--json', '--destination', job.destination], changes);
  assert.deepEqual(await listing(job.folder), before);
  const { checks, failed } = Examination.parse(JSON.parse(run.stdout));
  assert.equal(failed, checks.filter(({ state }) => state === 'fail').length);
  assert.equal(run.exitCode, failed === 0 ? 0 : 1, run.stderr);
  if (failed > 0) assert.equal(codeIn(run), 'DOCTOR_FAILED');
  for (const { fix, id, state } of checks) {
    assert.equal(fix !== undefined, state === 'warn' || state === 'fail', id);
  }
  return new Map(checks.map((check) => [check.id, check]));
}

function codeIn(run: BundleRun): string {
  return errorReport(run).code;
}

function withState(checks: ReadonlyMap<string, Check>, ...states: readonly Check['state'][]): readonly string[] {
  return [...checks.values()].filter(({ state }) => states.includes(state)).map(({ id }) => id);
}

const ALL = [
  'node script orb',
  'oidc-token oidc-issuer oidc-audience oidc-times ssh-rerun fork organization project contexts user vcs',
  'config address destination:--destination bash-env dns tcp tls http-proxy load-balancer proxy clock topology',
  'join lifetime auth roles output:--destination',
]
  .join(' ')
  .split(' ');

test('when nothing is wrong, every check passes, in the order of the path to the cluster', async (t) => {
  const job = await beginJob(t, cluster);
  const checks = await examined(job, FLAGS, { environment: { MACHINE_ID_ORB_VERSION: '0.1.0' } });
  assert.deepEqual([...checks.keys()], ALL);
  assert.deepEqual(withState(checks, 'warn', 'fail', 'skip'), []);
  const { contextId, organizationId, projectId } = cluster.info;
  for (const [id, expected] of [
    ['node', process.version],
    ['organization', organizationId],
    ['project', projectId],
    ['contexts', contextId],
    ['proxy', 'cluster example.teleport.test, Teleport 18.6.0'],
    ['join', `as bot ci of example.teleport.test, with token "${joinToken}", through the join service`],
    ['roles', 'access, deployer'],
  ] as const) {
    assert.ok(checks.get(id)?.detail.includes(expected), `${id}: ${checks.get(id)?.detail ?? ''}`);
  }
  assert.match(checks.get('script')?.detail ?? '', /SHA-256 [0-9a-f]{64}/);
});

test('the list shows the fix below each failed check, and the totals', async (t) => {
  const job = await beginJob(t, cluster);
  const run = await job.run([...FLAGS, '--destination', job.destination, '--kubernetes-cluster', 'nowhere']);
  assert.equal(run.exitCode, 1);
  assert.match(run.stdout, /^pass {2}Join +as bot ci of example\.teleport\.test/m);
  assert.match(
    run.stdout,
    /^fail {2}kubernetes \(--kubernetes-cluster\) +.*"nowhere" not found \[RESOURCE_UNKNOWN\]\n +fix: Compare the name/m,
  );
  assert.match(run.stdout, /\n\n\d+ passed, 0 warned, 1 failed, 1 skipped\n$/);
  assert.equal(codeIn(run), 'DOCTOR_FAILED');
});

interface Finding {
  readonly what: string;
  readonly mint?: MintOptions;
  readonly environment?: RunChanges['environment'];
  readonly args?: readonly string[];
  readonly id: string;
  readonly state: 'warn' | 'fail';
  readonly says: RegExp;
  readonly fix: RegExp;
  /** The checks that are skipped as a consequence. */
  readonly skips?: readonly string[];
}

const JOIN_AND_AFTER = ['join', 'lifetime', 'auth', 'roles', 'output:--destination'];

const FINDINGS: readonly Finding[] = [
  {
    what: 'a job without a token',
    environment: { CIRCLE_OIDC_TOKEN: '', CIRCLE_ORGANIZATION_ID: undefined },
    id: 'oidc-token',
    state: 'fail',
    says: /OIDC_TOKEN_MISSING/,
    fix: /Run the job again/,
    skips: ['oidc-issuer', 'oidc-audience', 'oidc-times', ...JOIN_AND_AFTER],
  },
  {
    what: 'a token that has expired',
    mint: { expired: true },
    id: 'oidc-times',
    state: 'fail',
    says: /has expired: it was valid until/,
    fix: /earlier step/,
    skips: JOIN_AND_AFTER,
  },
  {
    what: 'a token that expires soon',
    mint: { ttlSeconds: 120 },
    id: 'oidc-times',
    state: 'warn',
    says: /[12] minutes? from now/,
    fix: /earlier in the job/,
  },
  {
    what: 'a token of a CircleCI server',
    mint: { issuer: 'https://circleci.example.com/org/7a5f2d9e-5c0b-4f5e-9d0a-2f1b3c4d5e6f' },
    id: 'oidc-issuer',
    state: 'fail',
    says: /circleci\.example\.com/,
    fix: /only verifies tokens of CircleCI Cloud/,
    skips: ['oidc-audience', ...JOIN_AND_AFTER],
  },
  {
    what: 'a token for another audience',
    mint: { audience: 'sts.amazonaws.com' },
    id: 'oidc-audience',
    state: 'fail',
    says: /is for the audience sts\.amazonaws\.com, expected the organization's id 7a5f2d9e.*\ncircleci-agent is not on/,
    fix: /agent can create the right token/,
    skips: JOIN_AND_AFTER,
  },
  {
    what: 'a rerun with SSH',
    mint: { sshRerun: true },
    id: 'ssh-rerun',
    state: 'warn',
    says: /rerun with SSH/,
    fix: /not job\.ssh\.enabled/,
  },
  {
    what: 'a build of a fork, found by the variables',
    environment: { CIRCLE_PR_NUMBER: '7', CIRCLE_PR_USERNAME: 'somebody' },
    id: 'fork',
    state: 'warn',
    says: /pull request from a fork: CIRCLE_PR_USERNAME is somebody$/,
    fix: /Skip the job for forks/,
  },
  {
    what: 'a build of a fork, found by the token',
    mint: { vcsRef: 'refs/heads/pull/12' },
    id: 'fork',
    state: 'warn',
    says: /pull request from a fork: the claim vcs-ref is refs.heads.pull.12$/,
    fix: /Skip the job for forks/,
  },
  {
    what: 'an orb of another version than the script',
    environment: { MACHINE_ID_ORB_VERSION: '9.9.9' },
    id: 'orb',
    state: 'warn',
    says: /machine-id@9\.9\.9 runs a script of version 0\.1\.0/,
    fix: /same version of the orb/,
  },
  {
    what: 'an unknown authority',
    environment: { SSL_CERT_FILE: undefined },
    id: 'tls',
    state: 'fail',
    says: /localhost, signed by .*UNABLE_TO/,
    fix: /certificate of the authority ".*", which this machine does not trust.*--ca-file/,
    skips: ['load-balancer', 'proxy', 'clock', 'topology', ...JOIN_AND_AFTER],
  },
  {
    what: 'a certificate that is not verified',
    environment: { SSL_CERT_FILE: undefined },
    args: ['--insecure'],
    id: 'tls',
    state: 'warn',
    says: /UNABLE_TO/,
    fix: /insecure/,
  },
  {
    what: 'a join token that does not exist',
    args: ['--token', 'nobody'],
    id: 'join',
    state: 'fail',
    says: /JOIN_TOKEN_UNKNOWN/,
    fix: /tctl tokens ls/,
    skips: JOIN_AND_AFTER.slice(1),
  },
  {
    what: 'a job that no rule allows',
    mint: { project: '00000000-0000-4000-8000-000000000000', contexts: [] },
    id: 'join',
    state: 'fail',
    says: /JOIN_CLAIMS_REFUSED/,
    fix: /project_id: 00000000-0000-4000-8000-000000000000/,
    skips: JOIN_AND_AFTER.slice(1),
  },
  {
    what: 'a lifetime that the roles limit',
    args: ['--token', 'short-lived-bot'],
    id: 'output:--destination',
    state: 'warn',
    says: /the cluster shortened the lifetime/,
    fix: /enough for the job/,
  },
  {
    what: 'roles that allow no Unix login',
    args: ['--token', 'loginless-bot'],
    id: 'output:--destination',
    state: 'warn',
    says: /roles loginless; logins \(none\)[^]*tctl edit role\/loginless/,
    fix: /^To use ssh, add a login to a role or to the bot/,
  },
];

for (const { args = [], fix, environment, id, mint, says, skips = [], state, what } of FINDINGS) {
  test(`${state === 'warn' ? 'warns' : 'fails'}: ${what}`, async (t) => {
    const job = await beginJob(t, cluster);
    const minted = mint === undefined ? {} : { CIRCLE_OIDC_TOKEN: await cluster.mint(mint) };
    const changes = { environment: { ...minted, ...environment }, secrets: Object.values(minted) };
    const named = args.includes('--token') ? FLAGS.slice(0, 3) : FLAGS;
    const checks = await examined(job, [...named, ...args], { ...changes, secrets: [...changes.secrets, 'pass-word'] });
    const found = checks.get(id);
    assert.equal(found?.state, state, JSON.stringify(found));
    assert.match(found.detail, says);
    assert.match(found.fix ?? '', fix);
    assert.deepEqual(withState(checks, 'fail'), state === 'fail' ? [id] : []);
    const orb = environment?.MACHINE_ID_ORB_VERSION === undefined ? ['orb'] : [];
    assert.deepEqual(withState(checks, 'skip'), [...orb, ...skips]);
  });
}

test('a token with several audiences is a warning, and the join shows whether this cluster accepts it', async (t) => {
  const job = await beginJob(t, cluster);
  const token = await cluster.mint({ audience: [cluster.info.organizationId, 'other'] });
  const changes = { environment: { CIRCLE_OIDC_TOKEN: token }, secrets: [token] };
  const checks = await examined(job, FLAGS, changes);
  assert.match(
    checks.get('oidc-audience')?.detail ?? '',
    /Teleport 17 and later reject a token with several audiences/,
  );
  assert.deepEqual(withState(checks, 'warn', 'fail'), ['oidc-audience', 'join']);
});

test('a token for another audience is replaced with one from the agent, unless its variable was named', async (t) => {
  const job = await beginJob(t, cluster);
  const [token, fresh] = await Promise.all([cluster.mint({ audience: 'sigstore' }), cluster.mint()]);
  await job.addProgram('circleci', `echo '${fresh}'`);
  const environment = { CIRCLE_OIDC_TOKEN: token, MY_TOKEN: token };
  const checks = await examined(job, FLAGS, { environment, secrets: [token, fresh] });
  assert.equal(checks.get('oidc-token')?.detail, 'from circleci run oidc get');
  assert.deepEqual(withState(checks, 'warn', 'fail'), []);
  const named = await examined(job, [...FLAGS, '--oidc-token', 'MY_TOKEN'], { environment, secrets: [token, fresh] });
  assert.match(named.get('oidc-audience')?.detail ?? '', /^MY_TOKEN is for the audience sigstore/);
  assert.deepEqual(withState(named, 'fail'), ['oidc-audience']);
});

async function elsewhere(t: TestContext, address: string, changes?: RunChanges): Promise<ReadonlyMap<string, Check>> {
  const job = await beginJob(t, cluster);
  return examined(job, ['doctor', '--proxy-server', address, '--token', joinToken], changes);
}

test('fails: a host name that does not exist', async (t) => {
  const checks = await elsewhere(t, 'nowhere.invalid:443');
  assert.deepEqual(withState(checks, 'fail'), ['dns', 'tcp']);
  assert.match(checks.get('dns')?.detail ?? '', /cannot resolve the host name.*\[PROXY_UNREACHABLE\]/);
});

test('fails: a port that nothing listens on', async (t) => {
  const checks = await elsewhere(t, `localhost:${await freePort()}`);
  assert.deepEqual(withState(checks, 'fail'), ['tcp']);
  assert.equal(checks.get('tls')?.detail, 'the port of the Proxy cannot be reached');
});

test('fails: a name that the certificate does not have', async (t) => {
  const { address, certificate } = await startTlsTerminator(t, { behind: proxy });
  const job = await beginJob(t, cluster);
  await writeFile(join(job.checkout, 'ca.pem'), certificate);
  const flags = ['--proxy-server', address.replace('localhost', '127.0.0.1'), '--token', joinToken];
  const tls = (await examined(job, ['doctor', ...flags, '--ca-file', 'ca.pem'])).get('tls');
  assert.equal(tls?.state, 'fail');
  assert.match(tls.fix ?? '', /^Use a name of the certificate \(DNS:localhost\)/);
});

test('warns: a lifetime of the bot that the cluster limits', async (t) => {
  misbehave(t, cluster, { maxTtlMs: 600_000 });
  const lifetime = (await elsewhere(t, proxy)).get('lifetime');
  assert.equal(lifetime?.state, 'warn');
  assert.match(lifetime.detail, /requested 60 minutes, got 10 minutes$/);
  assert.match(lifetime.fix ?? '', /max_session_ttl/);
});

for (const [what, speaks, says] of [
  ['that does not support ALPN', [], /terminates TLS \(the server chooses no ALPN protocol\)/],
  ['that speaks only HTTP', ['http/1.1'], /terminates TLS \(the server accepts none of Teleport's ALPN protocols \(/],
] as const) {
  test(`passes: a load balancer ${what} and forwards WebSocket`, async (t) => {
    const { address, certificate } = await startTlsTerminator(t, { behind: proxy, speaks });
    const job = await beginJob(t, cluster);
    await writeFile(join(job.checkout, 'ca.pem'), certificate);
    const checks = await examined(job, [
      'doctor',
      ...['--proxy-server', address, '--token', joinToken, '--ca-file', 'ca.pem'],
    ]);
    const balancer = checks.get('load-balancer');
    assert.equal(balancer?.state, 'pass');
    assert.match(balancer.detail, says);
    assert.match(balancer.detail, /: connections are upgraded to pass it, which works$/);
    assert.deepEqual(withState(checks, 'warn', 'fail'), []);
  });
}

test('fails: a server that is not Teleport', async (t) => {
  misbehave(t, cluster, { replies: { ping: 'not-json' } });
  const checks = await elsewhere(t, proxy);
  assert.deepEqual(withState(checks, 'fail'), ['proxy']);
  assert.match(checks.get('proxy')?.detail ?? '', /\[PROXY_NOT_TELEPORT\]/);
});

test('fails: an Auth Service that cannot be reached', async (t) => {
  misbehave(t, cluster, { authCertificate: 'of-other-authority' });
  const checks = await elsewhere(t, proxy);
  assert.deepEqual(withState(checks, 'fail'), ['auth']);
  assert.deepEqual(withState(checks, 'skip'), ['orb', 'roles', 'output:--destination']);
});

for (const [aheadMs, says] of [
  [-600_000, /this machine is (599|600|601) seconds ahead of the Proxy/],
  [600_000, /this machine is (599|600|601) seconds behind the Proxy/],
] as const) {
  test(`warns: a clock that is ${aheadMs < 0 ? 'ahead' : 'behind'}`, async (t) => {
    misbehave(t, cluster, { dateAheadMs: aheadMs });
    const clock = (await elsewhere(t, proxy)).get('clock');
    assert.equal(clock?.state, 'warn');
    assert.match(clock.detail, says);
  });
}

test('without TLS routing the other ports are reported, and every check passes', async (t) => {
  const separate = await clusterIn(authorities, t, { teleport: '15.3.7', tlsRouting: false });
  const job = await beginJob(t, separate);
  const flags = ['doctor', '--proxy-server', separate.info.proxy, '--token', separate.info.joinToken];
  const checks = await examined(job, flags);
  assert.deepEqual(withState(checks, 'warn', 'fail', 'skip'), ['orb']);
  assert.match(
    checks.get('topology')?.detail ?? '',
    /^separate ports: web localhost:\d+, SSH localhost:\d+, reverse tunnel localhost:\d+, Kubernetes localhost:\d+, postgres localhost:\d+$/,
  );
  assert.match(checks.get('join')?.detail ?? '', /the registration endpoint$/);
});

test('each output is tried: what exists, what does not, and what the bot has no access to', async (t) => {
  const job = await beginJob(t, cluster);
  const config = await fileOf(job, [
    'type: identity',
    'type: kubernetes, kubernetes_cluster: dev',
    'type: database, service: orders, username: ci, database: orders',
    'type: application, app_name: payroll',
    'type: database, service: nowhere, username: ci',
    'type: identity, roles: [admin]',
    'type: workload-identity-x509, selector: { name: ci-svid }',
    'type: ssh_host, principals: [a.example.com], roles: [access]',
  ]);
  const { exitCode, stdout } = await job.run(['doctor', '-c', config, '--json']);
  assert.equal(exitCode, 1);
  const { checks } = Examination.parse(JSON.parse(stdout));
  const outputs = checks.filter(({ id }) => id.startsWith('output:'));
  assert.deepEqual(
    outputs.map(({ state }) => state),
    ['pass', 'pass', 'pass', 'fail', 'fail', 'fail', 'pass', 'pass'],
  );
  assert.match(outputs[2]?.detail ?? '', /^database orders \(postgres\); roles access, deployer; until 2/);
  assert.match(outputs[3]?.detail ?? '', /application "payroll" not found \[RESOURCE_UNKNOWN\]/);
  assert.match(outputs[5]?.detail ?? '', /\[ROLE_DENIED\]/);
  assert.deepEqual([...(await listing(join(job.folder, 'out'))).keys()], []);
});

async function fileOf(job: Job, outputs: readonly string[]): Promise<string> {
  const lines = outputs.map((output, at) => `  - { ${output}, ${directory(join(job.folder, 'out', String(at)))} }`);
  const onboarding = `onboarding: { join_method: circleci, token: ${joinToken} }`;
  return job.addFile(
    'tbot.yaml',
    `version: v2\nproxy_server: ${proxy}\n${onboarding}\noutputs:\n${lines.join('\n')}\n`,
  );
}

test('an invalid file is one failed check, with its lines, and the rest is still checked', async (t) => {
  const job = await beginJob(t, cluster);
  const config = await job.addFile(
    'tbot.yaml',
    'version: v2\nonboarding: { join_method: iam }\noutputs: [{ type: x }]\n',
  );
  const { exitCode, stdout } = await job.run(['doctor', '-c', config, '--proxy-server', proxy, '--json']);
  assert.equal(exitCode, 1);
  const checks = new Map(Examination.parse(JSON.parse(stdout)).checks.map((check) => [check.id, check]));
  assert.deepEqual(withState(checks, 'fail'), ['config']);
  assert.match(checks.get('config')?.detail ?? '', /line 2/);
  assert.match(checks.get('config')?.detail ?? '', /line 3/);
  assert.equal(checks.get('proxy')?.state, 'pass');
  assert.match(checks.get('join')?.detail ?? '', /^the configuration has no readable join token/);
});

test('unsupported outputs and an invalid CA file are separate failed checks', async (t) => {
  const job = await beginJob(t, cluster);
  const config = await fileOf(job, ['type: kubernetes/argo-cd, selectors: [{ name: dev }]']);
  const { stdout } = await job.run(['doctor', '-c', config, '--ca-file', 'nowhere.pem', '--json']);
  const checks = new Map(Examination.parse(JSON.parse(stdout)).checks.map((check) => [check.id, check]));
  assert.deepEqual(withState(checks, 'fail').slice(0, 2), ['outputs', 'ca-file']);
});

test('the checks are also written as test results, into a directory that is created, renamed into place when complete', async (t) => {
  const job = await beginJob(t, cluster);
  const args = [...FLAGS, '--destination', job.destination, '--junit', 'results/doctor/a.xml'];
  assert.equal((await job.run(args)).exitCode, 0);
  assert.equal((await job.run(args)).exitCode, 0);
  const xml = await readFile(join(job.checkout, 'results/doctor/a.xml'), 'utf8');
  assert.match(xml, /<testsuites tests="31" failures="0" errors="0" skipped="1">/);
  assert.deepEqual([...(await listing(join(job.checkout, 'results'))).keys()], ['.', 'doctor', 'doctor/a.xml']);
});

test('invalid usage is reported as usual, and nothing is checked', async (t) => {
  const job = await beginJob(t, cluster);
  const run = await job.run(['doctor', '--no-export', '--credential-ttl', '--what']);
  assert.equal(run.exitCode, 2);
  assert.equal(codeIn(run), 'USAGE_INVALID');
  assert.deepEqual(kindsOf(cluster), []);
});

function kindsOf({ records }: Cluster): readonly string[] {
  return records.kinds;
}
