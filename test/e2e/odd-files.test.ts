/** How runs handle special files, and full or read-only disks. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type TestContext } from 'node:test';
import { cannotMount, smallDisk } from '../small-disk.ts';
import { directory, itemsText } from './config-file.ts';
import { clusterForFile } from './embedded-cluster.ts';
import { beginJob, type Job } from './job.ts';
import { bounded, outputOf, runProgramSync } from '../programs.ts';
import { assertRefused } from './refusal.ts';
import { BUNDLE, NODE } from './run-bundle.ts';
import { resultOf } from './run-result.ts';

const cluster = await clusterForFile();

const MAKERS: Readonly<Record<string, (path: string, t: TestContext) => Promise<string>>> = {
  'a pipe': (path) => {
    outputOf('mkfifo', [path]);
    return Promise.resolve(path);
  },
  'a socket': async (path, t) => {
    const server = createServer().listen(path);
    t.after(() => server.close());
    await once(server, 'listening');
    return path;
  },
  'a directory': async (path) => {
    await mkdir(path);
    return path;
  },
  'a character device': () => Promise.resolve('/dev/full'),
};

async function pipeIn(job: Job): Promise<string> {
  const path = join(job.folder, 'pipe');
  outputOf('mkfifo', [path]);
  return Promise.resolve(path);
}

for (const [kind, make] of Object.entries(MAKERS)) {
  test(`BASH_ENV that names ${kind} fails the run before the cluster is contacted`, async (t) => {
    const job = await beginJob(t, cluster);
    const path = await make(join(job.folder, 'odd'), t);
    const run = await job.run(job.flags, { environment: { BASH_ENV: path } });
    const says = new RegExp(`cannot append to ${path}, .*: it is ${kind}, expected a file`);
    assertRefused(run, { code: 'BASH_ENV_UNWRITABLE', says });
    assert.deepEqual(cluster.records.all, []);
  });
}

test('a file of the configuration that is a directory or a socket is rejected, and the error names its kind', async (t) => {
  for (const kind of ['a directory', 'a socket']) {
    const job = await beginJob(t, cluster);
    const path = (await MAKERS[kind]?.(join(job.folder, 'odd'), t)) ?? '';
    const says = new RegExp(`${path}.*: it is ${kind}, expected a file`);
    assertRefused(await job.run(['run', '--config', path]), { code: 'CONFIG_UNREADABLE', says });
    assertRefused(await job.run([...job.flags, '--ca-file', path]), { code: 'CA_FILE_INVALID', says });
  }
});

test('a configuration can come from a pipe', async (t) => {
  const job = await beginJob(t, cluster);
  const pipe = await pipeIn(job);
  const written = writeFile(pipe, itemsText(cluster, [`type: identity, ${directory(job.destination)}`]));
  resultOf(await job.run(['run', '--config', pipe, '--json']));
  await written;
  assert.ok((await readdir(job.destination)).includes('key'));
});

for (const [what, args, environment] of [
  ['--config', (path: string) => ['run', '--config', path], {}],
  ['--ca-file', (path: string, { flags }: Job) => [...flags, '--ca-file', path], {}],
  ['doctor --config', (path: string) => ['doctor', '--config', path], {}],
  ['SSL_CERT_FILE', () => ['install-tools', '--tools', 'tsh', '--version', '17.0.0'], { SSL_CERT_FILE: 'pipe' }],
  ['explain-token', (path: string) => ['explain-token', path], {}],
] as const) {
  test(`SIGTERM ends the wait for a pipe without a writer: ${what}`, async (t) => {
    const job = await beginJob(t, cluster);
    const pipe = await pipeIn(job);
    const variables = Object.fromEntries(Object.keys(environment).map((name) => [name, pipe]));
    const { child, finished } = job.start([...args(pipe, job)], { environment: variables });
    // A writer can open the pipe only after the reader has.
    const writer = bounded(spawn('sh', ['-c', 'exec 3>"$0"; exec sleep 60', pipe], { stdio: 'ignore' }));
    t.after(() => writer.kill('SIGKILL'));
    await until(() => child.exitCode !== null || commandOf(writer).startsWith('sleep'));
    child.kill('SIGTERM');
    const startMs = performance.now();
    const run = await finished;
    assert.match(run.stderr, /code: INTERRUPTED/);
    assert.equal(run.exitCode, 1);
    assert.ok(performance.now() - startMs < 5000);
  });
}

test('SIGTERM ends the wait for the standard input', async (t) => {
  const job = await beginJob(t, cluster);
  const child = bounded(
    spawn(NODE, [BUNDLE, 'explain-token', '-'], { cwd: job.folder, stdio: ['pipe', 'ignore', 'pipe'] }),
  );
  const told: string[] = [];
  child.stderr.setEncoding('utf8').on('data', (text: string) => told.push(text));
  const closed = once(child, 'close');
  // More than fits into the pipe: writing it ends only when the program reads.
  await new Promise((resolve) => child.stdin.write('#'.repeat(300_000), resolve));
  child.kill('SIGTERM');
  await closed;
  assert.match(told.join(''), /code: INTERRUPTED/);
  assert.equal(child.exitCode, 1);
});

function commandOf({ pid }: ChildProcess): string {
  return runProgramSync('ps', ['-o', 'args=', '-p', String(pid)]).stdout;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(20);
}

const onDisk = { skip: cannotMount };

test('a BASH_ENV on a full disk keeps only complete lines', onDisk, async (t) => {
  const job = await beginJob(t, cluster);
  const disk = await smallDisk(t, { kibibytes: 16 });
  const bashEnv = join(disk.path, 'bash_env');
  const before = `export OTHER=1\n# ${'x'.repeat(4000)}\n`;
  await writeFile(bashEnv, before);
  await disk.fill();
  const run = await job.run(job.flags, { environment: { BASH_ENV: bashEnv } });
  assertRefused(run, { code: 'BASH_ENV_UNWRITABLE', says: /no space left on the disk/ });
  assert.equal(await readFile(bashEnv, 'utf8'), before);
});

test('a destination on a full disk is named, and nothing is left in it', onDisk, async (t) => {
  const job = await beginJob(t, cluster);
  const disk = await smallDisk(t, { kibibytes: 16 });
  const run = await job.run(destinationIn(job, disk.path));
  assertRefused(run, { code: 'DESTINATION_UNWRITABLE', says: new RegExp(`${disk.path}: no space left on the disk`) });
  assert.deepEqual(await readdir(disk.path), []);
});

test('a read-only destination is reported before the cluster is contacted', onDisk, async (t) => {
  const job = await beginJob(t, cluster);
  const disk = await smallDisk(t, { kibibytes: 16 });
  disk.makeReadOnly();
  const run = await job.run(destinationIn(job, disk.path));
  const says = new RegExp(`${disk.path}: the file system is read-only`);
  assertRefused(run, { code: 'DESTINATION_UNWRITABLE', says, hint: /on a writable file system/ });
  assert.deepEqual(cluster.records.all, []);
});

for (const state of ['full', 'read-only'] as const) {
  test(`a run does not need a home directory, which is ${state}, and cleanup still works`, onDisk, async (t) => {
    const job = await beginJob(t, cluster);
    const disk = await smallDisk(t, { kibibytes: 16 });
    await mkdir(join(disk.path, '.teleport-machine-id'), { mode: 0o700 });
    if (state === 'full') await disk.fill();
    else disk.makeReadOnly();
    const environment = { HOME: disk.path };
    const run = await job.run([...job.flags, '--json'], { environment });
    resultOf(run);
    assert.doesNotMatch(run.stderr, /warning/);
    const { exitCode, stderr } = await job.run(['cleanup'], { environment });
    assert.equal(exitCode, 0, stderr);
    assert.deepEqual((await readdir(job.folder)).includes('identity'), false);
  });
}

test('a run that cannot write its manifest reports the path and succeeds', onDisk, async (t) => {
  const job = await beginJob(t, cluster);
  const disk = await smallDisk(t, { kibibytes: 16 });
  disk.makeReadOnly();
  const run = await job.run([...job.flags, '--json'], { environment: { HOME: disk.path, TMPDIR: disk.path } });
  resultOf(run);
  assert.match(
    run.stderr,
    new RegExp(
      `warning: "cleanup" will not remove .*: ${disk.path}/\\.teleport-machine-id: the file system is read-only`,
    ),
  );
  assert.equal(run.stderr.match(/warning/g)?.length, 1);
});

function destinationIn({ destination, flags }: Job, path: string): readonly string[] {
  return flags.map((flag) => (flag === destination ? path : flag));
}
