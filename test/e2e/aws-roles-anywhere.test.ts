import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { fromIni } from '@aws-sdk/credential-provider-ini';
import type { Cluster } from '../cluster/cluster.ts';
import { ownAuthority } from '../cluster/world.ts';
import { certificatePem } from '../cluster/crypto/x509.ts';
import { directory, runItems } from './config-file.ts';
import { clusterForFile, NEWEST } from './embedded-cluster.ts';
import { exportedTo } from './exported.ts';
import { listing, modeOf } from './folder-listing.ts';
import { beginJob, type Job } from './job.ts';
import { assertRefused } from './refusal.ts';
import {
  type Anchor,
  SECRET_KEY,
  SESSION_TOKEN,
  startRolesAnywhere,
  type RolesAnywhereServer,
} from './roles-anywhere-server.ts';
import { resultOf } from './run-result.ts';
import type { BundleRun } from './run-bundle.ts';

const newest = await clusterForFile();
const older = await clusterForFile({ teleport: '16.4.0' });
const of17 = await clusterForFile({ teleport: '17.4.2' });

const ARNS = {
  trustAnchorArn: 'arn:aws:rolesanywhere:eu-central-1:123456789012:trust-anchor/0d0c4e6b',
  profileArn: 'arn:aws:rolesanywhere:eu-central-1:123456789012:profile/1c4c1e9a',
  roleArn: 'arn:aws:iam::123456789012:role/ci-deploy',
} as const;

const SETTINGS = `role_arn: '${ARNS.roleArn}', profile_arn: '${ARNS.profileArn}', trust_anchor_arn: '${ARNS.trustAnchorArn}'`;

function output(job: Job, more = ''): string {
  return `type: workload-identity-aws-roles-anywhere, selector: { name: ci-svid }, ${SETTINGS}, ${more}${directory(job.destination)}`;
}

interface Place {
  readonly job: Job;
  readonly server: RolesAnywhereServer;
  readonly run: (more?: string, flags?: readonly string[]) => Promise<BundleRun>;
}

async function begin(t: TestContext, changes: Partial<Anchor> = {}, cluster: Cluster = newest): Promise<Place> {
  const authorityPem = certificatePem(ownAuthority(cluster.world, 'spiffe').tls.certificate);
  const server = await startRolesAnywhere(t, { ...ARNS, authorityPem, region: 'eu-central-1', ...changes });
  const job = await beginJob(t, cluster);
  const bundle = join(job.folder, 'aws-ca.pem');
  await writeFile(bundle, server.certificate);
  const environment = { AWS_ENDPOINT_URL_ROLESANYWHERE: server.url, AWS_CA_BUNDLE: bundle };
  const withEnvironment: Job = {
    ...job,
    run: (args, options) => job.run(args, { ...options, environment, secrets: [SECRET_KEY, SESSION_TOKEN] }),
  };
  return { job, server, run: (more, flags) => runItems(cluster, withEnvironment, [output(job, more)], '', flags) };
}

test("AWS's own SDK reads the credentials of the role", async (t) => {
  const { job, run, server } = await begin(t);
  const result = resultOf(await run());
  const file = join(job.destination, 'aws_credentials');
  assert.deepEqual(result.outputs[0]?.files, ['aws_credentials']);
  assert.deepEqual(result.outputs[0].access, { kind: 'aws', role: ARNS.roleArn, profile: 'default' });
  assert.equal(await modeOf(file), '0600');
  const credentials = await fromIni({ filepath: file, configFilepath: '/dev/null', profile: 'default' })();
  assert.equal(credentials.accessKeyId, 'ASIAIOSFODNN7EXAMPLE');
  assert.equal(credentials.secretAccessKey, SECRET_KEY);
  assert.equal(credentials.sessionToken, SESSION_TOKEN);
  assert.deepEqual(server.sessions, [
    { durationSeconds: 6 * 60 * 60, spiffeId: 'spiffe://example.teleport.test/ci/deploy', minutesLeft: 10 },
  ]);
  assert.match(String(server.userAgents), /^machine-id\/\d+\.\d+\.\d+$/);
  const exported = await exportedTo(job);
  assert.equal(exported.AWS_SHARED_CREDENTIALS_FILE, file);
  assert.equal(exported.AWS_PROFILE, undefined);
});

