import assert from 'node:assert/strict';
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { z } from 'zod';
import { RUN_FLAGS } from '../../src/commands/run-flags.ts';
import { clusterForFile } from './embedded-cluster.ts';
import { listing } from './folder-listing.ts';
import { beginJob, type Job, type RunChanges } from './job.ts';
import { errorReport } from './refusal.ts';

const cluster = await clusterForFile();
const { joinToken, proxy } = cluster.info;

const Examination = z.object({
  checks: z.array(z.object({ id: z.string(), state: z.string(), detail: z.string(), fix: z.string().optional() })),
});

type Checks = ReadonlyMap<string, z.infer<typeof Examination>['checks'][number]>;

/** Asserts that nothing is created, not even temporarily: the modification time of a directory would show it. */
async function examined(job: Job, args: readonly string[], changes?: RunChanges): Promise<Checks> {
  const before = await listing(job.folder);
  const run = await job.run(['doctor', ...args, '--json'], changes);
  assert.deepEqual(await listing(job.folder), before);
  const { checks } = Examination.parse(JSON.parse(run.stdout));
  const failed = checks.filter(({ state }) => state === 'fail');
  assert.equal(run.exitCode, failed.length === 0 ? 0 : 1, run.stderr);
  return new Map(checks.map((check) => [check.id, check]));
}

function withState(checks: Checks, ...states: readonly string[]): readonly string[] {
  return [...checks.values()].filter(({ state }) => states.includes(state)).map(({ id }) => id);
}

const WHERE = ['--proxy-server', proxy, '--token', joinToken];

test('without a tbot.yaml and outputs, the join is checked, and missing outputs are not a failure', async (t) => {
  const job = await beginJob(t, cluster);
  const checks = await examined(job, WHERE);
  assert.deepEqual(withState(checks, 'warn', 'fail'), []);
  assert.deepEqual(withState(checks, 'skip'), ['orb', 'outputs']);
  assert.match(checks.get('outputs')?.detail ?? '', /^no outputs are configured/);
  assert.equal(checks.get('join')?.state, 'pass');
});

test('doctor accepts every flag of run', async (t) => {
  const job = await beginJob(t, cluster);
  const help = await job.run(['doctor', '--help']);
  for (const { aliases = [], name } of RUN_FLAGS) {
    for (const flag of [name, ...aliases]) assert.ok(help.stdout.includes(`--${flag}`), flag);
  }
  const outputs = ['--kubernetes-cluster', 'dev', '--database', 'orders', '--database-user', 'ci', '--ssh'];
  const others = ['--credential-ttl', '30m', '--no-export', '--report', join(job.folder, 'report.html')];
  const flags = [...WHERE, '--destination', job.destination, ...outputs, ...others];
  const checks = await examined(job, flags, { environment: { BASH_ENV: undefined } });
  assert.deepEqual(withState(checks, 'warn', 'fail'), []);
  for (const id of ['--ssh', '--kubernetes-cluster', '--database']) {
    assert.equal(checks.get(`output:${id}`)?.state, 'pass', id);
    assert.equal(checks.get(`destination:${id}`)?.state, 'pass', id);
  }
  assert.equal(checks.get('report')?.state, 'pass');
  assert.equal(checks.has('bash-env'), false);
});

interface Obstacle {
  readonly what: string;
  readonly prepare: (job: Job) => Promise<unknown>;
  readonly destination: (job: Job) => string;
  readonly code: 'DESTINATION_UNWRITABLE' | 'DESTINATION_UNSAFE';
}

const below = (job: Job) => join(job.folder, 'file', 'deeper', 'still');

const OBSTACLES: readonly Obstacle[] = [
  {
    what: 'a file in its place',
    prepare: (job) => writeFile(job.destination, ''),
    destination: (job) => job.destination,
    code: 'DESTINATION_UNWRITABLE',
  },
  {
    what: 'a file in the path',
    prepare: (job) => writeFile(join(job.folder, 'file'), ''),
    destination: below,
    code: 'DESTINATION_UNWRITABLE',
  },
  {
    what: 'a link in the path',
    prepare: (job) => symlink(job.checkout, join(job.folder, 'file')),
    destination: below,
    code: 'DESTINATION_UNSAFE',
  },
  {
    what: 'a link to nowhere in its place',
    prepare: (job) => symlink('/nowhere', job.destination),
    destination: (job) => job.destination,
    code: 'DESTINATION_UNSAFE',
  },
  {
    what: 'a directory where a file is expected',
    prepare: (job) => mkdir(join(job.destination, 'identity'), { recursive: true }),
    destination: (job) => job.destination,
    code: 'DESTINATION_UNWRITABLE',
  },
  {
    what: 'a link where a file is expected',
    prepare: async (job) => {
      await mkdir(job.destination);
      await symlink(job.bashEnv, join(job.destination, 'key'));
    },
    destination: (job) => job.destination,
    code: 'DESTINATION_UNSAFE',
  },
];

