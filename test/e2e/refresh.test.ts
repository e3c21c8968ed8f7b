import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type TestContext } from 'node:test';
import { bounded, runProgram } from '../programs.ts';
import { clusterForFile, misbehave } from './embedded-cluster.ts';
import { hasEnded } from './ended-process.ts';
import { beginJob, type Job } from './job.ts';
import { assertWhole } from './kill-job.ts';
import { BUNDLE, type BundleRun, NODE } from './run-bundle.ts';

const skip = process.platform === 'linux' ? false : 'looks at Linux';
const cluster = await clusterForFile();

/** Certificates that are renewed after two seconds. */
const SHORT_MS = 3000;

interface RefreshJob extends Job {
  readonly refresh: (changes?: Readonly<Record<string, string>>) => Promise<BundleRun>;
  /** The process ids of the job's keepers that run. */
  readonly keepers: () => readonly number[];
  readonly state: string;
  readonly id: string;
}

/** A job whose agent prints tokens, unless told otherwise. */
async function beginRefreshJob(t: TestContext, agent?: string): Promise<RefreshJob> {
  misbehave(t, cluster, { maxTtlMs: SHORT_MS });
  const job = await beginJob(t, cluster);
  const id = `refresh-${createHash('sha256').update(job.folder).digest('hex').slice(0, 8)}`;
  await job.addProgram('circleci', agent ?? `echo ${await cluster.mint()}`);
  const environment = { CIRCLE_WORKFLOW_JOB_ID: id };
  const withId: Job['run'] = (args, changes = {}) =>
    job.run(args, { ...changes, environment: { ...environment, ...changes.environment } });
  const keepers = () => processesWith(id).filter((pid) => textOf(`/proc/${pid}/cmdline`).includes('\0keeper\0'));
  t.after(() => {
    for (const pid of keepers()) process.kill(pid, 'SIGKILL');
  });
  return {
    ...job,
    id,
    run: withId,
    start: (args, changes = {}) =>
      job.start(args, { ...changes, environment: { ...environment, ...changes.environment } }),
    refresh: (changes = {}) => withId([...job.flags, '--refresh'], { environment: changes }),
    keepers,
    state: join(job.folder, '.teleport-machine-id'),
  };
}

function processesWith(id: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => textOf(`/proc/${name}/environ`).includes(`CIRCLE_WORKFLOW_JOB_ID=${id}\0`))
    .map(Number);
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // it has ended
  }
}

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let tries = 0; !(await condition()); tries += 1) {
    assert.ok(tries < 1500, what);
    await delay(20);
  }
}

/** What a later step of the job prints to its stderr before anything else. */
async function laterStep({ bashEnv, folder }: Job): Promise<string> {
  const { stderr } = await runProgram('bash', ['-c', 'bash -c :; true'], {
    environment: { BASH_ENV: bashEnv, HOME: folder },
  });
  return stderr;
}

const certificateOf = ({ destination }: Job) => readFile(join(destination, 'tlscert'), 'utf8');

test('credentials are renewed while the job runs, and cleanup ends that', { skip }, async (t) => {
  const job = await beginRefreshJob(t);
  const run = await job.refresh();
  assert.equal(run.exitCode, 0, run.stderr);
  assert.match(run.stderr, /the cluster shortened the lifetime: requested until/);
  assert.match(run.stderr, /^process \d+ renews the credentials until the job ends, next at \S+Z; its log is in \S+$/m);
  const first = await certificateOf(job);
  await until(async () => (await certificateOf(job)) !== first, 'the certificate was renewed');
  const second = await certificateOf(job);
  await until(async () => (await certificateOf(job)) !== second, 'the certificate was renewed again');
  assert.equal(await laterStep(job), '');
  const [keeper = 0, ...others] = job.keepers();
  assert.deepEqual(others, []);
  const cleaned = await job.run(['cleanup']);
  assert.equal(cleaned.exitCode, 0, cleaned.stderr);
  assert.match(cleaned.stderr, /^Stopped the keeper \w+ \(process \d+\)$/m);
  assert.deepEqual(job.keepers(), []);
  assert.ok(!existsSync(`/proc/${keeper}`) && !existsSync(job.destination));
  assert.deepEqual(readdirSync(job.state), []);
  assert.equal((await readFile(job.bashEnv, 'utf8')).trim(), '');
});

