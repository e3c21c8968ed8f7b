import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { appendFile, chmod, mkdir, readdir, readFile, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type TestContext } from 'node:test';
import { planOf } from '../config/plan-of.ts';
import { directory, runItems } from './config-file.ts';
import { clusterForFile } from './embedded-cluster.ts';
import { exportedTo } from './exported.ts';
import { beginJob, type Job, type RunChanges } from './job.ts';
import { assertRefused } from './refusal.ts';
import type { BundleRun } from './run-bundle.ts';
import { resultOf, type RunResult } from './run-result.ts';
import { addTbot, type StandIn, tbotCall } from './tbot-stand-in.ts';

const cluster = await clusterForFile();

/** What tbot would write for these outputs: the files of this program, from another directory. */
async function nativeFiles(t: TestContext, outputs: readonly string[]): Promise<{ job: Job; result: RunResult }> {
  const job = await beginJob(t, cluster);
  const items = outputs.map((output, at) => `${output}, ${directory(join(job.folder, String(at)))}`);
  return { job, result: resultOf(await runItems(cluster, job, items)) };
}

interface Prepared {
  readonly job: Job;
  readonly native: RunResult;
  /** The destinations, in the order of the outputs. */
  readonly destinations: readonly string[];
  /** What tbot will write to them. */
  readonly sources: readonly string[];
  readonly run: (changes?: RunChanges, flags?: readonly string[]) => Promise<BundleRun>;
}

/** A job whose tbot writes these outputs, each given as the content of its flow mapping without the destination. */
async function jobWithTbot(t: TestContext, outputs: readonly string[], how: StandIn = {}): Promise<Prepared> {
  const { job: other, result: native } = await nativeFiles(t, outputs);
  const job = await beginJob(t, cluster);
  const destinations = outputs.map((_output, at) => join(job.folder, 'out', String(at)));
  const sources = outputs.map((_output, at) => join(other.folder, String(at)));
  const writes = Object.fromEntries(destinations.map((path, at) => [path, sources[at] ?? '']));
  await addTbot(job, { writes, ...how });
  const items = outputs.map((output, at) => `  - { ${output}, ${directory(destinations[at] ?? '')} }\n`);
  await job.addFile(
    'tbot.yaml',
    `version: v2
proxy_server: ${cluster.info.proxy}
onboarding: { join_method: circleci, token: ${cluster.info.joinToken} }
outputs:
${items.join('')}`,
  );
  const run = (changes: RunChanges = {}, flags: readonly string[] = ['--json']) =>
    job.run(['run', '-c', 'tbot.yaml', '--engine', 'tbot', ...flags], changes);
  return { job, native, destinations, sources, run };
}

const IDENTITY = 'type: identity';
const DATABASE = 'type: database, service: orders, username: ci, database: orders';
const ALL = [
  IDENTITY,
  'type: identity, ssh_config: off, roles: [access]',
  'type: application, app_name: dashboard, specific_tls_naming: true',
  DATABASE,
  'type: database, service: orders, username: ci, format: cockroach',
  'type: kubernetes, kubernetes_cluster: dev',
  'type: kubernetes/v2, selectors: [{ name: dev }]',
  'type: ssh_host, principals: [a.example.com], roles: [access]',
  'type: workload-identity-x509, selector: { name: ci-svid }, roles: [access]',
  'type: workload-identity-jwt, selector: { name: ci-svid }, audiences: [a], roles: [access]',
];

test('a run with tbot ends like one with this program: the same outputs, reported in the same way', async (t) => {
  const { destinations, native, run } = await jobWithTbot(t, ALL);
  const result = resultOf(await run());
  const facts = ({ bot, cluster: name, clusterVersion, joinMethod }: RunResult) => ({
    bot,
    name,
    clusterVersion,
    joinMethod,
  });
  assert.deepEqual(facts(result), facts(native));
  assert.equal(result.engine, 'tbot');
  assert.equal(result.joinPath, undefined);
  const sorted = (all: RunResult['outputs']) =>
    all.map(({ files, roles, ...output }) => ({ ...output, files: files.toSorted(), roles: roles.toSorted() }));
  assert.deepEqual(
    sorted(result.outputs),
    sorted(native.outputs.map((output, at) => ({ ...output, destination: destinations[at] ?? '' }))),
  );
});

