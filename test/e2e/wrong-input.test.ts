import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { clusterForFile } from './embedded-cluster.ts';
import { beginJob, type Job, type RunChanges } from './job.ts';
import { assertRunRefused, errorReport, type Refusal } from './refusal.ts';
import type { BundleRun } from './run-bundle.ts';

const cluster = await clusterForFile();

/** Exit code 2 means that nothing was contacted and nothing was written. */
async function assertWrongInput(
  t: test.TestContext,
  refusal: Refusal,
  args: (job: Job) => readonly string[],
  changes: RunChanges = {},
): Promise<BundleRun> {
  const job = await beginJob(t, cluster);
  await job.addFile('tbot.yaml', '');
  const run = await assertRunRefused(job, refusal, { args: args(job), changes });
  assert.equal(run.exitCode, 2);
  assert.deepEqual(cluster.records.all, []);
  return run;
}

async function runFile(t: test.TestContext, text: string): Promise<BundleRun> {
  const job = await beginJob(t, cluster);
  await job.addFile('tbot.yaml', text.replaceAll('PROXY', cluster.info.proxy));
  const run = await job.run(['run', '--config', 'tbot.yaml']);
  assert.deepEqual(cluster.records.all, []);
  return run;
}

test('all problems of a configuration file are reported together, with path and line', async (t) => {
  const run = await runFile(
    t,
    `version: v2
proxy_server: https://PROXY/
onboarding:
  join_method: github
  token: circleci-bot
certificate_ttl: soon
outputs:
  - type: identity
    ssh_config: maybe
    destination:
      type: directory
      path: ''
  - type: identiti
    destination: { type: memory }
`,
  );
  assert.equal(run.exitCode, 2);
  const { code, message, hint } = errorReport(run);
  assert.equal(code, 'CONFIG_INVALID');
  assert.match(hint, /nothing was contacted and nothing was written/);
  const places = [...message.matchAll(/tbot\.yaml line (\d+): ([\w.[\]]+):/g)].map(
    ([, line, path]) => `${String(line)} ${String(path)}`,
  );
  assert.deepEqual(places.sort(), [
    '12 outputs[0].destination.path',
    '13 outputs[1].type',
    '2 proxy_server',
    '4 onboarding.join_method',
    '6 certificate_ttl',
    '9 outputs[0].ssh_config',
  ]);
});

test('invalid YAML is rejected with its line', async (t) => {
  const run = await runFile(t, 'version: v2\noutputs: [\nonboarding: {token: x\n');
  assert.equal(run.exitCode, 2);
  const { code, message } = errorReport(run);
  assert.equal(code, 'CONFIG_INVALID');
  assert.match(message, /line \d/);
});

test('a duplicate key is rejected with its line', async (t) => {
  const run = await runFile(t, 'version: v2\nproxy_server: a.example.com:443\nproxy_server: PROXY\n');
  assert.equal(run.exitCode, 2);
  const { code, message } = errorReport(run);
  assert.equal(code, 'CONFIG_INVALID');
  assert.match(message, /line 3/);
  assert.match(message, /proxy_server/);
});

test('outputs of unsupported types are all rejected with type and line', async (t) => {
  const run = await runFile(
    t,
    `version: v2
proxy_server: PROXY
onboarding: { join_method: circleci, token: circleci-bot }
outputs:
  - type: identity
    destination: { type: directory, path: ./out }
  - type: kubernetes/argo-cd
    selectors: [{ name: k8s }]
  - type: identity
    destination: { type: kubernetes_secret, name: teleport }
`,
  );
  assert.equal(run.exitCode, 2);
  const { code, message } = errorReport(run);
  assert.equal(code, 'OUTPUT_UNSUPPORTED');
  assert.match(
    message,
    /outputs\[1\] \(line 7\): output type "kubernetes\/argo-cd" is not written by a CI job: .*"kubernetes\/v2"/,
  );
  assert.match(message, /outputs\[2\] \(line 9\): destination type "kubernetes_secret" is not written by a CI job: /);
  assert.doesNotMatch(message, /outputs\[0\]/);
});

test('a missing configuration file is named', async (t) => {
  await assertWrongInput(t, { code: 'CONFIG_UNREADABLE', says: /no-such\.yaml/, hint: /checkout/ }, () => [
    'run',
    '--config',
    'no-such.yaml',
  ]);
});

test('a run without address, token and destination reports what is missing', async (t) => {
  const { stderr } = await assertWrongInput(t, { code: 'CONFIG_INVALID', says: /--proxy-server/ }, () => ['run']);
  assert.match(stderr, /--token/);
  assert.match(stderr, /--destination/);
});

for (const [name, args, says] of [
  ['a flag that does not exist', ['--destinatoin', 'x'], /the command line is invalid/],
  ['a flag without its value', ['--token'], /the command line is invalid/],
  ['an argument without a flag', ['tbot.yaml'], /the command line is invalid/],
  [
    'a timeout that is no number',
    ['--timeout', 'soon'],
    /--timeout must be a number of seconds between 0.001 and 3600, got "soon"/,
  ],
  ['a timeout of zero', ['--timeout', '0'], /--timeout must be .*, got "0"/],
  ['a deadline that is too long', ['--deadline', '3601'], /--deadline must be .*, got "3601"/],
] as const) {
  test(`${name} is invalid input`, async (t) => {
    await assertWrongInput(t, { code: 'USAGE_INVALID', says }, (job) => [...job.flags, ...args]);
  });
}

test('all problems of the command line are listed', async (t) => {
  const { stderr } = await assertWrongInput(t, { code: 'USAGE_INVALID', says: /command line/ }, () => [
    'run',
    '--conf',
    'x',
    '--json=yes',
  ]);
  assert.match(stderr, /--conf.* is not a known flag; did you mean --config\?/);
  assert.match(stderr, /--json.*takes no value/);
});

for (const [name, contents, says] of [
  ['that is not there', undefined, /cannot read the CA file/],
  ['without a certificate', 'nothing to see\n', /contains no PEM certificate/],
  [
    'with a broken certificate',
    '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n',
    /contains an invalid certificate/,
  ],
] as const) {
  test(`a CA file ${name} is invalid input, as a flag and in SSL_CERT_FILE`, async (t) => {
    const folder = (await beginJob(t, cluster)).folder;
    const path = join(folder, 'ca.pem');
    await mkdir(folder, { recursive: true });
    if (contents !== undefined) await writeFile(path, contents);
    const refusal: Refusal = { code: 'CA_FILE_INVALID', says };
    await assertWrongInput(t, { ...refusal, hint: /--ca-file/ }, (job) => [...job.flags, '--ca-file', path]);
    await assertWrongInput(t, { ...refusal, hint: /SSL_CERT_FILE/ }, (job) => job.flags, {
      environment: { SSL_CERT_FILE: path },
    });
  });
}

test('an invalid configuration is reported before a missing OIDC token', async (t) => {
  await assertWrongInput(t, { code: 'CONFIG_INVALID', says: /--proxy-server/ }, () => ['run', '--token', 'x'], {
    environment: { CIRCLE_OIDC_TOKEN: undefined },
  });
});
