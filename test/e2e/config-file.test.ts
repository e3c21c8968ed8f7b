import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { directory, runFile, runOutputs } from './config-file.ts';
import { clusterForFile } from './embedded-cluster.ts';
import { beginJob } from './job.ts';
import { resultOf } from './run-result.ts';

const cluster = await clusterForFile();
const CERTS = 'rpc:/proto.AuthService/GenerateUserCerts';

test('all outputs and services of a v2 file are written in one run with one join', async (t) => {
  const job = await beginJob(t, cluster);
  const run = await runOutputs(
    cluster,
    job,
    [directory(`${job.folder}/all`), `roles: [access], ${directory(`${job.folder}/access`)}`],
    `services:
  - { type: identity, roles: [deployer], ssh_config: off, ${directory(`${job.folder}/deployer`)} }
  - { type: ssh-multiplexer, destination: { type: directory, path: ./mux } }
`,
  );
  const result = resultOf(run);
  assert.deepEqual(
    result.outputs.map(({ destination, roles }) => [destination, roles]),
    [
      [join(job.folder, 'all'), ['access', 'deployer']],
      [join(job.folder, 'access'), ['access']],
      [join(job.folder, 'deployer'), ['deployer']],
    ],
  );
  assert.ok(!result.outputs[2]?.files.some((name) => name.includes('ssh_config') || name.includes('known_hosts')));
  assert.equal(cluster.records.of('join-service').length, 1);
  assert.deepEqual(
    cluster.records
      .of(CERTS)
      .map(({ fields }) => String(fields.roles))
      .sort(),
    ['access', 'access,deployer', 'deployer'],
  );
  assert.match(run.stderr, /^warning: .*ssh-multiplexer/m);
});

test('a v1 file is migrated and works', async (t) => {
  const job = await beginJob(t, cluster);
  const run = await runFile(
    job,
    `auth_server: ${cluster.info.proxy}
onboarding:
  join_method: circleci
  token: ${cluster.info.joinToken}
storage: { memory: true }
destinations:
  - directory: ${job.folder}/first
    roles: [deployer]
  - directory: { path: ${job.folder}/second, symlinks: secure }
`,
  );
  assert.deepEqual(
    resultOf(run).outputs.map(({ destination, roles }) => [destination, roles]),
    [
      [join(job.folder, 'first'), ['deployer']],
      [join(job.folder, 'second'), ['access', 'deployer']],
    ],
  );
  assert.match(run.stderr, /^warning: .*version/m);
});

test('an unknown key is a warning with its line and the likely key', async (t) => {
  const job = await beginJob(t, cluster);
  const run = await runOutputs(cluster, job, [`rolse: [access], ${directory(job.destination)}`]);
  resultOf(run);
  assert.match(run.stderr, /^warning: \S*tbot\.yaml line 5: .*rolse.*roles/m);
});

test('flags and variables take precedence over the file', async (t) => {
  const job = await beginJob(t, cluster);
  const path = await job.addFile(
    'tbot.yaml',
    `version: v2
proxy_server: localhost:1
onboarding: { join_method: circleci, token: no-such-token }
outputs: [{ type: identity, ${directory('./never')} }]
`,
  );
  const run = await job.run(['run', '-c', path, '--destination', job.destination, '--json'], {
    environment: { TELEPORT_PROXY: cluster.info.proxy, TELEPORT_BOT_TOKEN: cluster.info.joinToken },
  });
  assert.deepEqual(
    resultOf(run).outputs.map(({ destination }) => destination),
    [job.destination],
  );
});
