import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { z } from 'zod';
import { directory, itemsText, runItems, runOutputs } from './config-file.ts';
import { clusterForFile, misbehave } from './embedded-cluster.ts';
import type { AuthorityFault } from '../cluster/faults.ts';
import { listing } from './folder-listing.ts';
import { beginJob } from './job.ts';
import { missing, runProgram } from '../programs.ts';
import { assertRefused } from './refusal.ts';
import { resultOf } from './run-result.ts';

const cluster = await clusterForFile();
const CERTS = 'rpc:/proto.AuthService/GenerateUserCerts';

test('outputs that need no default roles do not request them', async (t) => {
  const job = await beginJob(t, cluster);
  resultOf(await runOutputs(cluster, job, [`roles: [access], ${directory(job.destination)}`]));
  assert.deepEqual(cluster.records.of('rpc:/proto.AuthService/GetRole'), []);
});

test('many outputs of all types are written in one run', async (t) => {
  const job = await beginJob(t, cluster);
  const kinds = [
    'type: identity',
    'type: kubernetes/v2, selectors: [{ name: dev }]',
    'type: workload-identity-jwt, audiences: [a], selector: { name: ci-svid }',
  ];
  const items = Array.from({ length: 12 }, (_, at) =>
    kinds.map((kind, which) => `${kind}, ${directory(`${job.folder}/${String(which)}-${String(at)}`)}`),
  ).flat();
  const { outputs } = resultOf(await runItems(cluster, job, items));
  assert.equal(outputs.length, 36);
  assert.ok(outputs.every(({ files }) => files.length > 0));
});

test('outputs with the same roles and lifetime look up their resources in one session', async (t) => {
  const job = await beginJob(t, cluster);
  const items = [
    'type: kubernetes, kubernetes_cluster: dev',
    'type: database, service: orders, database: sales, username: ci',
    'type: application, app_name: dashboard',
    'type: application, app_name: dashboard, credential_ttl: 30m, renewal_interval: 10m',
  ];
  resultOf(
    await runItems(
      cluster,
      job,
      items.map((item, at) => `${item}, ${directory(`${job.folder}/${String(at)}`)}`),
    ),
  );
  // One certificate for each output, and one for each of the two lifetimes.
  assert.equal(cluster.records.of(CERTS).length, 4 + 2);
  const connections = cluster.records.of('connection').filter(({ listener }) => listener === 'auth');
  assert.equal(connections.length, 1 + 2);
});

test('an output for a leaf cluster is routed there', async (t) => {
  const job = await beginJob(t, cluster);
  resultOf(await runOutputs(cluster, job, [`cluster: leaf.example.com, ${directory(job.destination)}`]));
  const routes = cluster.records.of(CERTS).map(({ fields }) => fields.routeToCluster);
  assert.equal(routes.at(-1), 'leaf.example.com');
});

test('an unknown leaf cluster is rejected, and the error lists the known ones', async (t) => {
  const job = await beginJob(t, cluster);
  const run = await runOutputs(cluster, job, [`cluster: leave.example.com, ${directory(job.destination)}`]);
  assertRefused(run, {
    code: 'LEAF_CLUSTER_UNKNOWN',
    says: /outputs\[0\] \(line 5\): cluster: example\.teleport\.test has no leaf cluster "leave\.example\.com"/,
    hint: /leaf\.example\.com/,
  });
  assert.deepEqual([...(await listing(job.destination)).keys()], ['.']);
});