test('later steps get the same as without tbot', async (t) => {
  const { destinations, job, native, run } = await jobWithTbot(t, [IDENTITY, DATABASE]);
  const [identity = '', database = ''] = destinations;
  resultOf(await run());
  const exported = await exportedTo(job);
  assert.equal(exported.TELEPORT_IDENTITY_FILE, join(identity, 'identity'));
  assert.equal(exported.TELEPORT_CLUSTER, native.cluster);
  assert.equal(exported.MACHINE_ID_EXPIRES_AT, native.outputs[0]?.expiresAt);
  assert.equal(exported.PGSSLKEY, join(database, 'key'));
  assert.deepEqual([exported.PGUSER, exported.PGDATABASE], ['ci', 'orders']);
});

test('the summary names the engine, and progress is logged', async (t) => {
  const { run } = await jobWithTbot(t, [IDENTITY], { says: ['INFO [TBOT] Generated output.\n'] });
  const { exitCode, stderr, stdout } = await run({}, []);
  assert.equal(exitCode, 0, stderr);
  assert.equal(stdout, '');
  assert.match(stderr, /\] cluster example\.teleport\.test, Teleport 18\.6\.0\nINFO \[TBOT\] Generated output\.\n/);
  assert.match(stderr, /^ {2}bot +ci\n {2}engine +tbot; its files were checked$/m);
});

test('cleanup removes what tbot has written, and nothing else', async (t) => {
  const { destinations, job, run } = await jobWithTbot(t, ALL);
  resultOf(await run());
  await writeFile(join(destinations[0] ?? '', 'notes'), 'mine');
  assert.equal((await job.run(['cleanup'])).exitCode, 0);
  assert.deepEqual(await readdir(join(job.folder, 'out')), ['0']);
  assert.deepEqual(await readdir(destinations[0] ?? ''), ['notes']);
  assert.deepEqual(await readdir(join(job.folder, '.teleport-machine-id')), []);
});

test('cleanup removes what a tbot that failed has left', async (t) => {
  const { job, run } = await jobWithTbot(t, [IDENTITY], { omits: ['identity'], exitCode: 1 });
  assertRefused(await run(), { code: 'TBOT_FAILED', says: /tbot ended with exit code 1/ });
  assert.equal((await job.run(['cleanup'])).exitCode, 0);
  assert.ok(!existsSync(join(job.folder, 'out')));
});

test('tbot gets the whole plan in a private file that is removed afterwards', async (t) => {
  const { job, run } = await jobWithTbot(t, [IDENTITY]);
  await addTbot(job, {});
  const kept = join(job.folder, 'elsewhere');
  const flags = ['--destination', kept, '--database', 'orders', '--credential-ttl', '20m', '--debug'];
  const { stderr } = await run({ environment: { TELEPORT_BOT_TOKEN: 'by-variable' } }, flags);
  assert.match(stderr, /TBOT_FAILED/, 'nothing was written');
  const { args, config, configMode } = await tbotCall(job);
  assert.deepEqual(args, ['start', '-c', args[2], '--oneshot']);
  assert.equal(configMode, '600');
  const path = args[2] ?? '';
  assert.ok(!existsSync(dirname(path)));
  const { address, certificateTtlMs, debug, outputs, settings, token } = await planOf(config);
  assert.deepEqual(
    { address: address.value, certificateTtlMs, debug, storage: settings.storage, token },
    {
      address: cluster.info.proxy,
      certificateTtlMs: 20 * 60_000,
      debug: true,
      storage: { type: 'memory' },
      token: 'by-variable',
    },
  );
  assert.deepEqual(
    outputs.map(({ type, ...output }) => [type, 'destination' in output ? output.destination : undefined]),
    [
      [
        'database',
        { type: 'directory', path: join(kept, 'database'), symlinks: 'try-secure', acls: 'try', readers: [] },
      ],
    ],
  );
});

