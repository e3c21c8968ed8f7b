import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { clusterIn, directoryFor, misbehave } from './embedded-cluster.ts';
import { beginJob } from './job.ts';
import { missing, runProgram, type ProgramRun } from '../programs.ts';
import { assertRefused } from './refusal.ts';
import { resultOf } from './run-result.ts';
import { sshOptions, startNode } from './ssh-node.ts';

const skip = missing('sshd', 'ssh', 'scp', 'sftp', 'ssh-keygen');
const authorities = await directoryFor({ after });
const user = userInfo().username;
const LEAF = 'leaf.example.com';

for (const teleport of ['15.3.7', '18.6.0']) {
  test(`Teleport ${teleport}: OpenSSH reaches nodes with the generated ssh_config`, { skip }, async (t) => {
    const cluster = await clusterIn(authorities, t, { teleport, extraLogins: [user] });
    const own = cluster.info.cluster;
    const job = await beginJob(t, cluster);
    resultOf(await job.run([...job.flags, '--json']));
    await startNode(t, cluster, job, { name: 'web-1' });
    await startNode(t, cluster, job, { name: 'leaf-1', ofCluster: LEAF });
    const ssh = (host: string, ...command: string[]): Promise<ProgramRun> =>
      runProgram('ssh', [...sshOptions(job), `${user}@${host}`, ...command]);

    await t.test('a command runs on a node', async () => {
      const { exitCode, stdout, stderr } = await ssh(`web-1.${own}`, 'echo let in');
      assert.equal(stdout, 'let in\n', stderr);
      assert.equal(exitCode, 0);
      assert.doesNotMatch(stderr, /error:|code:/, 'ssh ends its proxy command by SIGHUP');
      const [record] = cluster.records.of('proxy-ssh');
      assert.deepEqual(record?.fields, { hostPort: 'web-1:3022', cluster: own, login: user });
      assert.deepEqual(record.alpn, ['teleport-proxy-ssh-grpc', 'h2']);
      assert.equal(record.serverName, 'localhost');
    });

    await t.test('the exit code of the command is returned', async () => {
      assert.equal((await ssh(`web-1.${own}`, 'exit 7')).exitCode, 7);
    });

    await t.test('a node of a leaf cluster is reached', async () => {
      const { stdout, stderr } = await ssh(`leaf-1.${LEAF}`, 'echo leaf');
      assert.equal(stdout, 'leaf\n', stderr);
    });

    await t.test('scp and sftp carry files unchanged, both ways', async () => {
      const bytes = randomBytes(8 * 1024 * 1024);
      const [up, there, down] = ['up', 'there', 'down'].map((name) => join(job.folder, name));
      assert.ok(up !== undefined && there !== undefined && down !== undefined);
      await writeFile(up, bytes);
      const scp = await runProgram('scp', ['-q', ...sshOptions(job), up, `${user}@web-1.${own}:${there}`]);
      assert.equal(scp.exitCode, 0, scp.stderr);
      const sftp = await runProgram('sftp', ['-q', ...sshOptions(job), `${user}@web-1.${own}:${there}`, down]);
      assert.equal(sftp.exitCode, 0, sftp.stderr);
      assert.equal(digest(await readFile(down)), digest(bytes));
    });
  });
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

test('the proxy command reports missing arguments', async (t) => {
  const cluster = await clusterIn(authorities, t, {});
  const job = await beginJob(t, cluster);
  const wrong = await job.run(['ssh-proxy-command', '--port=99999', '--proxy-server=https://x']);
  assert.equal(wrong.exitCode, 2);
  for (const part of ['--cluster: is missing', '--port: must be a port number', '--proxy-server: must be host:port']) {
    assert.ok(wrong.stderr.includes(part), wrong.stderr);
  }
  const flags = ['--cluster=c', '--user=u', '--host=h', '--port=3022', `--proxy-server=${cluster.info.proxy}`];
  const unreadable = await job.run(['ssh-proxy-command', ...flags, `--destination-dir=${job.destination}`]);
  assert.equal(unreadable.exitCode, 1);
  assert.match(unreadable.stderr, /code: IDENTITY_UNREADABLE/);
});

test('an expired identity is reported to ssh and kubectl', async (t) => {
  const cluster = await clusterIn(authorities, t, {});
  const job = await beginJob(t, cluster);
  misbehave(t, cluster, { maxTtlMs: 2000 });
  const { exitCode, stderr } = await job.run(job.flags);
  assert.equal(exitCode, 0, stderr);
  const flags = ['--cluster=c', '--user=u', '--host=h', '--port=3022', `--proxy-server=${cluster.info.proxy}`];
  await new Promise((resolve) => setTimeout(resolve, 2000));
  for (const args of [['ssh-proxy-command', ...flags], ['kube-credentials']]) {
    const run = await job.run([...args, `--destination-dir=${job.destination}`]);
    assertRefused(run, {
      code: 'IDENTITY_UNREADABLE',
      says: /^the certificate in .*identity expired at 20\d\d-/,
      hint: /^Call run again before this step/,
    });
  }
});

test('an identity without authorities trusts no server', async (t) => {
  const cluster = await clusterIn(authorities, t, {});
  const job = await beginJob(t, cluster);
  assert.equal((await job.run(job.flags)).exitCode, 0);
  const path = join(job.destination, 'identity');
  const [key = '', , certificate = ''] = (await readFile(path, 'utf8')).split(/^(?=-----BEGIN|\S+-cert-v01)/m);
  await writeFile(path, key + certificate);
  const flags = ['--cluster=c', '--user=u', '--host=h', '--port=3022', `--proxy-server=${cluster.info.proxy}`];
  const run = await job.run(['ssh-proxy-command', ...flags, `--destination-dir=${job.destination}`]);
  assertRefused(run, { code: 'IDENTITY_UNREADABLE', says: /contains no host authority/ });
});