test('only an output with allow_reissue gets certificates that can be reissued', async (t) => {
  const job = await beginJob(t, cluster);
  resultOf(
    await runOutputs(cluster, job, [
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

test('each output has its own lifetime, or the lifetime of the file', async (t) => {
  const job = await beginJob(t, cluster);
  const startMs = Date.now();
  const run = await runOutputs(
    cluster,
    job,
    [directory(`${job.folder}/a`), `credential_ttl: 20m, renewal_interval: 10m, ${directory(`${job.folder}/b`)}`],
    'certificate_ttl: 2h\nrenewal_interval: 1h\n',
  );
  const minutes = resultOf(run).outputs.map(({ expiresAt }) => Math.round((Date.parse(expiresAt) - startMs) / 60_000));
  assert.deepEqual(minutes, [120, 20]);
});

test('a lifetime that the cluster shortens is reported, but is not an error', async (t) => {
  const job = await beginJob(t, cluster);
  const { proxy } = cluster.info;
  const args = ['run', '--proxy-server', proxy, '--token', 'short-lived-bot', '--destination', job.destination];
  const startMs = Date.now();
  const run = await job.run(args);
  assert.equal(run.exitCode, 0, run.stderr);
  assert.match(run.stderr, /note: the cluster shortened the lifetime: requested until 2\S+Z, granted until 2\S+Z/);
  const expires = /^ {2}--destination +identity .* {2}(2\S+Z) {2}\//m.exec(run.stderr)?.[1] ?? '';
  const minutes = (Date.parse(expires) - startMs) / 60_000;
  assert.ok(minutes > 9 && minutes < 11, `${String(minutes)} minutes`);
});

test('roles that the bot cannot impersonate are rejected, with where to look', async (t) => {
  const job = await beginJob(t, cluster);
  for (const role of ['admin', 'no-such-role']) {
    assertRefused(await runOutputs(cluster, job, [`roles: [access, ${role}], ${directory(job.destination)}`]), {
      code: 'ROLE_DENIED',
      says: new RegExp(role),
      hint: /spec\.roles of the bot/,
    });
  }
});

test('a bot without roles gets a hint how to add roles', async (t) => {
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

test('if one output fails, the run fails with its error, and the others are written', async (t) => {
  const job = await beginJob(t, cluster);
  const run = await runOutputs(cluster, job, [
    directory(`${job.folder}/good`),
    `roles: [admin], ${directory(`${job.folder}/bad`)}`,
  ]);
  assertRefused(run, { code: 'ROLE_DENIED', says: /admin/ });
  assert.ok((await listing(join(job.folder, 'good'))).has('identity'));
  assert.deepEqual([...(await listing(join(job.folder, 'bad'))).keys()], ['.']);
});

test('several failed outputs are listed with their paths', async (t) => {
  const job = await beginJob(t, cluster);
  const run = await runOutputs(cluster, job, [
    `roles: [admin], ${directory(`${job.folder}/a`)}`,
    `cluster: nowhere.example.com, ${directory(`${job.folder}/b`)}`,
  ]);
  assertRefused(run, { code: 'OUTPUTS_FAILED', says: /2 of 2 outputs failed/ });
  assert.match(run.stderr, /outputs\[0\] \(line 5\): ROLE_DENIED: /);
  assert.match(run.stderr, /outputs\[1\] \(line 6\): LEAF_CLUSTER_UNKNOWN: /);
});

test('a run with one failed output shows the written outputs with their notes, and names the failed one', async (t) => {
  const job = await beginJob(t, cluster);
  const items = [
    `type: identity, ${directory(`${job.folder}/a`)}`,
    `type: identity, roles: [acess], ${directory(`${job.folder}/b`)}`,
    `type: identity, credential_ttl: 30h, renewal_interval: 1h, ${directory(`${job.folder}/c`)}`,
  ];
  await job.addFile('tbot.yaml', itemsText(cluster, items));
  const run = await job.run(['run', '-c', 'tbot.yaml', '--report', 'report.html']);
  assertRefused(run, { code: 'ROLE_DENIED', says: /^outputs\[1\] \(line 6\): .*acess/, hint: /Compare roles/ });
  assert.match(run.stderr, /^Wrote 2 of 3 outputs for /m);
  assert.match(run.stderr, new RegExp(`^  outputs\\[0\\] .* ${job.folder}/a \\(14 files\\)$`, 'm'));
  assert.match(run.stderr, /^ {2}outputs\[2\] .*\n {4}note: the cluster shortened the lifetime/m);
  const page = await readFile(join(job.checkout, 'report.html'), 'utf8');
  for (const part of [
    'outputs[1] (line 6)',
    'Compare roles',
    `${job.folder}/a`,
    'the cluster shortened the lifetime',
  ]) {
    assert.ok(page.includes(part), part);
  }
  assert.equal(await readFile(job.bashEnv, 'utf8'), '', 'a run that failed exports nothing');
});

test('with --json, such a run has the same facts in its object', async (t) => {
  const job = await beginJob(t, cluster);
  const run = await runOutputs(cluster, job, [
    directory(`${job.folder}/a`),
    `roles: [acess], ${directory(`${job.folder}/b`)}`,
    `cluster: nowhere.example.com, ${directory(`${job.folder}/c`)}`,
  ]);
  assert.equal(run.exitCode, 1);
  const Failed = z.object({ path: z.string(), line: z.int(), code: z.string(), hint: z.string() });
  const Result = z.object({ outputs: z.array(z.object({ path: z.string() })), failures: z.array(Failed) });
  const { failures, outputs } = Result.parse(JSON.parse(run.stdout));
  assert.deepEqual(outputs, [{ path: 'outputs[0]' }]);
  assert.deepEqual(
    failures.map(({ code, line, path }) => [path, line, code]),
    [
      ['outputs[1]', 6, 'ROLE_DENIED'],
      ['outputs[2]', 7, 'LEAF_CLUSTER_UNKNOWN'],
    ],
  );
  assert.notEqual(failures[0]?.hint, failures[1]?.hint);
});

const LOGINLESS = ['--token', 'loginless-bot'];

test('a certificate without a Unix login leads to a note about where to set one, unless ssh_config is off', async (t) => {
  const job = await beginJob(t, cluster);
  const args = ['run', '--proxy-server', cluster.info.proxy, ...LOGINLESS, '--destination', job.destination];
  const { exitCode, stderr } = await job.run(args);
  assert.equal(exitCode, 0, stderr);
  assert.match(stderr, /roles loginless; logins \(none\)/);
  assert.match(
    stderr,
    /note: ssh will be refused: .*tctl edit role\/loginless.*tctl bots update loginless --add-logins=USER/,
  );
  const asJson = await job.run([...args, '--json']);
  const [output] = resultOf(asJson).outputs;
  assert.deepEqual(output?.logins, []);
  assert.match(output.notices?.[0] ?? '', /spec\.allow\.logins/);
  assert.match(asJson.stderr, /^warning: --destination: ssh will be refused/m);
  const silent = await runOutputs(cluster, job, [`ssh_config: off, ${directory(job.destination)}`], '', LOGINLESS);
  assert.equal(resultOf(silent).outputs[0]?.notices, undefined);
  assert.doesNotMatch(silent.stderr, /ssh will be refused/);
});

test('the summary has the same logins as ssh-keygen', { skip: missing('ssh-keygen') }, async (t) => {
  const job = await beginJob(t, cluster);
  const [output] = resultOf(await job.run([...job.flags, '--json'])).outputs;
  const { stdout } = await runProgram('ssh-keygen', ['-L', '-f', join(job.destination, 'key-cert.pub')]);
  const principals = /Principals:([^]*)Critical/.exec(stdout)?.[1]?.trim().split(/\s+/);
  assert.deepEqual([...(output?.logins ?? []), '-teleport-internal-join'], principals);
});

for (const [type, keyTypes] of [
  ['database, service: orders, username: ci, database: orders', ['ec', 'rsa']],
  ['application, app_name: dashboard', ['ec', 'ec']],
  ['kubernetes, kubernetes_cluster: dev', ['ec', 'ec']],
] as const) {
  test(`each identity has its own key, of the same type as with tbot: type: ${type}`, async (t) => {
    const job = await beginJob(t, cluster);
    resultOf(await runItems(cluster, job, [`type: ${type}, ${directory(job.destination)}`]));
    const asked = cluster.records.of(CERTS).map(({ fields }) => fields);
    assert.deepEqual(
      asked.map(({ keyType }) => keyType),
      keyTypes,
    );
    assert.equal(new Set(asked.map(({ keyDigest }) => keyDigest)).size, 2);
    assert.deepEqual(
      asked.map(({ format }) => format),
      ['', ''],
    );
  });
}

const OWN = cluster.info.cluster;
const LEAF = 'leaf.example.com';
const EVERY_AUTHORITY_LIST = [
  'type: identity',
  'type: ssh_host, principals: [a.example.com], roles: [access]',
  'type: workload-identity-x509, selector: { name: ci-svid }',
];

for (const [fault, named] of [
  [
    'hostile-name',
    /^warning: the leaf cluster "\.\.\/evil Host \* \[2J" is skipped: its certificate authority has no usable cluster name$/m,
  ],
  [
    'tls-unreadable',
    /^warning: the leaf cluster "leaf\.example\.com" is skipped: a certificate from the cluster cannot be read/m,
  ],
  ['ssh-unreadable', /^warning: the leaf cluster "leaf\.example\.com" is skipped: the SSH public key cannot be read/m],
] as const satisfies readonly (readonly [AuthorityFault, RegExp])[]) {
  test(`a leaf cluster that is ${fault} is skipped, and named once`, async (t) => {
    const job = await beginJob(t, cluster);
    misbehave(t, cluster, { listedAuthorities: { of: LEAF, fault } });
    const items = EVERY_AUTHORITY_LIST.map((item, at) => `${item}, ${directory(join(job.folder, String(at)))}`);
    const run = await runItems(cluster, job, items);
    const { outputs } = resultOf(run);
    assert.match(run.stderr, named);
    assert.equal(run.stderr.match(/is skipped/g)?.length, 1);
    const files = outputs[0]?.files ?? [];
    assert.ok(files.includes(`${OWN}.ssh_config`));
    assert.ok(files.every((name) => !/leaf|evil/.test(name)));
  });

  test(`the own cluster being ${fault} is an error`, async (t) => {
    const job = await beginJob(t, cluster);
    misbehave(t, cluster, { listedAuthorities: { of: OWN, fault } });
    const run = await runItems(cluster, job, [`type: identity, ${directory(job.destination)}`]);
    assertRefused(run, { code: 'RESPONSE_INVALID', says: /no certificate authority of "example|cannot be read|SSH/ });
  });
}
