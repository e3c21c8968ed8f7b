import assert from 'node:assert/strict';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { clusterForFile, misbehave } from './embedded-cluster.ts';
import { listing } from './folder-listing.ts';
import { beginJob, type Job } from './job.ts';
import { assertRefused } from './refusal.ts';
import type { BundleRun } from './run-bundle.ts';
import { resultOf } from './run-result.ts';

const cluster = await clusterForFile();
const CERTS = 'rpc:/proto.AuthService/GenerateUserCerts';

/** A v2 file with these outputs, each given as the YAML of one flow mapping's inside. */
function runOutputs(job: Job, outputs: readonly string[], rest = ''): Promise<BundleRun> {
  return runFile(
    job,
    `version: v2
proxy_server: ${cluster.info.proxy}
onboarding: { join_method: circleci, token: ${cluster.info.joinToken} }
outputs:
${outputs.map((output) => `  - { type: identity, ${output} }\n`).join('')}
${rest}
`,
  );
}

async function runFile(job: Job, text: string): Promise<BundleRun> {
  return job.run(['run', '-c', await job.addFile('tbot.yaml', text), '--json']);
}

function directory(path: string, more = ''): string {
  return `destination: { type: directory, path: ${path}${more} }`;
}

test('every output and service of a v2 file is written in one run, by one join', async (t) => {
  const job = await beginJob(t, cluster);
  const run = await runOutputs(
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

test('outputs that need no default roles do not ask for them', async (t) => {
  const job = await beginJob(t, cluster);
  resultOf(await runOutputs(job, [`roles: [access], ${directory(job.destination)}`]));
  assert.deepEqual(cluster.records.of('rpc:/proto.AuthService/GetRole'), []);
});

test('a file of the first format is migrated and works', async (t) => {
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

test('a key that nobody knows is a warning with its line and the key that was meant', async (t) => {
  const job = await beginJob(t, cluster);
  const run = await runOutputs(job, [`rolse: [access], ${directory(job.destination)}`]);
  resultOf(run);
  assert.match(run.stderr, /^warning: \S*tbot\.yaml line 5: .*rolse.*roles/m);
});

test('flags win over the file, variables too', async (t) => {
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

test('an output for a leaf cluster is routed there', async (t) => {
  const job = await beginJob(t, cluster);
  resultOf(await runOutputs(job, [`cluster: leaf.example.com, ${directory(job.destination)}`]));
  const routes = cluster.records.of(CERTS).map(({ fields }) => fields.routeToCluster);
  assert.equal(routes.at(-1), 'leaf.example.com');
});

test('a leaf cluster that does not exist is refused with the ones that do', async (t) => {
  const job = await beginJob(t, cluster);
  const run = await runOutputs(job, [`cluster: leave.example.com, ${directory(job.destination)}`]);
  assertRefused(run, {
    code: 'LEAF_UNKNOWN',
    says: /outputs\[0\]\.cluster: example\.teleport\.test has no leaf cluster "leave\.example\.com"/,
    hint: /leaf\.example\.com/,
  });
  assert.deepEqual([...(await listing(job.destination)).keys()], ['.']);
});

test('only an output that allows it gets certificates that may be issued again', async (t) => {
  const job = await beginJob(t, cluster);
  resultOf(
    await runOutputs(job, [
      `roles: [access], ${directory(`${job.folder}/a`)}`,
      `roles: [deployer], allow_reissue: true, ${directory(`${job.folder}/b`)}`,
    ]),
  );
  const asked = cluster.records.of(CERTS).map(({ fields }) => [String(fields.roles), fields.reissuable]);
  assert.deepEqual(asked.sort(), [
    ['access', false],
    ['deployer', true],
  ]);
});

test('each output has the lifetime that it asks for, else the one of the file', async (t) => {
  const job = await beginJob(t, cluster);
  const startMs = Date.now();
  const run = await runOutputs(
    job,
    [directory(`${job.folder}/a`), `credential_ttl: 20m, renewal_interval: 10m, ${directory(`${job.folder}/b`)}`],
    'certificate_ttl: 2h\nrenewal_interval: 1h\n',
  );
  const minutes = resultOf(run).outputs.map(({ expiresAt }) => Math.round((Date.parse(expiresAt) - startMs) / 60_000));
  assert.deepEqual(minutes, [120, 20]);
});

test('a lifetime that the cluster shortens is reported and no error', async (t) => {
  const job = await beginJob(t, cluster);
  const { proxy } = cluster.info;
  const args = ['run', '--proxy-server', proxy, '--token', 'short-lived-bot', '--destination', job.destination];
  const startMs = Date.now();
  const run = await job.run(args);
  assert.equal(run.exitCode, 0, run.stderr);
  assert.match(run.stderr, /note +the cluster shortened the lifetime: asked until 2\S+Z, given until 2\S+Z/);
  const expires = /expires +(2\S+)/.exec(run.stderr)?.[1] ?? '';
  const minutes = (Date.parse(expires) - startMs) / 60_000;
  assert.ok(minutes > 9 && minutes < 11, `${String(minutes)} minutes`);
});

test('roles that the bot may not impersonate are refused, with the place to look', async (t) => {
  const job = await beginJob(t, cluster);
  for (const role of ['admin', 'no-such-role']) {
    assertRefused(await runOutputs(job, [`roles: [access, ${role}], ${directory(job.destination)}`]), {
      code: 'ROLE_DENIED',
      says: new RegExp(role),
      hint: /spec\.roles of the bot/,
    });
  }
});

test('a bot without roles is told how to get some', async (t) => {
  const job = await beginJob(t, cluster);
  const args = [
    'run',
    '--proxy-server',
    cluster.info.proxy,
    '--token',
    'roleless-bot',
    '--destination',
    job.destination,
  ];
  assertRefused(await job.run(args), {
    code: 'ROLE_DENIED',
    says: /bot roleless has no roles/,
    hint: /tctl bots update roleless --add-roles/,
  });
});

test('one output that fails ends the run with its own error, and the others are written', async (t) => {
  const job = await beginJob(t, cluster);
  const run = await runOutputs(job, [
    directory(`${job.folder}/good`),
    `roles: [admin], ${directory(`${job.folder}/bad`)}`,
  ]);
  assertRefused(run, { code: 'ROLE_DENIED', says: /admin/ });
  assert.ok((await listing(join(job.folder, 'good'))).has('identity'));
  assert.deepEqual([...(await listing(join(job.folder, 'bad'))).keys()], ['.']);
});

test('several outputs that fail are listed with their places', async (t) => {
  const job = await beginJob(t, cluster);
  const run = await runOutputs(job, [
    `roles: [admin], ${directory(`${job.folder}/a`)}`,
    `cluster: nowhere.example.com, ${directory(`${job.folder}/b`)}`,
  ]);
  assertRefused(run, { code: 'OUTPUTS_FAILED', says: /2 of 2 outputs failed/ });
  assert.match(run.stderr, /outputs\[0\] \(line 5\): ROLE_DENIED: /);
  assert.match(run.stderr, /outputs\[1\] \(line 6\): LEAF_UNKNOWN: /);
});

test('an output to memory proves the join and leaves nothing on disk', async (t) => {
  const job = await beginJob(t, cluster);
  const result = resultOf(await runOutputs(job, ['destination: { type: memory }']));
  assert.deepEqual(
    result.outputs.map(({ destination, files }) => ({ destination, files })),
    [{ destination: 'memory', files: [] }],
  );
  assert.deepEqual([...(await listing(job.checkout)).keys()], ['.', 'tbot.yaml']);
});

test('a relative destination lies in the working directory, and a warning says what that means', async (t) => {
  const job = await beginJob(t, cluster);
  const run = await runOutputs(job, [directory('./some/where')]);
  assert.equal(resultOf(run).outputs[0]?.destination, join(job.checkout, 'some/where'));
  assert.match(run.stderr, /^warning: .*some\/where lies in the working directory: caches, workspaces and artifacts/m);
  const found = await listing(join(job.checkout, 'some'));
  assert.equal(found.get('.'), '0700 directory');
  assert.equal(found.get('where'), '0700 directory');
});

test('a second run replaces every file of the first', async (t) => {
  const job = await beginJob(t, cluster);
  resultOf(await job.run([...job.flags, '--json']));
  const first = await listing(job.destination);
  resultOf(await job.run([...job.flags, '--json']));
  const second = await listing(job.destination);
  assert.deepEqual([...second.keys()], [...first.keys()]);
  for (const name of ['identity', 'key', 'key.pub', 'key-cert.pub', 'tlscert']) {
    assert.notEqual(second.get(name), first.get(name), name);
  }
  assert.equal(second.get('known_hosts'), first.get('known_hosts'));
});

test('a second run that fails at its last answer leaves every file of the first', async (t) => {
  const job = await beginJob(t, cluster);
  resultOf(await job.run([...job.flags, '--json']));
  const before = await listing(job.folder);
  misbehave(t, cluster, { outputCertificates: 'ssh-for-other-key' });
  assertRefused(await job.run(job.flags), { code: 'CERTIFICATE_MISMATCH', says: /another key/ });
  assert.deepEqual(await listing(job.folder), before);
});

test('a symbolic link is followed only where the file says that it is meant', async (t) => {
  const job = await beginJob(t, cluster);
  const [target, link] = [join(job.folder, 'target'), join(job.folder, 'link')];
  await mkdir(target, { mode: 0o700 });
  await symlink(target, link);
  for (const mode of ['secure', 'try-secure']) {
    assertRefused(await runOutputs(job, [directory(link, `, symlinks: ${mode}`)]), {
      code: 'DESTINATION_UNSAFE',
      says: /link is a symbolic link/,
      hint: /symlinks: insecure/,
    });
    assert.deepEqual(cluster.records.all, []);
  }
  resultOf(await runOutputs(job, [directory(link, ', symlinks: insecure')]));
  assert.ok((await listing(target)).has('identity'));
});
