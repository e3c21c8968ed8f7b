import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, chmod, mkdir, readdir, readFile, symlink, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { directory, runOutputs } from './config-file.ts';
import { clusterForFile } from './embedded-cluster.ts';
import { beginJob, type Job } from './job.ts';
import { bounded } from '../programs.ts';
import { resultOf } from './run-result.ts';

const cluster = await clusterForFile();

async function cleanUp(job: Job): Promise<string> {
  const { exitCode, stdout, stderr } = await job.run(['cleanup']);
  assert.equal(exitCode, 0, stderr);
  assert.equal(stdout, '');
  return stderr;
}

test('cleanup restores the disk to its state before the runs of the job', async (t) => {
  const job = await beginJob(t, cluster);
  await writeFile(job.bashEnv, 'export OTHER=1\n');
  resultOf(
    await runOutputs(cluster, job, [
      directory(`${job.folder}/deep/er/a`),
      `roles: [access], ${directory(`${job.folder}/b`)}`,
    ]),
  );
  await unlink(join(job.checkout, 'tbot.yaml'));
  const output = await cleanUp(job);
  assert.match(output, /^Removed 28 files that the runs of this job wrote:$/m);
  assert.match(output, /^ {2}\S+deep\/er\/a: 14 files$/m);
  assert.match(output, /^Removed their exports from \$BASH_ENV$/m);
  assert.equal(await readFile(job.bashEnv, 'utf8'), 'export OTHER=1\n\n');
  assert.deepEqual((await readdir(job.folder)).sort(), ['.teleport-machine-id', 'bash_env', 'bin', 'project']);
  assert.deepEqual(await readdir(join(job.folder, '.teleport-machine-id')), []);
});

test('cleanup is safe to call twice, and with nothing to do', async (t) => {
  const job = await beginJob(t, cluster);
  assert.match(await cleanUp(job), /no run of this job wrote anything/);
  resultOf(await job.run([...job.flags, '--json']));
  await cleanUp(job);
  assert.match(await cleanUp(job), /no run of this job wrote anything/);
});

test('files that two runs wrote to the same place are removed', async (t) => {
  const job = await beginJob(t, cluster);
  resultOf(await job.run([...job.flags, '--json']));
  resultOf(await job.run([...job.flags, '--json']));
  await cleanUp(job);
  assert.deepEqual((await readdir(job.folder)).sort(), ['.teleport-machine-id', 'bash_env', 'bin', 'project']);
  assert.doesNotMatch(await readFile(job.bashEnv, 'utf8'), /TELEPORT/);
});

test('files that other programs added or replaced are kept', async (t) => {
  const job = await beginJob(t, cluster);
  resultOf(await job.run([...job.flags, '--json']));
  const at = (name: string) => join(job.destination, name);
  await writeFile(at('notes'), 'mine');
  await writeFile(at('key.pub'), 'mine');
  await writeFile(join(job.folder, 'target'), 'mine');
  await unlink(at('tlscert'));
  await symlink(join(job.folder, 'target'), at('tlscert'));
  const output = await cleanUp(job);
  assert.match(
    output,
    /Kept, because these files were changed by another program:\n.*: (tlscert, key\.pub|key\.pub, tlscert)\n/,
  );
  assert.deepEqual((await readdir(job.destination)).sort(), ['key.pub', 'notes', 'tlscert']);
  assert.equal(await readFile(join(job.folder, 'target'), 'utf8'), 'mine');
});

test('files of a killed run are removed', async (t) => {
  const job = await beginJob(t, cluster);
  resultOf(await job.run([...job.flags, '--json']));
  const state = join(job.folder, '.teleport-machine-id');
  const [manifest = ''] = await readdir(state);
  const leftover = join(job.destination, '.machine-id.half.tmp');
  await writeFile(leftover, 'half a k');
  const entry = { file: join(job.destination, 'key'), sha256: 'of the whole', temporaries: [leftover] };
  await appendFile(join(state, manifest), `\n${JSON.stringify(entry)}\n`);
  await cleanUp(job);
  assert.deepEqual((await readdir(job.folder)).sort(), ['.teleport-machine-id', 'bash_env', 'bin', 'project']);
});

test('files of another job on the same machine are not touched', async (t) => {
  const job = await beginJob(t, cluster);
  resultOf(await job.run([...job.flags, '--json'], { environment: { CIRCLE_WORKFLOW_JOB_ID: 'another-job' } }));
  assert.match(await cleanUp(job), /no run of this job wrote anything/);
  assert.ok((await readdir(job.destination)).includes('key'));
});

test('a manifest that other users could have written is ignored', async (t) => {
  const job = await beginJob(t, cluster);
  const state = join(job.folder, '.teleport-machine-id');
  await mkdir(state, { mode: 0o777 });
  await writeFile(
    join(state, 'written.jsonl'),
    `{"file":"${job.bashEnv}","sha256":"x","temporaries":["${job.bashEnv}"]}\n`,
  );
  await writeFile(job.bashEnv, 'mine');
  await chmod(state, 0o777);
  assert.match(await cleanUp(job), /no run of this job wrote anything/);
  assert.equal(await readFile(job.bashEnv, 'utf8'), 'mine');
});