test('the profile is added to a file with other profiles, and cleanup removes only this one', async (t) => {
  const { job, run } = await begin(t);
  const file = join(job.destination, 'creds');
  const others = '# mine\n[default]\naws_access_key_id = A\naws_secret_access_key = B\n';
  await mkdir(job.destination, { mode: 0o700 });
  await writeFile(file, others, { mode: 0o600 });
  const more =
    'artifact_name: creds, credential_profile_name: deploy, session_duration: 1h, session_renewal_interval: 10m, ';
  resultOf(await run(more));
  resultOf(await run(more));
  const text = await readFile(file, 'utf8');
  assert.ok(text.startsWith(`${others}\n[deploy]\naws_secret_access_key = `), text);
  assert.equal(text.match(/\[deploy\]/g)?.length, 1);
  const provider = (profile: string) => fromIni({ filepath: file, configFilepath: '/dev/null', profile })();
  assert.equal((await provider('default')).accessKeyId, 'A');
  assert.equal((await provider('deploy')).sessionToken, SESSION_TOKEN);
  assert.equal((await exportedTo(job)).AWS_PROFILE, 'deploy');
  assert.equal((await job.run(['cleanup'])).exitCode, 0);
  assert.equal(await readFile(file, 'utf8'), others);
  assert.deepEqual([...(await listing(job.destination)).keys()].sort(), ['.', 'creds']);
});

test('with overwrite_credential_file, the file has only this profile', async (t) => {
  const { job, run } = await begin(t);
  const file = join(job.destination, 'aws_credentials');
  await mkdir(job.destination, { mode: 0o700 });
  await writeFile(file, '[other]\naws_access_key_id = A\n');
  resultOf(await run('overwrite_credential_file: true, '));
  assert.doesNotMatch(await readFile(file, 'utf8'), /other/);
  assert.equal((await job.run(['cleanup'])).exitCode, 0);
  assert.deepEqual([...(await listing(job.destination)).keys()], ['.']);
});

const refusals: readonly (readonly [what: string, changes: Partial<Anchor>, says: RegExp])[] = [
  [
    'a role that the profile does not list',
    { roleArn: 'arn:aws:iam::123456789012:role/other' },
    /Unable to assume role/,
  ],
  ['a trust anchor of another region', { region: 'us-east-1' }, /Invalid authorization header/],
];

for (const [what, changes, says] of refusals) {
  test(`${what} is rejected with what to check, and nothing is written`, async (t) => {
    const { job, run } = await begin(t, changes);
    assertRefused(await run(), { code: 'AWS_REFUSED', says, hint: /trust anchor.*profile.*trust policy.*conditions/ });
    assert.deepEqual([...(await listing(job.destination)).keys()], ['.']);
  });
}

test('a wrong clock is reported as the cause', async (t) => {
  const { run } = await begin(t, { aheadMs: 10 * 60 * 1000 });
  assertRefused(await run(), { code: 'AWS_REFUSED', says: /Signature expired/, hint: /clock.* 10 minutes behind/ });
});

test('a role can have a path with any characters', async (t) => {
  const roleArn = "arn:aws:iam::123456789012:role/a(b)*!'/ci+=,.@-_";
  const { job, server } = await begin(t, { roleArn });
  const environment = { AWS_ENDPOINT_URL: server.url, AWS_CA_BUNDLE: join(job.folder, 'aws-ca.pem') };
  const text = output(job).replace(`'${ARNS.roleArn}'`, JSON.stringify(roleArn));
  const withEnvironment: Job = { ...job, run: (args, options) => job.run(args, { ...options, environment }) };
  resultOf(await runItems(newest, withEnvironment, [text]));
  assert.equal(server.sessions.length, 1);
});

test('an endpoint without TLS is rejected before the certificate is requested', async (t) => {
  const { job } = await begin(t);
  const environment = { AWS_ENDPOINT_URL: 'http://user:hunter2@localhost:4566' };
  const withEnvironment: Job = {
    ...job,
    run: (args, options) => job.run(args, { ...options, environment, secrets: ['hunter2'] }),
  };
  const run = await runItems(newest, withEnvironment, [output(job)]);
  assertRefused(run, {
    code: 'AWS_UNREACHABLE',
    says: /AWS_ENDPOINT_URL must be an address of the form https:\/\/host/,
    hint: /unset it/,
  });
});

test('a trust anchor with another authority is rejected', async (t) => {
  const authorityPem = certificatePem(ownAuthority(newest.world, 'user').tls.certificate);
  const { run } = await begin(t, { authorityPem });
  assertRefused(await run(), {
    code: 'AWS_REFUSED',
    says: /Untrusted certificate/,
    hint: /tctl auth export --type tls-spiffe/,
  });
});

