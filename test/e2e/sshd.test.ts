import assert from 'node:assert/strict';
import { copyFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { clusterIn, directoryFor } from './embedded-cluster.ts';
import { beginJob } from './job.ts';
import { missing, runProgram, type ProgramRun } from '../programs.ts';
import { resultOf } from './run-result.ts';
import { startSshd } from './sshd.ts';

const skip = missing('sshd', 'ssh', 'ssh-keygen');
const authorities = await directoryFor({ after });
const user = userInfo().username;

/** Below the cluster's name, as `known_hosts` and `ssh_config` trust and match it. */
const NODE = 'node-1.example.teleport.test';

for (const teleport of ['15.3.7', '18.6.0']) {
  test(`Teleport ${teleport}: a real sshd that trusts the user authority`, { skip }, async (t) => {
    const cluster = await clusterIn(authorities, t, { teleport, extraLogins: [user] });
    const job = await beginJob(t, cluster);
    resultOf(await job.run([...job.flags, '--json']));
    const file = (name: string) => join(job.destination, name);
    const { port, log } = await startSshd(t, cluster, job.folder, { hostName: NODE });
    const reach = ['-p', String(port), '-o', 'HostName=127.0.0.1', '-o', `HostKeyAlias=${NODE}`, '-o', 'BatchMode=yes'];
    const login = (args: readonly string[], hostAlias = NODE): Promise<ProgramRun> =>
      runProgram('ssh', [...reach, '-o', 'StrictHostKeyChecking=yes', ...args, `${user}@${hostAlias}`, 'echo let in']);
    const known = ['-F', 'none', '-o', `UserKnownHostsFile=${file('known_hosts')}`];

    await t.test('accepts a job with key and certificate, and known_hosts trusts its host certificate', async () => {
      const { exitCode, stdout, stderr } = await login([...known, '-i', file('key')]);
      assert.equal(stdout, 'let in\n', `${stderr}\n${log()}`);
      assert.equal(exitCode, 0);
      assert.match(log(), /Accepted publickey .*-CERT.* ID bot-ci/);
    });

    await t.test('accepts a job with the generated ssh_config without its proxy command', async () => {
      const { stdout, stderr } = await login([
        '-F',
        file('ssh_config'),
        '-o',
        'ProxyCommand=none',
        '-o',
        'IdentitiesOnly=yes',
      ]);
      assert.equal(stdout, 'let in\n', stderr);
    });

    await t.test('rejects the key without the certificate', async () => {
      const bare = join(job.folder, 'bare-key');
      await copyFile(file('key'), bare);
      assertNotLetIn(await login([...known, '-i', bare]));
    });

    await t.test('rejects another key', async () => {
      const other = join(job.folder, 'other-key');
      await runProgram('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', other]);
      assertNotLetIn(await login([...known, '-i', other]));
    });

    await t.test('rejects another key with the certificate', async () => {
      const certificate = ['-o', `CertificateFile=${file('key-cert.pub')}`];
      assertNotLetIn(await login([...known, '-i', join(job.folder, 'other-key'), ...certificate]));
    });

    await t.test('is not trusted by a client that does not know its host authority', async () => {
      const { exitCode, stderr } = await login(['-F', 'none', '-o', 'UserKnownHostsFile=/dev/null', '-i', file('key')]);
      assert.notEqual(exitCode, 0);
      assert.match(stderr, /Host key verification failed/);
    });
  });
}

function assertNotLetIn({ exitCode, stdout, stderr }: ProgramRun): void {
  assert.equal(stdout, '');
  assert.equal(exitCode, 255);
  assert.match(stderr, /Permission denied \(publickey\)/);
}
