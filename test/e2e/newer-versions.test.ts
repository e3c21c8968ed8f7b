/** Teleport 19, and versions that do not exist yet. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import test, { after, type TestContext } from 'node:test';
import { runItems } from './config-file.ts';
import { clusterIn, directoryFor, type ClusterWish } from './embedded-cluster.ts';
import { beginJob, type Job } from './job.ts';
import { assertRefused, assertRunRefused } from './refusal.ts';
import { resultOf } from './run-result.ts';
import { addTbot } from './tbot-stand-in.ts';

const authorities = await directoryFor({ after });

async function jobOn(t: TestContext, wish: ClusterWish) {
  const cluster = await clusterIn(authorities, t, wish);
  return { cluster, job: await beginJob(t, cluster) };
}

test('a cluster without the registration endpoint is joined with its join service', async (t) => {
  const { cluster, job } = await jobOn(t, { teleport: '19.0.0', registrationEndpoint: false });
  assert.equal(resultOf(await job.run([...job.flags, '--json'])).joinPath, 'join-service');
  assert.equal(cluster.records.of('legacy-join').length, 0);
});

test('a join service that does not support CircleCI is replaced by the endpoint on 19 too', async (t) => {
  const { job } = await jobOn(t, { teleport: '19.0.0', circleciInJoinService: false });
  assert.equal(resultOf(await job.run([...job.flags, '--json'])).joinPath, 'legacy');
});

test('a cluster without both endpoints is not reported as a rejection, and the error quotes its join service', async (t) => {
  const wish = { teleport: '19.0.0', registrationEndpoint: false, circleciInJoinService: false };
  const { cluster, job } = await jobOn(t, wish);
  const run = await job.run(job.flags);
  assert.match(
    run.stderr,
    /^error: the join service of the Proxy cannot be used \(join method circleci is not implemented\), and the Proxy has no registration endpoint$/m,
  );
  assert.match(run.stderr, /^hint: Upgrade the cluster .*\ncode: JOIN_FAILED$/m);
  assert.equal(run.exitCode, 1);
  assert.equal(cluster.records.of('unknown-route').length, 1, 'a path that does not exist is asked for once');
});

for (const [teleport, tested] of [
  ['19.0.0', true],
  ['19.4.2', true],
  ['19.0.0-alpha', false],
  ['20.1.0', false],
] as const) {
  test(`Teleport ${teleport} is joined, and doctor ${tested ? 'knows it' : 'says that it is newer than tested'}`, async (t) => {
    const { job } = await jobOn(t, { teleport });
    const result = resultOf(await job.run([...job.flags, '--json']));
    assert.equal(result.clusterVersion, teleport);
    assert.ok(existsSync(join(job.destination, 'identity')));
    const doctor = await job.run(['doctor', ...job.flags.slice(1)]);
    assert.equal(doctor.exitCode, 0, doctor.stdout);
    assert.match(doctor.stdout, new RegExp(`Proxy .* Teleport ${teleport.replaceAll('.', '\\.')}`));
    assert.equal(doctor.stdout.includes('newer than tested (19.0.0)'), !tested, doctor.stdout);
  });
}

const REMOVED: readonly (readonly [name: string, file: (job: Job) => string, says: RegExp])[] = [
  [
    'an output',
    ({ destination }) =>
      `outputs:\n  - type: identity\n    roles: [access]\n    destination: { type: directory, path: '${destination}' }\n`,
    /^outputs\[0\]\.roles \(line \d+\): the key "roles" was removed in Teleport 19, and the cluster example\.teleport\.test runs 19\.0\.0$/,
  ],
  [
    'a service that a run leaves out',
    () => `services:\n  - { type: application-tunnel, listen: 'tcp://127.0.0.1:0', app_name: a, roles: [access] }\n`,
    /^services\[0\]\.roles \(line \d+\): the key "roles" was removed/,
  ],
];

for (const engine of ['native', 'tbot']) {
  for (const [name, file, says] of REMOVED) {
    test(`roles of ${name} fail a run with ${engine} on 19, and nothing is written`, async (t) => {
      const { cluster, job } = await jobOn(t, { teleport: '19.0.0' });
      await addTbot(job, { version: '18.6.0' });
      await job.addFile('tbot.yaml', fileWith(cluster.info, file(job)));
      await assertRunRefused(
        job,
        { code: 'CLUSTER_UNSUPPORTED', says, hint: /Remove "roles"/ },
        { args: ['run', '-c', 'tbot.yaml', '--engine', engine] },
      );
      assert.equal(cluster.records.of('rpc:/proto.AuthService/GenerateUserCerts').length, 0);
    });
  }
}

test('all such keys are reported together, also in a v1 file and by doctor', async (t) => {
  const { cluster, job } = await jobOn(t, { teleport: '19.0.0' });
  const { joinToken, proxy } = cluster.info;
  await job.addFile(
    'v1.yaml',
    `auth_server: ${proxy}
onboarding: { join_method: circleci, token: ${joinToken} }
destinations:
  - { directory: '${join(job.folder, 'one')}', roles: [access] }
  - { directory: '${join(job.folder, 'two')}' }
  - { directory: '${join(job.folder, 'three')}', roles: [deployer] }
`,
  );
  const both = /destinations\[0\]\.roles \(line 4\)[^]*destinations\[2\]\.roles \(line 6\)/;
  assertRefused(await job.run(['run', '-c', 'v1.yaml']), { code: 'CLUSTER_UNSUPPORTED', says: both });
  const doctor = await job.run(['doctor', '-c', 'v1.yaml']);
  assert.match(doctor.stdout, /^fail {2}Removed keys[^]*destinations\[0\]\.roles[^]*destinations\[2\]\.roles/m);
  assert.equal(doctor.exitCode, 1);
});

test('roles work up to 18', async (t) => {
  const { cluster, job } = await jobOn(t, { teleport: '18.6.0' });
  const item = `type: identity, roles: [access], destination: { type: directory, path: '${job.destination}' }`;
  const [output] = resultOf(await runItems(cluster, job, [item])).outputs;
  assert.deepEqual(output?.roles, ['access']);
});

function fileWith({ joinToken, proxy }: { readonly joinToken: string; readonly proxy: string }, rest: string): string {
  return `version: v2\nproxy_server: ${proxy}\nonboarding: { join_method: circleci, token: ${joinToken} }\n${rest}`;
}
