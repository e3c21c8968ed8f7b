/** The tunnel `ssh-multiplexer`, with OpenSSH's own programs and Ansible to real nodes. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { missing, type ProgramRun, runProgram } from '../programs.ts';
import { directory, itemsText } from './config-file.ts';
import { clusterForFile } from './embedded-cluster.ts';
import { listing, modeOf } from './folder-listing.ts';
import { beginJob, type Job } from './job.ts';
import type { StartedBundle } from './run-bundle.ts';
import { startNode } from './ssh-node.ts';

const user = userInfo().username;
const cluster = await clusterForFile({ extraLogins: [user] });
const HOST = `web-1.${cluster.info.cluster}`;
const skip = missing('ssh', 'scp', 'sshd', 'ssh-keygen', 'ssh-add');

interface OpenMultiplexer {
  readonly job: Job;
  readonly folder: string;
  readonly tunnel: StartedBundle;
  /** The options of a user who trusts only the files of the tunnel. */
  readonly options: readonly string[];
}

/** A tunnel that is ready, and a node. */
async function openMultiplexer(
  t: TestContext,
  args: (job: Job, folder: string) => readonly string[] = () => ['-c', 'tbot.yaml'],
): Promise<OpenMultiplexer> {
  const job = await beginJob(t, cluster);
  await startNode(t, cluster, job, { name: 'web-1' });
  const folder = join(job.folder, 'mux');
  await job.addFile('tbot.yaml', itemsText(cluster, [`type: ssh-multiplexer, ${directory(folder)}`]));
  const tunnel = job.start(['tunnel', '--foreground', ...args(job, folder)]);
  t.after(async () => {
    tunnel.child.kill('SIGTERM');
    await tunnel.finished;
  });
  await said(tunnel, '1 tunnel ready');
  const options = ['-F', join(folder, 'ssh_config'), '-o', 'StrictHostKeyChecking=yes', '-o', 'BatchMode=yes'];
  return { job, folder, tunnel, options };
}

async function said({ child }: StartedBundle, text: string): Promise<void> {
  let printed = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    printed += chunk.toString();
  });
  while (!printed.includes(text)) {
    assert.equal(child.exitCode, null, printed);
    await delay(10);
  }
}

function ssh({ options }: OpenMultiplexer, ...command: readonly string[]): Promise<ProgramRun> {
  return runProgram('ssh', [...options, `${user}@${HOST}`, ...command]);
}

test('ssh, scp and many sessions at once share one connection to the Proxy', { skip }, async (t) => {
  const open = await openMultiplexer(t);
  const single = await ssh(open, 'echo from the node; exit 7');
  assert.deepEqual([single.exitCode, single.stdout], [7, 'from the node\n'], single.stderr);

  const [from, to] = [join(open.job.folder, 'from'), join(open.job.folder, 'to')];
  await writeFile(from, Buffer.alloc(3_000_000, 'machine-id '));
  const copied = await runProgram('scp', [...open.options, '-q', from, `${user}@${HOST}:${to}`]);
  assert.equal(copied.exitCode, 0, copied.stderr);
  assert.deepEqual(await readFile(to), await readFile(from));

  const runs = await Promise.all(Array.from({ length: 8 }, (_, at) => ssh(open, `echo ${at}; sleep 0.2`)));
  assert.deepEqual(
    runs.map(({ stdout }) => stdout.trim()),
    runs.map((_, at) => String(at)),
  );
  // Each names the node, and none a login: the node checks that itself.
  const sessions = cluster.records.of('proxy-ssh').filter(({ fields }) => fields.hostPort === 'web-1:3022');
  assert.equal(sessions.length, 10);
  const connections = cluster.records.of('connection').filter(({ alpn }) => alpn.includes('teleport-proxy-ssh-grpc'));
  assert.equal(connections.length, 1);
});

test('the files and sockets are for this user alone, and gone with the tunnel', { skip }, async (t) => {
  const byFlags = ({ flags }: Job, to: string) => [...flags.slice(1, 5), '--ssh-multiplexer', '--destination', to];
  const { folder, tunnel } = await openMultiplexer(t, byFlags);
  for (const name of ['ssh_config', 'known_hosts', 'v1.sock', 'agent.sock']) {
    assert.equal(await modeOf(join(folder, name)), '0600', name);
  }
  const keys = await runProgram('ssh-add', ['-L'], { environment: { SSH_AUTH_SOCK: join(folder, 'agent.sock') } });
  assert.match(keys.stdout, /^\S+-cert-v01@openssh\.com \S+ machine-id\n(?!\S*-cert)\S+ \S+ machine-id\n$/);
  const refused = await runProgram('ssh-add', ['-D'], { environment: { SSH_AUTH_SOCK: join(folder, 'agent.sock') } });
  assert.notEqual(refused.exitCode, 0);
  tunnel.child.kill('SIGTERM');
  await tunnel.finished;
  assert.deepEqual([...(await listing(folder)).keys()].sort(), ['.', 'known_hosts', 'ssh_config']);
});

test('a node that cannot be reached is an error that ssh shows', { skip }, async (t) => {
  const { options } = await openMultiplexer(t);
  const run = await runProgram('ssh', [...options, `${user}@web-9.${cluster.info.cluster}`, 'true']);
  assert.equal(run.exitCode, 255);
  assert.match(run.stderr, /error: cannot reach node "web-9" of example\.teleport\.test: /);
});

test('a client that names no node is disconnected', { skip }, async (t) => {
  const { folder } = await openMultiplexer(t);
  for (const header of ['web-1:22|a|b\0', 'not a name\0', 'x'.repeat(1100)]) {
    const socket = connect(join(folder, 'v1.sock'));
    socket.write(header);
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    await once(socket, 'close');
    assert.match(Buffer.concat(chunks).toString(), /^machine-id: a client did not name its node: /);
  }
});

test('without a tunnel, ssh shows where none listens', { skip }, async (t) => {
  const open = await openMultiplexer(t);
  open.tunnel.child.kill('SIGTERM');
  await open.tunnel.finished;
  const { exitCode, stderr } = await ssh(open, 'true');
  assert.equal(exitCode, 255);
  assert.match(stderr, /error: no tunnel listens at \/\S+\/v1\.sock: .*ENOENT/);
});

test('Ansible runs a playbook on a node', { skip: skip ?? missing('ansible') }, async (t) => {
  const { job, options } = await openMultiplexer(t);
  const inventory = await job.addFile('inventory.ini', `[web]\n${HOST}\n`);
  const environment = {
    HOME: job.folder,
    ANSIBLE_SSH_ARGS: options.join(' '),
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