test('an untrusted or unreachable server is reported', async (t) => {
  const { job, server } = await begin(t);
  const untrusted = await runItems(
    newest,
    { ...job, run: (args, options) => job.run(args, { ...options, environment: { AWS_ENDPOINT_URL: server.url } }) },
    [output(job)],
  );
  assertRefused(untrusted, {
    code: 'AWS_UNREACHABLE',
    says: /localhost:\d+ cannot be reached: .*certificate/,
    hint: /AWS_CA_BUNDLE/,
  });
});

test('invalid settings are rejected before any request', async (t) => {
  const job = await beginJob(t, newest);
  const run = await runItems(newest, job, [
    `type: workload-identity-aws-roles-anywhere, selector: { name: ci-svid }, role_arn: 'arn:aws:s3:::bucket', profile_arn: x, trust_anchor_arn: '${ARNS.trustAnchorArn}', session_duration: 1m, session_renewal_interval: 10s, artifact_name: ../x, credential_profile_name: 'a]', ${directory(job.destination)}`,
  ]);
  assert.equal(run.exitCode, 2);
  for (const part of [
    'role_arn: "arn:aws:s3',
    'profile_arn: "x" is not an ARN',
    'at least 15 minutes',
    'is not a file name',
    'is not a profile name',
  ]) {
    assert.ok(run.stderr.includes(part), `${part}\n${run.stderr}`);
  }
});

test('while AWS is busy, the request is repeated with a valid signature', async (t) => {
  const { run, server } = await begin(t, { busyAnswers: 3 });
  const { stderr, ...rest } = await run();
  resultOf({ stderr, ...rest });
  assert.equal(server.sessions.length, 1);
  const line =
    /is busy: ServiceUnavailableException \(HTTP status 503\): try later; trying again in [\d.]+ s \(\d\d s left\)/g;
  assert.equal(stderr.match(line)?.length, 3, stderr);
});

// test/connections/aws-session.test.ts checks when each request is sent.
test('if AWS stays busy, the run fails with the number of requests and writes nothing', async (t) => {
  const { job, run, server } = await begin(t, { busyAnswers: Infinity });
  const ended = await run(undefined, ['--deadline', '2']);
  const { length } = server.userAgents;
  assertRefused(ended, {
    code: 'AWS_UNREACHABLE',
    says: new RegExp(
      `is busy: ServiceUnavailable.*gave up after ${length} (?:try|tries) in [\\d.]+ s \\(--deadline 2\\)`,
    ),
  });
  assert.equal(server.sessions.length, 0);
  assert.deepEqual([...(await listing(job.destination)).keys()], ['.']);
});

test('clusters before 17 are reported as unsupported', async (t) => {
  const { run } = await begin(t, {}, older);
  assertRefused(await run(), { code: 'CLUSTER_UNSUPPORTED', says: /./ });
});

for (const [type, teleport] of [
  ['workload-identity-x509', NEWEST],
  ['spiffe-svid', '17.4.2'],
] as const) {
  test(`${type}: the bundle contains the authorities of federated trust domains if requested`, async (t) => {
    const cluster = teleport === NEWEST ? newest : of17;
    const job = await beginJob(t, cluster);
    const wish = type === 'spiffe-svid' ? 'svid: { path: /ci/deploy }' : 'selector: { name: ci-svid }';
    const [plain, federated] = [join(job.folder, 'plain'), join(job.folder, 'federated')];
    const { outputs } = resultOf(
      await runItems(cluster, job, [
        `type: ${type}, ${wish}, ${directory(plain)}`,
        `type: ${type}, ${wish}, include_federated_trust_bundles: true, ${directory(federated)}`,
      ]),
    );
    const own = await readFile(join(plain, 'svid_bundle.pem'), 'utf8');
    const all = await readFile(join(federated, 'svid_bundle.pem'), 'utf8');
    assert.ok(all.startsWith(own));
    assert.equal(all.match(/BEGIN CERTIFICATE/g)?.length, (own.match(/BEGIN CERTIFICATE/g)?.length ?? 0) + 2);
    assert.equal(outputs[0]?.notices, undefined);
    const note =
      /^the bundle of the trust domain "broken\.example\.org" cannot be read, so its authorities are left out/;
    assert.match(outputs[1]?.notices?.join() ?? '', note);
  });
}