test("tbot has the job's environment, but no variable that would take precedence over the file", async (t) => {
  const { job, run } = await jobWithTbot(t, [IDENTITY]);
  const environment = {
    TELEPORT_ANONYMOUS_TELEMETRY: '1',
    TBOT_USE_PROXY_ADDR: 'yes',
    TELEPORT_PROXY: cluster.info.proxy,
    TELEPORT_AUTH_SERVER: cluster.info.proxy,
    TELEPORT_BOT_TOKEN: cluster.info.joinToken,
    MACHINE_ID_DESTINATION: '/of/a/run/before',
  };
  resultOf(await run({ environment }));
  const { environment: seen } = await tbotCall(job);
  assert.equal(seen.TELEPORT_ANONYMOUS_TELEMETRY, '1');
  assert.equal(seen.TBOT_USE_PROXY_ADDR, 'yes');
  assert.equal(seen.SSL_CERT_FILE, cluster.info.webCa);
  assert.match(seen.CIRCLE_OIDC_TOKEN ?? '', /^eyJ/);
  for (const name of ['TELEPORT_PROXY', 'TELEPORT_AUTH_SERVER', 'TELEPORT_BOT_TOKEN'])
    assert.equal(seen[name], undefined);
});

test('tbot gets the OIDC token wherever it was found, and the authorities of --ca-file', async (t) => {
  const { job, run } = await jobWithTbot(t, [IDENTITY]);
  const token = await cluster.mint();
  const environment = { CIRCLE_OIDC_TOKEN: undefined, CIRCLE_OIDC_TOKEN_V2: token, SSL_CERT_FILE: undefined };
  await writeFile(join(job.checkout, 'ca.pem'), await readFile(cluster.info.webCa));
  resultOf(await run({ environment }, ['--json', '--ca-file', 'ca.pem']));
  const { environment: seen } = await tbotCall(job);
  assert.equal(seen.CIRCLE_OIDC_TOKEN, token);
  assert.equal(seen.SSL_CERT_FILE, join(job.checkout, 'ca.pem'));
});

test('the output of tbot is logged without secrets, whatever its chunks', async (t) => {
  const { run } = await jobWithTbot(t, [IDENTITY], { says: [] });
  resultOf(await run());
  const { job, run: again } = await jobWithTbot(t, [IDENTITY]);
  const token = await cluster.mint();
  await addTbot(job, { says: [`jwt ${token.slice(0, 40)}`, `${token.slice(40)} end\n`, 'ERROR: no\n'], exitCode: 1 });
  const result = await again({ environment: { CIRCLE_OIDC_TOKEN: token } });
  assertRefused(result, { code: 'TBOT_FAILED', says: /exit code 1/, hint: /See the output of tbot above/ });
  assert.match(result.stderr, /^jwt \[masked\] end\nERROR: no$/m);
});

test('with --log-format json tbot writes JSON lines too', async (t) => {
  const { job, run } = await jobWithTbot(t, [IDENTITY]);
  resultOf(await run({}, ['--json', '--log-format', 'json']));
  assert.deepEqual((await tbotCall(job)).args.slice(3), ['--oneshot', '--log-format', 'json']);
});

test('without tbot on PATH the hint says how to install it', async (t) => {
  const job = await beginJob(t, cluster);
  const run = await job.run([...job.flags.slice(0, 5), '--destination', job.destination, '--engine', 'tbot']);
  assertRefused(run, { code: 'TBOT_MISSING', says: /not on PATH/, hint: /install_tools with tools: tbot/ });
});

test('a tbot that cannot be executed, or is killed, is reported', async (t) => {
  const { job, run } = await jobWithTbot(t, [IDENTITY]);
  await chmod(join(job.folder, 'bin/tbot'), 0o644);
  assertRefused(await run(), { code: 'TBOT_MISSING', says: /cannot be started \(EACCES\)/ });
  await job.addProgram('tbot', 'kill -9 $$');
  assertRefused(await run(), { code: 'TBOT_FAILED', says: /was ended by SIGKILL/ });
});