test('exports that the job changed later are kept, with a note', async (t) => {
  const job = await beginJob(t, cluster);
  resultOf(await job.run([...job.flags, '--json']));
  const text = await readFile(job.bashEnv, 'utf8');
  const changed = text.replace(/^export TELEPORT_PROXY=.*$/m, 'export TELEPORT_PROXY=mine.example.com:443');
  await writeFile(job.bashEnv, `${changed}export TELEPORT_CLUSTER=mine\n`);
  const output = await cleanUp(job);
  assert.match(output, /^Removed their exports from \$BASH_ENV$/m);
  assert.match(output, /^Kept in \$BASH_ENV, because other lines set them: TELEPORT_PROXY, TELEPORT_CLUSTER$/m);
  const left = 'export TELEPORT_PROXY=mine.example.com:443\nexport TELEPORT_CLUSTER=mine';
  assert.equal((await readFile(job.bashEnv, 'utf8')).trim(), left);
});

test('cleanup counts the same files as a run, and lists them with --debug', async (t) => {
  const job = await beginJob(t, cluster);
  const { stderr } = await job.run(job.flags);
  const [count = ''] = /\d+ files/.exec(stderr) ?? [];
  const { stderr: output } = await job.run(['cleanup', '--debug']);
  assert.match(output, new RegExp(`^Removed ${count} that the runs of this job wrote:$`, 'm'));
  assert.match(output, /identity: teleport-host-ca\.crt, .*ssh_config$/m);
  assert.doesNotMatch(output, /write-test/);
});

/** Another job on the same machine, with its ID in the environment as CircleCI sets it. */
function inJob(id: string) {
  return { environment: { CIRCLE_WORKFLOW_JOB_ID: id } };
}

/** A process of another test run would keep a job with the same id alive. */
const [ENDED, LIVE, OWN] = [`ended-${randomUUID()}`, `live-${randomUUID()}`, `own-${randomUUID()}`];

test('files of a cancelled job are reported, and removed with --left-over; a running job keeps its files', async (t) => {
  const job = await beginJob(t, cluster);
  const flagsTo = (name: string) => [...job.flags.slice(0, 5), '--destination', join(job.folder, name)];
  assert.equal((await job.run(flagsTo('ended'), inJob(ENDED))).exitCode, 0);
  assert.equal((await job.run(flagsTo('live'), inJob(LIVE))).exitCode, 0);
  const step = bounded(spawn('sleep', ['60'], { env: { CIRCLE_WORKFLOW_JOB_ID: LIVE }, stdio: 'ignore' }));
  t.after(() => step.kill('SIGKILL'));
  await once(step, 'spawn');
  const { stderr } = await job.run(flagsTo('own'), inJob(OWN));
  const ended = join(job.folder, 'ended');
  assert.match(stderr, new RegExp(`^warning: credentials of the job ${ENDED}, .*${ended}: .*cleanup --left-over`, 'm'));
  assert.ok(!stderr.includes(LIVE));
  const pointedOut = await job.run(['cleanup'], inJob(OWN));
  assert.match(
    pointedOut.stderr,
    new RegExp(`^Credentials of the job ${ENDED}, .*are still in ${ended}: .*--left-over`, 'm'),
  );
  assert.ok((await readdir(ended)).includes('key'), 'without the flag it stays');
  const removed = await job.run(['cleanup', '--left-over'], inJob(OWN));
  assert.equal(removed.exitCode, 0, removed.stderr);
  assert.match(removed.stderr, new RegExp(`^Removed 14 files that the job ${ENDED}, .*wrote:$`, 'm'));
  assert.match(
    removed.stderr,
    new RegExp(`^Kept the credentials of the job ${LIVE} in .*live: its process \\d+ is still running$`, 'm'),
  );
  assert.deepEqual((await readdir(job.folder)).sort(), ['.teleport-machine-id', 'bash_env', 'bin', 'live', 'project']);
  assert.ok((await readdir(join(job.folder, 'live'))).includes('key'));
});

test('files that a running job wrote to the same place are not touched', async (t) => {
  const job = await beginJob(t, cluster);
  resultOf(await job.run([...job.flags, '--json'], inJob(ENDED)));
  resultOf(await job.run([...job.flags, '--json'], inJob(LIVE)));
  const step = bounded(spawn('sleep', ['60'], { env: { CIRCLE_WORKFLOW_JOB_ID: LIVE }, stdio: 'ignore' }));
  t.after(() => step.kill('SIGKILL'));
  await once(step, 'spawn');
  const before = await readdir(job.destination);
  const exports = await readFile(job.bashEnv, 'utf8');
  const { exitCode, stderr } = await job.run(['cleanup', '--left-over'], inJob(OWN));
  assert.equal(exitCode, 0, stderr);
  assert.deepEqual(await readdir(job.destination), before);
  assert.equal(await readFile(job.bashEnv, 'utf8'), exports);
});
