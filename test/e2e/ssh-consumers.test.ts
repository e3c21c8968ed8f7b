/** Programs that use SSH, each with our ssh_config to a real sshd through the embedded cluster. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { clusterForFile } from './embedded-cluster.ts';
import { beginJob, type Job } from './job.ts';
import { bounded, missing, program, runProgram } from '../programs.ts';
import { resultOf } from './run-result.ts';
import { sshOptions, startNode } from './ssh-node.ts';

const user = userInfo().username;
const cluster = await clusterForFile({ extraLogins: [user] });
const HOST = `web-1.${cluster.info.cluster}`;
const skip = missing('ssh', 'sshd', 'ssh-keygen');

async function beginWithNode(t: TestContext): Promise<Job> {
  const job = await beginJob(t, cluster);
  resultOf(await job.run([...job.flags, '--json']));
  await startNode(t, cluster, job, { name: 'web-1' });
  return job;
}

/** For programs that take the ssh command as one string. */
function sshCommand(job: Job): string {
  return ['ssh', ...sshOptions(job)].join(' ');
}

test('rsync copies a tree in both directions', { skip: skip ?? missing('rsync') }, async (t) => {
  const job = await beginWithNode(t);
  const [here, there, back] = [join(job.folder, 'here'), join(job.folder, 'there'), join(job.folder, 'back')];
  await mkdir(join(here, 'deep/er'), { recursive: true });
  await writeFile(join(here, 'deep/er/binary'), randomBytes(3 * 1024 * 1024));
  await writeFile(join(here, 'with blank'), 'text');
  const rsync = async (from: string, to: string): Promise<void> => {
    const { exitCode, stderr } = await runProgram('rsync', ['-a', '--checksum', '-e', sshCommand(job), from, to]);
    assert.equal(exitCode, 0, stderr);
  };
  await rsync(`${here}/`, `${user}@${HOST}:${there}/`);
  await rsync(`${user}@${HOST}:${there}/`, `${back}/`);
  const { exitCode, stdout } = await runProgram('diff', ['-r', here, back]);
  assert.equal(exitCode, 0, stdout);
  assert.deepEqual(await readdir(back), ['deep', 'with blank']);
});

test('git pushes to and clones from a repository on a node', { skip: skip ?? missing('git') }, async (t) => {
  const job = await beginWithNode(t);
  const environment = {
    GIT_SSH_COMMAND: sshCommand(job),
    GIT_CONFIG_GLOBAL: '/dev/null',
    HOME: job.folder,
    ...identity('AUTHOR'),
    ...identity('COMMITTER'),
  };
  const git = async (...args: readonly string[]): Promise<string> => {
    const { exitCode, stderr, stdout } = await runProgram('git', args, { environment });
    assert.equal(exitCode, 0, stderr);
    return stdout.trim();
  };
  const [bare, work, clone] = ['bare.git', 'work', 'clone'].map((name) => join(job.folder, name));
  assert.ok(bare !== undefined && work !== undefined && clone !== undefined);
  await git('init', '-q', '--bare', '-b', 'main', bare);
  await git('init', '-q', '-b', 'main', work);
  await writeFile(join(work, 'file'), randomBytes(1024 * 1024));
  await git('-C', work, 'add', 'file');
  await git('-C', work, 'commit', '-q', '-m', 'Add a file');
  await git('-C', work, 'push', '-q', `${user}@${HOST}:${bare}`, 'main');
  await git('clone', '-q', `${user}@${HOST}:${bare}`, clone);
  assert.equal(await git('-C', clone, 'rev-parse', 'HEAD'), await git('-C', work, 'rev-parse', 'HEAD'));
});

function identity(role: 'AUTHOR' | 'COMMITTER'): Record<string, string> {
  return { [`GIT_${role}_NAME`]: 'CI', [`GIT_${role}_EMAIL`]: 'ci@example.com' };
}

test('ssh forwards ports in both directions', { skip: skip ?? missing('curl') }, async (t) => {
  const job = await beginWithNode(t);
  const server = createServer((_request, response) => response.end('through the tunnel')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const target = `127.0.0.1:${String(address.port)}`;
  for (const [direction, socket] of [
    ['-L', join(job.folder, 'local.sock')],
    ['-R', join(job.folder, 'remote.sock')],
  ] as const) {
    const args = [...sshOptions(job), '-N', '-o', 'ExitOnForwardFailure=yes', direction, `${socket}:${target}`];
    const ssh = bounded(
      spawn(program('ssh'), [...args, `${user}@${HOST}`], { stdio: ['ignore', 'inherit', 'inherit'] }),
    );
    t.after(() => ssh.kill());
    const curl = ['--silent', '--unix-socket', socket, '--retry', '50', '--retry-delay', '0', '--retry-all-errors'];
    const { stdout } = await runProgram('curl', [...curl, '--retry-max-time', '10', 'http://localhost/']);
    assert.equal(stdout, 'through the tunnel', direction);
    ssh.kill();
  }
});

test('Ansible pings a node', { skip: skip ?? missing('ansible') }, async (t) => {
  const job = await beginWithNode(t);
  const inventory = await job.addFile('inventory.ini', `[web]\n${HOST}\n`);
  const environment = {
    HOME: job.folder,
    ANSIBLE_SSH_ARGS: sshOptions(job).join(' '),
    ANSIBLE_LOCAL_TEMP: join(job.folder, 'ansible-here'),
    ANSIBLE_REMOTE_TEMP: join(job.folder, 'ansible-there'),
    ANSIBLE_PYTHON_INTERPRETER: 'auto_silent',
    ANSIBLE_NOCOLOR: '1',
    LC_ALL: 'C.UTF-8',
  };
  const args = ['all', '--inventory', inventory, '--user', user, '--module-name', 'ping'];
  const { exitCode, stderr, stdout } = await runProgram('ansible', args, { environment, timeoutMs: 60_000 });
  assert.equal(exitCode, 0, `${stdout}${stderr}`);
  assert.match(stdout, /web-1\.example\.teleport\.test \| SUCCESS => [^]*"ping": "pong"/);
});

test('the node rejects a login that is not in the certificate', { skip }, async (t) => {
  const job = await beginWithNode(t);
  const { exitCode, stderr, stdout } = await runProgram('ssh', [...sshOptions(job), `nobody@${HOST}`, 'true']);
  assert.equal(exitCode, 255);
  assert.equal(stdout, '');
  assert.match(stderr, /nobody@web-1\.example\.teleport\.test: Permission denied \(publickey\)/);
});