test('the bot is not reported if no certificate contains its name', async (t) => {
  const { run } = await jobWithTbot(t, ['type: workload-identity-jwt, selector: { name: ci-svid }, audiences: [a]']);
  const { exitCode, stderr } = await run({}, []);
  assert.equal(exitCode, 0, stderr);
  assert.match(stderr, /through localhost:\d+ in \d+ ms\n {2}engine +tbot; its files were checked\n/);
  assert.doesNotMatch(stderr, /^ +roles/m);
});

test('an invalid file is rejected before tbot is started', async (t) => {
  const { job, run } = await jobWithTbot(t, [IDENTITY]);
  await appendFile(join(job.checkout, 'tbot.yaml'), 'certificate_ttl: soon\n');
  const refused = await run();
  assert.equal(refused.exitCode, 2);
  assertRefused(refused, { code: 'CONFIG_INVALID', says: /certificate_ttl/ });
  assert.ok(!existsSync(join(job.folder, 'tbot-call.json')));
});

test('an unknown engine is invalid input', async (t) => {
  const job = await beginJob(t, cluster);
  assertRefused(await job.run([...job.flags, '--engine', 'tbott']), { code: 'USAGE_INVALID', says: /native, tbot/ });
});

test('SIGTERM is passed on, and the run ends', async (t) => {
  const { job } = await jobWithTbot(t, [IDENTITY], { hangs: true });
  const { child, finished } = job.start(['run', '-c', 'tbot.yaml', '--engine', 'tbot']);
  while (!existsSync(join(job.folder, 'tbot-hangs')) && child.exitCode === null) await delay(5);
  const startMs = performance.now();
  child.kill('SIGTERM');
  assertRefused(await finished, { code: 'INTERRUPTED', says: /interrupted by SIGTERM/ });
  assert.ok(performance.now() - startMs < 3000);
  assert.ok(!existsSync(dirname((await tbotCall(job)).args[2] ?? '')));
});

test('every file that is missing or unchanged is named, with its output', async (t) => {
  const { destinations, run } = await jobWithTbot(t, [IDENTITY, DATABASE], { omits: ['identity', 'tlscert'] });
  const [identity = '', database = ''] = destinations;
  await mkdir(database, { recursive: true, mode: 0o700 });
  await writeFile(join(database, 'tlscert'), 'of a run before');
  await utimes(join(database, 'tlscert'), 1_000_000, 1_000_000);
  const refused = await run();
  assertRefused(refused, { code: 'TBOT_FAILED', says: /tbot ended without an error, but/, hint: /tbot/ });
  for (const line of [
    `outputs[0] (line 5): ${identity}/identity is missing`,
    `outputs[0] (line 5): ${identity}/tlscert is missing`,
    `outputs[1] (line 6): ${database}/identity is missing`,
    `outputs[1] (line 6): ${database}/tlscert existed before and was not written`,
  ]) {
    assert.ok(refused.stderr.includes(`${line}\n`), `${line} in:\n${refused.stderr}`);
  }
});

/** Other files instead of those that tbot would write. */
const swaps: readonly (readonly [
  what: string,
  output: string,
  other: string,
  files: readonly string[],
  says: RegExp,
])[] = [
  ['a key of another run', IDENTITY, IDENTITY, ['key'], /tlscert is for another key/],
  ['an SSH certificate of another run', IDENTITY, IDENTITY, ['key-cert.pub'], /key-cert\.pub is for another key/],
  [
    'an identity file of another run',
    IDENTITY,
    IDENTITY,
    ['identity'],
    /identity does not contain the certificate of tlscert/,
  ],
  [
    'certificates for no database',
    DATABASE,
    IDENTITY,
    ['key', 'tlscert', 'key-cert.pub', 'identity'],
    /tlscert is for no database/,
  ],
  [
    'certificates for another application',
    'type: application, app_name: dashboard',
    'type: application, app_name: wiki-k8s-tools',
    ['key', 'tlscert', 'key-cert.pub', 'identity'],
    /tlscert is not for the application dashboard/,
  ],
  [
    'certificates for no Kubernetes cluster',
    'type: kubernetes, kubernetes_cluster: dev',
    IDENTITY,
    ['key', 'tlscert', 'key-cert.pub', 'identity'],
    /tlscert is for no Kubernetes cluster/,
  ],
];

