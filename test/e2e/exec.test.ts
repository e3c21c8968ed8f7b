/** `exec`: one command with credentials that only it can use, with the real programs that use them. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type TestContext } from 'node:test';
import { missing } from '../programs.ts';
import { directory, itemsText } from './config-file.ts';
import { clusterForFile } from './embedded-cluster.ts';
import { listing } from './folder-listing.ts';
import { beginJob, type Job, type RunChanges } from './job.ts';
import { missingPostgres, startPostgres } from './postgres.ts';
import { assertRefused } from './refusal.ts';
import type { StartedBundle } from './run-bundle.ts';
import { startNode } from './ssh-node.ts';

const user = userInfo().username;
const cluster = await clusterForFile({ extraLogins: [user] });
const { proxy, joinToken } = cluster.info;
const FLAGS = ['--proxy-server', proxy, '--token', joinToken];

function execOf(job: Job, command: readonly string[], flags: readonly string[] = [], changes: RunChanges = {}) {
  return job.run(['exec', ...FLAGS, ...flags, '--', ...command], changes);
}

/** Asserts that the command has succeeded, and that nothing is left. @returns what it printed */
async function outputOf(
  job: Job,
  ...call: [command: readonly string[], flags?: readonly string[], changes?: RunChanges]
) {
  const before = await listing(job.folder);
  const { exitCode, stderr, stdout } = await execOf(job, ...call);
  assert.equal(exitCode, 0, stderr);
  const [, folder = ''] = /credentials are in (\/\S+machine-id-exec-[0-9a-f]{16})/.exec(stderr) ?? [];
  assert.equal(existsSync(folder), false);
  const after = await listing(job.folder);
  const added = [...after.keys()].filter((name) => !before.has(name) && !name.startsWith('.teleport-machine-id'));
  assert.deepEqual(added, []);
  return stdout;
}

test('the command has the variables of a run, and its exit code is returned', async (t) => {
  const job = await beginJob(t, cluster);
  const script = `test "$(stat -c %a "$MACHINE_ID_EXEC")" = 700 && cd "$MACHINE_ID_DESTINATION" && ls; echo $TELEPORT_CLUSTER; exit 41`;
  const run = await execOf(job, ['sh', '-c', script]);
  assert.equal(run.exitCode, 41, run.stderr);
  assert.match(run.stdout, new RegExp(`^identity\\n[^]*^tlscert\\n${cluster.info.cluster}\\n$`, 'm'));
  assert.equal(existsSync(job.bashEnv), false);
  const killed = await execOf(job, ['sh', '-c', 'kill -KILL $$']);
  assert.equal(killed.exitCode, 128 + 9, killed.stderr);
});

test('keys and tokens are masked in both outputs, as text and in base64', async (t) => {
  const job = await beginJob(t, cluster);
  const script = `cd "$MACHINE_ID_DESTINATION"; grep -v PRIVATE key; tr -d '\\n' <key | cut -c 28-100 >&2; base64 -w0 identity; echo; echo "t=$CIRCLE_OIDC_TOKEN."`;
  const { exitCode, stderr, stdout } = await execOf(job, ['sh', '-c', script]);
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, /^(?:\[masked\]\n)+(?:\[masked\])+\nt=\[masked\]\.\n$/);
  assert.match(stderr, /^\[masked\]/m);
});

test('outputs of a file are written to the private directory instead of their destinations', async (t) => {
  const job = await beginJob(t, cluster);
  const items = [
    `type: identity, name: login, ${directory(join(job.folder, 'not-here'))}`,
    'type: identity, destination: { type: memory }',
  ];
  await job.addFile('tbot.yaml', itemsText(cluster, items));
  const script = 'cd "$MACHINE_ID_EXEC" && ls -d */ && test "$MACHINE_ID_DESTINATION" = "$PWD/login"';
  assert.equal(await outputOf(job, ['sh', '-c', script], ['-c', 'tbot.yaml']), '1-identity/\nlogin/\n');
});