for (const { code, destination, prepare, what } of OBSTACLES) {
  test(`doctor finds what makes a run fail: ${what}`, async (t) => {
    const job = await beginJob(t, cluster);
    await prepare(job);
    const flags = [...WHERE, '--destination', destination(job)];
    const checks = await examined(job, flags);
    assert.deepEqual(withState(checks, 'fail'), ['destination:--destination']);
    const { message } = errorReport(await job.run(['run', ...flags]));
    const found = checks.get('destination:--destination');
    assert.equal(found?.detail, `${message.replace('--destination: ', '')} [${code}]`);
    assert.ok((found.fix ?? '') !== '');
  });
}

test('missing permissions are found', async (t) => {
  const job = await beginJob(t, cluster);
  await mkdir(job.destination, { mode: 0o500 });
  const flags = [...WHERE, '--destination', join(job.destination, 'deeper')];
  const checks = await examined(job, flags, { withoutPrivileges: true });
  assert.match(checks.get('destination:--destination')?.detail ?? '', /no permission to write to/);
});

test('a directory in the checkout, and one that other users can write to, are warnings', async (t) => {
  const job = await beginJob(t, cluster);
  await mkdir(job.destination);
  await chmod(job.destination, 0o777);
  for (const [destination, says] of [
    [join(job.checkout, 'keys'), /keys can be created\n.* is in the working directory/],
    [job.destination, /identity is writable\n.* is writable by other users \(mode 777\)/],
  ] as const) {
    const checks = await examined(job, [...WHERE, '--destination', destination]);
    assert.deepEqual(withState(checks, 'warn', 'fail'), ['destination:--destination']);
    assert.match(checks.get('destination:--destination')?.detail ?? '', says);
  }
});

test('an unwritable file for the variables is found, and a missing one is not created', async (t) => {
  const job = await beginJob(t, cluster);
  const flags = [...WHERE, '--destination', job.destination];
  assert.equal((await examined(job, flags)).get('bash-env')?.state, 'pass');
  for (const [path, says] of [
    [undefined, /BASH_ENV is not set/],
    [job.checkout, /it is a directory, expected a file/],
    [join(job.folder, 'no', 'folder'), /no such file or directory/],
    [join(job.bashEnv, 'below'), /BASH_ENV names: (a part of the path is not a directory|no such file)/],
  ] as const) {
    await writeFile(job.bashEnv, '');
    const checks = await examined(job, flags, { environment: { BASH_ENV: path } });
    assert.deepEqual(withState(checks, 'fail'), ['bash-env']);
    assert.match(checks.get('bash-env')?.detail ?? '', says);
  }
});

async function configured(t: TestContext, file: (job: Job) => string, args: readonly string[] = []): Promise<Checks> {
  const job = await beginJob(t, cluster);
  await job.addFile('tbot.yaml', file(job));
  return examined(job, ['-c', 'tbot.yaml', ...args], { environment: { PATH: join(job.folder, 'bin') } });
}

const HEAD = `version: v2\nproxy_server: ${proxy}\nonboarding: {join_method: circleci, token: ${joinToken}}\n`;

test('readers need setfacl: without it, a run fails or warns, as configured', async (t) => {
  const checks = await configured(
    t,
    ({ folder }) => `${HEAD}outputs:
- {type: identity, destination: {type: directory, path: ${folder}/a, acls: required, readers: [{user: nobody}]}}
- {type: identity, destination: {type: directory, path: ${folder}/b, acls: try, readers: [{user: nobody}]}}
- {type: identity, destination: {type: directory, path: ${folder}/c, acls: required}}
`,
  );
  const states = [0, 1, 2].map((at) => checks.get(`destination:outputs[${at}]`)?.state);
  assert.deepEqual(states, ['fail', 'warn', 'pass']);
  assert.match(checks.get('destination:outputs[0]')?.detail ?? '', /setfacl is missing/);
  assert.deepEqual(withState(checks, 'fail'), ['destination:outputs[0]']);
});