for (const [what, output, other, files, says] of swaps) {
  test(`${what} instead of a file of tbot is rejected`, async (t) => {
    const { run, sources } = await jobWithTbot(t, [output]);
    const { job: donor } = await nativeFiles(t, [other]);
    for (const name of files) {
      await writeFile(join(sources[0] ?? '', name), await readFile(join(donor.folder, '0', name)));
    }
    assertRefused(await run(), { code: 'TBOT_FAILED', says });
  });
}

test('invalid certificates and keys are reported', async (t) => {
  for (const [name, says] of [
    ['tlscert', /out\/0\/tlscert cannot be used: .*certificate/],
    ['key', /out\/0\/key cannot be used: the private key cannot be read/],
    ['key-cert.pub', /out\/0\/key-cert\.pub cannot be used: .*SSH certificate/],
  ] as const) {
    const { run, sources } = await jobWithTbot(t, [IDENTITY]);
    await writeFile(join(sources[0] ?? '', name), 'nonsense\n');
    assertRefused(await run(), { code: 'TBOT_FAILED', says });
  }
});

test('a shorter lifetime than requested is reported', async (t) => {
  const { run } = await jobWithTbot(t, [IDENTITY]);
  const { exitCode, stderr } = await run({}, ['--credential-ttl', '3h']);
  assert.equal(exitCode, 0, stderr);
  assert.match(stderr, /note: the cluster shortened the lifetime/);
});

test('links to files are followed where the output allows them', async (t) => {
  const job = await beginJob(t, cluster);
  const { job: other } = await nativeFiles(t, [IDENTITY]);
  await mkdir(job.destination, { mode: 0o700 });
  await symlink(join(job.folder, 'real-key'), join(job.destination, 'key'));
  await addTbot(job, { writes: { [job.destination]: join(other.folder, '0') } });
  const start = async (symlinks: string) => {
    const output = `type: identity, ${directory(job.destination, `, symlinks: ${symlinks}`)}`;
    return runItems(cluster, job, [output], '', ['--engine', 'tbot']);
  };
  assertRefused(await start('try-secure'), { code: 'TBOT_FAILED', says: /key cannot be read: .*link/ });
  resultOf(await start('insecure'));
  assert.equal((await job.run(['cleanup'])).exitCode, 0);
  assert.ok(!existsSync(join(job.folder, 'real-key')));
});

const KUBERNETES = 'type: kubernetes/v2, selectors: [{ name: dev }]';

test('if tbot does not write a file of one output, the others are shown as written', async (t) => {
  const { run } = await jobWithTbot(t, [IDENTITY, KUBERNETES], { omits: ['kubeconfig.yaml'] });
  const refused = await run({}, []);
  assertRefused(refused, { code: 'TBOT_FAILED', says: /outputs\[1\] \(line 6\): .*kubeconfig\.yaml is missing/ });
  assert.match(refused.stderr, /^Wrote 1 of 2 outputs for /m);
  assert.match(refused.stderr, /^ {2}outputs\[0\] +identity +roles .*; logins root, ci.* \(14 files\)$/m);
});

test('files that a failed tbot has written are shown', async (t) => {
  const { run } = await jobWithTbot(t, [IDENTITY], { exitCode: 1 });
  const refused = await run({}, []);
  assertRefused(refused, { code: 'TBOT_FAILED', says: /tbot ended with exit code 1/ });
  assert.match(refused.stderr, /^Wrote 1 output for /m);
});

test('names that two kubeconfigs share are a warning', async (t) => {
  const { run } = await jobWithTbot(t, [KUBERNETES, KUBERNETES]);
  const { stderr } = await run();
  assert.match(stderr, /warning: outputs\[1\] and outputs\[0\] both define the context example\.teleport\.test-dev/);
});