test('bash has the variables of the command, not those of an earlier step, and later steps get what it exports', async (t) => {
  const job = await beginJob(t, cluster);
  const joined = await job.run(job.flags);
  assert.equal(joined.exitCode, 0, joined.stderr);
  const before = await readFile(job.bashEnv, 'utf8');
  const script = `bash -c '[[ "$MACHINE_ID_DESTINATION" == "$MACHINE_ID_EXEC"* ]] && echo "export DONE=yes" >> "$BASH_ENV"'`;
  const { exitCode, stderr } = await execOf(job, ['sh', '-c', script]);
  assert.equal(exitCode, 0, stderr);
  assert.equal(await readFile(job.bashEnv, 'utf8'), `${before}export DONE=yes\n`);
});

const withSsh = { skip: missing('ssh', 'scp', 'sshd', 'ssh-keygen') };

test('ssh and scp reach a node', withSsh, async (t) => {
  const job = await beginJob(t, cluster);
  await startNode(t, cluster, job, { name: 'web-1' });
  const host = `${user}@web-1.${cluster.info.cluster}`;
  assert.equal(await outputOf(job, ['ssh', host, 'echo from the node']), 'from the node\n');
  const [from, to] = [await job.addFile('build', 'built'), join(job.folder, 'copied')];
  await writeFile(to, '');
  await outputOf(job, ['scp', '-q', from, `${host}:${to}`]).catch(() => undefined);
  assert.equal(await readFile(to, 'utf8'), 'built');
});

test('kubectl works in a Kubernetes cluster', { skip: missing('kubectl') }, async (t) => {
  const job = await beginJob(t, cluster);
  const command = ['kubectl', '--cache-dir', '/dev/null/x', 'get', 'pods', '--output', 'name'];
  assert.equal(await outputOf(job, command, ['--kubernetes-cluster', 'dev']), 'pod/pod-of-dev\n');
});

test('psql works in a database', { skip: await missingPostgres() }, async (t) => {
  const job = await beginJob(t, cluster);
  const orders = cluster.resources.databases.find(({ name }) => name === 'orders');
  assert.ok(orders !== undefined);
  orders.port = await startPostgres(t, cluster);
  const [PGHOST = '', PGPORT = ''] = cluster.info.postgres.split(':');
  const environment = { PGHOST, PGPORT, PGSSLMODE: 'verify-full' };
  const flags = ['--database', 'orders', '--database-user', 'ci', '--database-name', 'orders'];
  const command = ['psql', '--no-psqlrc', '-tAc', 'select current_user'];
  assert.equal(await outputOf(job, command, flags, { environment }), 'ci\n');
});

test("Terraform's Teleport provider finds the identity and the address", { skip: missing('openssl') }, async (t) => {
  const job = await beginJob(t, cluster);
  // Debian has no Terraform; the stand-in reads the variables that its Teleport provider reads, and connects with the identity.
  await job.addProgram(
    'terraform',
    `test "$1" = apply && sed '/PRIVATE KEY/,/PRIVATE KEY/!d' "$TF_TELEPORT_IDENTITY_FILE_PATH" >k.pem &&
sed '/BEGIN CERTIFICATE/,/END CERTIFICATE/!d' "$TF_TELEPORT_IDENTITY_FILE_PATH" >c.pem
openssl s_client -connect "$TF_TELEPORT_ADDR" -alpn h2 -cert c.pem -key k.pem -CAfile "$SSL_CERT_FILE" </dev/null 2>&1 | grep 'Verify return code'
rm k.pem c.pem`,
  );
  assert.match(await outputOf(job, ['terraform', 'apply']), /Verify return code: 0 \(ok\)/);
});

test('a command that cannot be started, or no command, is an error', async (t) => {
  const job = await beginJob(t, cluster);
  const says = /^no-such-program cannot be started: there is no such program$/m;
  assertRefused(await execOf(job, ['no-such-program']), { code: 'COMMAND_NOT_STARTED', says });
  const empty = await job.run(['exec', ...FLAGS, '--ssh']);
  assertRefused(empty, { code: 'USAGE_INVALID', says: /there is no command to run/ });
});