test('if no token is available any more, the keeper ends, and later steps say so once', { skip }, async (t) => {
  const job = await beginRefreshJob(t, 'echo "no plugin" >&2; exit 1');
  const token = await cluster.mint({ ttlSeconds: 8 });
  const run = await job.refresh({ CIRCLE_OIDC_TOKEN: token });
  assert.equal(run.exitCode, 0, run.stderr);
  assert.match(
    run.stderr,
    /^warning: the credentials can be renewed until \S+ only, .*circleci run oidc get failed with exit code 1: no plugin/m,
  );
  await until(() => job.keepers().length === 0, 'the keeper ended');
  const [line, ...more] = (await laterStep(job)).split('\n');
  assert.match(
    line ?? '',
    /^machine-id: warning: the credentials of this job are no longer renewed, and expired at \S+Z: (?:OIDC_TOKEN_EXPIRED|JOIN_OIDC_REFUSED): /,
  );
  assert.deepEqual(more, ['']);
  const cleaned = await job.run(['cleanup']);
  assert.equal(cleaned.exitCode, 0, cleaned.stderr);
  assert.match(cleaned.stderr, /^Before, the keeper \w+ \(process \d+\) had failed: /m);
});

test(
  'after kill -9 of the keeper, later steps say so, and the next run leaves whole files and renews them again',
  { skip },
  async (t) => {
    const job = await beginRefreshJob(t);
    await job.refresh();
    const first = await certificateOf(job);
    await until(async () => (await certificateOf(job)) !== first, 'the certificate was renewed');
    const [killed = 0] = job.keepers();
    process.kill(killed, 'SIGKILL');
    await until(() => hasEnded(killed), 'the keeper is gone');
    assert.match(await laterStep(job), /^machine-id: warning: the process that renews .* ended unexpectedly.*\n$/);
    const next = await job.run(job.flags);
    assert.equal(next.exitCode, 0, next.stderr);
    await assertWhole(job.destination);
    await job.refresh();
    assert.equal(job.keepers().length, 1);
    assert.equal(await laterStep(job), '');
    await job.run(['cleanup']);
    assert.deepEqual([job.keepers(), readdirSync(job.state)], [[], []]);
  },
);

test('after kill -9 of the step that starts it, no keeper is left', { skip }, async (t) => {
  const job = await beginRefreshJob(t, 'sleep 30');
  const { child, finished } = job.start([...job.flags, '--refresh']);
  await until(() => readdirSync(job.folder).includes('identity') && job.keepers().length > 0, 'it was started');
  child.kill('SIGKILL');
  await finished;
  await until(() => job.keepers().length === 0, 'it ended');
  await job.addProgram('circleci', `echo ${await cluster.mint()}`);
  assert.equal((await job.refresh()).exitCode, 0);
  assert.equal(job.keepers().length, 1);
});

test(
  'a second run with other destinations has its own keeper, and one with the same replaces it',
  { skip },
  async (t) => {
    const job = await beginRefreshJob(t);
    await job.refresh();
    const [first] = job.keepers();
    await job.refresh();
    const [second, ...none] = job.keepers();
    assert.ok(second !== first && none.length === 0);
    const flags = job.flags.map((flag) => (flag === job.destination ? `${job.destination}-2` : flag));
    await job.run([...flags, '--refresh']);
    assert.equal(job.keepers().length, 2);
    await job.run(['cleanup']);
    assert.deepEqual(job.keepers(), []);
  },
);

test('the keeper ends with what starts the steps of the job', { skip }, async (t) => {
  const job = await beginRefreshJob(t);
  const step = join(job.folder, 'step.sh');
  const variables = Object.entries({ ...job.environment, CIRCLE_WORKFLOW_JOB_ID: job.id });
  const command = [...variables.map(([name, value]) => `${name}=${value}`), NODE, BUNDLE, ...job.flags, '--refresh'];
  await writeFile(step, `exec env ${command.map((word) => `'${word}'`).join(' ')}\n`);
  const agent = bounded(spawn('sh', ['-c', `sh ${step}; echo done; sleep 60; :`], { stdio: 'pipe', detached: true }));
  t.after(() => agent.kill('SIGKILL'));
  let printed = '';
  for (const stream of [agent.stdout, agent.stderr]) stream.on('data', (text: Buffer) => (printed += text.toString()));
  await until(() => printed.includes('done'), 'the step ended');
  assert.equal(job.keepers().length, 1, printed);
  agent.kill('SIGKILL');
  await until(() => job.keepers().length === 0, 'the keeper ended');
  const log = readdirSync(job.state).find((name) => name.endsWith('.log')) ?? '';
  assert.match(await readFile(join(job.state, log), 'utf8'), /^Stopped: the job has ended$/m);
});
