import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { clusterForFile } from './embedded-cluster.ts';
import { listing, modeOf } from './folder-listing.ts';
import { beginJob, type Job } from './job.ts';
import { runProgram } from '../programs.ts';
import { assertRefused, assertRunRefused } from './refusal.ts';
import { resultOf } from './run-result.ts';

const cluster = await clusterForFile();
const { proxy, joinToken } = cluster.info;

const NAMES = [
  'TELEPORT_PROXY',
  'TELEPORT_AUTH_SERVER',
  'TELEPORT_CLUSTER',
  'TELEPORT_IDENTITY_FILE',
  'TF_TELEPORT_ADDR',
  'TF_TELEPORT_IDENTITY_FILE_PATH',
  'MACHINE_ID_DESTINATION',
  'MACHINE_ID_EXPIRES_AT',
] as const;

/** The environment of a later step: CircleCI starts each in a new bash, which first reads `$BASH_ENV`. */
async function exported({ bashEnv }: Job): Promise<Readonly<Record<string, string | undefined>>> {
  const script = `set -eu; . "$1"; shift; for name; do printf '%s\\0' "\${!name-}"; done`;
  const { exitCode, stdout, stderr } = await runProgram('bash', ['-c', script, 'later-step', bashEnv, ...NAMES]);
  assert.equal(exitCode, 0, stderr);
  const values = stdout.split('\0');
  return Object.fromEntries(NAMES.map((name, at) => [name, values[at]]));
}

test('later steps have the cluster, the identity file and its expiry in their environment', async (t) => {
  const job = await beginJob(t, cluster);
  const result = resultOf(await job.run([...job.flags, '--json']));
  assert.deepEqual(await exported(job), {
    TELEPORT_PROXY: proxy,
    TELEPORT_AUTH_SERVER: proxy,
    TELEPORT_CLUSTER: cluster.info.cluster,
    TELEPORT_IDENTITY_FILE: join(job.destination, 'identity'),
    TF_TELEPORT_ADDR: proxy,
    TF_TELEPORT_IDENTITY_FILE_PATH: join(job.destination, 'identity'),
    MACHINE_ID_DESTINATION: job.destination,
    MACHINE_ID_EXPIRES_AT: result.outputs[0]?.expiresAt,
  });
  assert.equal(await modeOf(job.bashEnv), '0600');
});

test('the exports contain names and paths, but no credentials', async (t) => {
  const job = await beginJob(t, cluster);
  resultOf(await job.run([...job.flags, '--json']));
  const text = await readFile(job.bashEnv, 'utf8');
  assert.doesNotMatch(text, /BEGIN|eyJ|-cert-v01/);
  const names = [...text.matchAll(/^export (\w+)=/gm)].map(([, name]) => name);
  assert.deepEqual(names, [...NAMES]);
});

for (const name of [
  'with blanks in it',
  `quote's "and" more`,
  'price $5 (10%) $',
  'semi;colon & ampersand | pipe',
  'back\\slash',
  'grün',
]) {
  test(`a destination named ${JSON.stringify(name)} reaches later steps unchanged`, async (t) => {
    const job = await beginJob(t, cluster);
    const destination = join(job.folder, name);
    const run = await job.run([
      'run',
      '--proxy-server',
      proxy,
      '--token',
      joinToken,
      '--destination',
      destination,
      '--json',
    ]);
    assert.equal(resultOf(run).outputs[0]?.destination, destination);
    const found = await exported(job);
    assert.equal(found.MACHINE_ID_DESTINATION, destination);
    assert.match(await readFile(found.TELEPORT_IDENTITY_FILE ?? '', 'utf8'), /^-----BEGIN/);
    assert.ok(![...(await listing(job.folder)).keys()].some((path) => path.endsWith('pwned')));
  });
}

test('exports of other steps are kept, even without a line break at the end', async (t) => {
  const job = await beginJob(t, cluster);
  await writeFile(job.bashEnv, 'export TELEPORT_HOME=/elsewhere\nexport OTHER=1');
  resultOf(await job.run([...job.flags, '--json']));
  assert.ok((await readFile(job.bashEnv, 'utf8')).startsWith('export TELEPORT_HOME=/elsewhere\nexport OTHER=1\n'));
  assert.equal((await exported(job)).TELEPORT_PROXY, proxy);
});

test('--no-export does not need or change $BASH_ENV', async (t) => {
  const job = await beginJob(t, cluster);
  const run = await job.run([...job.flags, '--no-export']);
  assert.equal(run.exitCode, 0, run.stderr);
  assert.doesNotMatch(run.stderr, /exported/);
  assert.equal((await listing(job.bashEnv)).size, 0);
  resultOf(await job.run([...job.flags, '--no-export', '--json'], { environment: { BASH_ENV: undefined } }));
});

test('without $BASH_ENV, the run fails before anything is contacted, and names the flag', async (t) => {
  const job = await beginJob(t, cluster);
  for (const BASH_ENV of [undefined, '']) {
    assertRefused(await job.run(job.flags, { environment: { BASH_ENV } }), {
      code: 'BASH_ENV_UNWRITABLE',
      says: /BASH_ENV is not set/,
      hint: /--no-export/,
    });
  }
  assert.deepEqual(cluster.records.all, []);
  assert.equal((await listing(job.destination)).size, 0);
});

test('an unwritable $BASH_ENV fails the run before anything is contacted', async (t) => {
  const job = await beginJob(t, cluster);
  const path = join(job.folder, 'no-such-folder', 'env');
  await assertRunRefused(
    job,
    { code: 'BASH_ENV_UNWRITABLE', says: /no-such-folder\/env, the file that BASH_ENV names/, hint: /--no-export/ },
    { changes: { environment: { BASH_ENV: path } } },
  );
  assert.deepEqual(cluster.records.all, []);
});

test('a run without files on disk exports the cluster and no identity', async (t) => {
  const job = await beginJob(t, cluster);
  resultOf(await job.run(['run', '--proxy-server', proxy, '--token', joinToken, '--destination', 'memory:', '--json']));
  const found = await exported(job);
  assert.equal(found.TELEPORT_CLUSTER, cluster.info.cluster);
  assert.equal(found.TELEPORT_IDENTITY_FILE, '');
});

test('exports of a first run do not make a second run with another file join the first cluster', async (t) => {
  const first = await beginJob(t, cluster);
  resultOf(await first.run([...first.flags, '--json']));
  const environment = {
    ...(await exported(first)),
    TELEPORT_PROXY: 'localhost:1',
    TELEPORT_AUTH_SERVER: 'localhost:1',
  };
  const file = await first.addFile(
    'second.yaml',
    `version: v2
proxy_server: ${proxy}
onboarding: { join_method: circleci, token: ${joinToken} }
outputs: [{ type: identity, destination: { type: directory, path: ${first.folder}/second } }]
`,
  );
  const result = resultOf(await first.run(['run', '-c', file, '--json'], { environment }));
  assert.equal(result.outputs[0]?.destination, join(first.folder, 'second'));
});