test('a problem in the file skips only the checks that depend on it', async (t) => {
  for (const fault of ['certificate_ttl: 90', 'renewal_interval: soon', 'storage: [a]', 'diag_addr: {}']) {
    const checks = await configured(
      t,
      ({ folder }) =>
        `${HEAD}${fault}\noutputs:\n- {type: identity, destination: {type: directory, path: ${folder}/a}}\n`,
    );
    assert.deepEqual(withState(checks, 'fail'), ['config'], fault);
    assert.equal(checks.get('join')?.state, 'pass', fault);
    assert.equal(checks.get('output:outputs[0]')?.state, 'pass', fault);
    assert.doesNotMatch(checks.get('config')?.fix ?? '', /nothing was contacted/);
  }
  const noOutputs = await configured(t, () => `${HEAD}outputs: [{type: identitty}]\n`);
  assert.deepEqual(withState(noOutputs, 'fail'), ['config']);
  assert.deepEqual(withState(noOutputs, 'skip'), ['orb', 'outputs']);
  assert.equal(noOutputs.get('join')?.state, 'pass');
  const oneOfThree = await configured(
    t,
    ({ folder }) => `${HEAD}outputs:
- {type: identity, destination: {type: directory, path: ${folder}/a}, credential_ttl: 90, renewal_interval: 1h}
- {type: identity, destination: {type: directory, path: ${folder}/b}}
- {type: kubernetes, destination: {type: directory, path: ${folder}/c}}
- {type: kubernetes, kubernetes_cluster: nowhere, destination: {type: directory, path: ${folder}/d}}
`,
  );
  assert.deepEqual(withState(oneOfThree, 'fail'), ['config', 'output:outputs[3]']);
  assert.deepEqual(withState(oneOfThree, 'skip'), ['orb', 'outputs']);
  assert.equal(oneOfThree.get('output:outputs[1]')?.state, 'pass');
  assert.equal(oneOfThree.get('destination:outputs[1]')?.state, 'pass');
  const noToken = await configured(t, () => `version: v2\nproxy_server: ${proxy}\nonboarding: {token: [a]}\n`);
  assert.deepEqual(withState(noToken, 'fail'), ['config']);
  assert.equal(noToken.get('proxy')?.state, 'pass');
  assert.match(noToken.get('join')?.detail ?? '', /has no readable join token/);
});

test('with an unreadable file, the flags still apply', async (t) => {
  for (const args of [
    ['-c', 'missing.yaml', ...WHERE],
    ['-c', 'tbot.yaml', ...WHERE],
  ]) {
    const job = await beginJob(t, cluster);
    await job.addFile('tbot.yaml', 'outputs: [}\n');
    const checks = await examined(job, args);
    assert.deepEqual(withState(checks, 'fail'), ['config'], args.join(' '));
    assert.deepEqual(withState(checks, 'skip'), ['orb', 'outputs']);
    assert.equal(checks.get('join')?.state, 'pass');
  }
});

test('an unsupported output does not prevent checks of the others', async (t) => {
  const checks = await configured(
    t,
    ({ folder }) => `${HEAD}outputs:
- {type: identity, destination: {type: directory, path: ${folder}/a}}
- {type: identity, destination: {type: kubernetes_secret, name: x}}
`,
  );
  assert.deepEqual(withState(checks, 'fail'), ['outputs']);
  assert.equal(checks.get('output:outputs[0]')?.state, 'pass');
});

test('with --engine tbot, the tbot on PATH is checked', async (t) => {
  const job = await beginJob(t, cluster);
  const flags = [...WHERE, '--destination', job.destination, '--engine', 'tbot'];
  assert.match((await examined(job, flags)).get('tbot')?.detail ?? '', /\[TBOT_MISSING\]$/);
  for (const [version, state] of [
    ['18.2.0', 'pass'],
    ['15.0.0', 'fail'],
    ['19.0.0', 'warn'],
  ] as const) {
    await job.addProgram('tbot', `echo "Teleport v${version} git:v go1.24"`);
    assert.equal((await examined(job, flags)).get('tbot')?.state, state, version);
  }
});