test('flags after "--" belong to the command', async (t) => {
  const job = await beginJob(t, cluster);
  assert.equal(await outputOf(job, ['echo', '--help', '--debug', '--', '-h']), '--help --debug -- -h\n');
});

/** Starts a command that waits until it is ended, and what it has started. */
async function startWaiting(t: TestContext) {
  const job = await beginJob(t, cluster);
  const [ready, program] = [join(job.folder, 'ready'), join(job.folder, 'waits')];
  const waits =
    'trap "echo got $1; exit 9" TERM; sleep 300 & echo "$$ $! $MACHINE_ID_EXEC" >"$2.tmp"; mv "$2.tmp" "$2"; wait';
  await writeFile(program, `#!/bin/sh\n${waits}\n`);
  await chmod(program, 0o755);
  const started = job.start(['exec', ...FLAGS, '--', program, 'TERM', ready]);
  while (!existsSync(ready)) {
    if (started.child.exitCode !== null) assert.fail((await started.finished).stderr);
    await delay(10);
  }
  const [shell = '', child = '', folder = ''] = (await readFile(ready, 'utf8')).trim().split(' ');
  return { job, started, folder, processes: [Number(shell), Number(child)] };
}

function isRunning(id: number): boolean {
  try {
    return process.kill(id, 0);
  } catch {
    return false;
  }
}

async function ended(processes: readonly number[], folder: string): Promise<void> {
  for (let count = 0; processes.some(isRunning) || existsSync(folder); count += 1) {
    assert.ok(count < 500, `still there: ${processes.filter(isRunning).join(' ')} ${folder}`);
    await delay(20);
  }
}

async function killed({ child, finished }: StartedBundle): Promise<void> {
  child.kill('SIGKILL');
  // Its output ends when the command does.
  await Promise.race([once(child, 'exit'), finished.catch(() => undefined)]);
}

test('a signal goes to the command, whose exit code is returned, and nothing is left', async (t) => {
  const { folder, processes, started } = await startWaiting(t);
  started.child.kill('SIGTERM');
  const { exitCode, stdout } = await started.finished;
  assert.deepEqual([exitCode, stdout], [9, 'got TERM\n']);
  await ended(processes, folder);
});

test('SIGKILL of exec ends the command and removes the credentials', async (t) => {
  const { folder, job, processes, started } = await startWaiting(t);
  assert.ok(existsSync(join(folder, 'identity')));
  await killed(started);
  await ended(processes, folder);
  const cleanup = await job.run(['cleanup']);
  assert.equal(cleanup.exitCode, 0, cleanup.stderr);
});

for (const next of ['exec', 'cleanup']) {
  test(`what exec and its guard leave when both are killed is ended and removed by the next ${next}`, async (t) => {
    const { folder, job, processes, started } = await startWaiting(t);
    for (const guard of await guardsOf(folder)) process.kill(guard, 'SIGKILL');
    await killed(started);
    assert.ok(existsSync(join(folder, 'identity')) && processes.every(isRunning));
    const run = next === 'exec' ? await execOf(job, ['true']) : await job.run(['cleanup']);
    assert.equal(run.exitCode, 0, run.stderr);
    await ended(processes, folder);
    assert.match(run.stderr, new RegExp(`Removed what a killed "exec" left: ${folder}`));
  });
}

test('cleanup leaves the directory of an exec that is still running', async (t) => {
  const { folder, job, started } = await startWaiting(t);
  const { exitCode, stderr } = await job.run(['cleanup']);
  assert.equal(exitCode, 0, stderr);
  assert.match(stderr, new RegExp(`Kept, because "exec" is still running: ${folder}`));
  assert.ok(existsSync(join(folder, 'identity')));
  started.child.kill('SIGTERM');
  await started.finished;
  assert.equal((await job.run(['cleanup'])).exitCode, 0);
});

/** The ids of the processes that watch a directory. */
async function guardsOf(folder: string): Promise<readonly number[]> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const lines = await Promise.all(
    ids.map((id) => readFile(join('/proc', String(id), 'cmdline'), 'utf8').catch(() => '')),
  );
  return ids.filter((_, at) => lines[at]?.includes(`machine-id-guard\0${folder}\0`));
}
