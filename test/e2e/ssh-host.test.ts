import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { directory, runItems } from './config-file.ts';
import { clusterIn, directoryFor } from './embedded-cluster.ts';
import { beginJob } from './job.ts';
import { missing, type ProgramRun, runProgram } from '../programs.ts';
import { assertRefused } from './refusal.ts';
import { resultOf } from './run-result.ts';
import { startSshdWith } from './sshd.ts';

const skip = missing('sshd', 'ssh', 'ssh-keygen');
const authorities = await directoryFor({ after });
const user = userInfo().username;
const HOST = 'build-1.example.teleport.test';
const GENERATE = 'rpc:/teleport.trust.v1.TrustService/GenerateHostCert';

for (const { teleport, keyType } of [
  { teleport: '15.3.7', keyType: 'RSA' },
  { teleport: '18.6.0', keyType: 'ED25519' },
]) {
  test(`Teleport ${teleport}: a real sshd with the files of ssh_host`, { skip }, async (t) => {
    const cluster = await clusterIn(authorities, t, { teleport, extraLogins: [user] });
    const job = await beginJob(t, cluster);
    const file = (name: string) => join(job.folder, 'host', name);
    const result = resultOf(
      await runItems(cluster, job, [
        `type: ssh_host, principals: [${HOST}, 127.0.0.1], ${directory(join(job.folder, 'host'))}`,
        `type: identity, ${directory(job.destination)}`,
      ]),
    );
    assert.deepEqual(result.outputs[0]?.files, ['ssh_host-cert.pub', 'ssh_host', 'ssh_host-user-ca.pub']);
    const { port, log } = await startSshdWith(t, job.folder, {
      hostKey: file('ssh_host'),
      hostCertificate: file('ssh_host-cert.pub'),
      trustedUserCaKeys: file('ssh_host-user-ca.pub'),
    });
    const login = (hostAlias: string, knownHosts = join(job.destination, 'known_hosts')): Promise<ProgramRun> =>
      runProgram('ssh', [
        ...['-F', 'none', '-p', String(port), '-i', join(job.destination, 'key'), '-o', 'BatchMode=yes'],
        ...['-o', 'HostName=127.0.0.1', '-o', `HostKeyAlias=${hostAlias}`, '-o', 'StrictHostKeyChecking=yes'],
        ...['-o', `UserKnownHostsFile=${knownHosts}`, `${user}@${hostAlias}`, 'echo let in'],
      ]);

    await t.test(
      'is trusted for its principal by a client that knows the host authority, and lets users in',
      async () => {
        const { stdout, stderr } = await login(HOST);
        assert.equal(stdout, 'let in\n', `${stderr}\n${log()}`);
      },
    );

    await t.test('is not trusted under a name that the certificate does not have', async () => {
      const { exitCode, stderr } = await login('other.example.teleport.test');
      assert.notEqual(exitCode, 0);
      assert.match(stderr, /not a listed principal|Host key verification failed/);
    });

    await t.test('is not trusted by a client that knows no authority', async () => {
      const { exitCode, stderr } = await login(HOST, '/dev/null');
      assert.notEqual(exitCode, 0);
      assert.match(stderr, /Host key verification failed/);
    });

    await t.test(
      'ssh-keygen reads a host certificate with the principals and the hour that were requested',
      async () => {
        const { stdout } = await runProgram('ssh-keygen', ['-L', '-f', file('ssh_host-cert.pub')]);
        assert.match(stdout, /Type: \S+ host certificate/);
        assert.match(stdout, new RegExp(`Public key: ${keyType}-CERT `));
        assert.match(stdout, new RegExp(`Principals: *\\n +${HOST}\\n +127\\.0\\.0\\.1\\n`));
        const [asked] = cluster.records.of(GENERATE);
        assert.equal(asked?.fields.ttlMs, 60 * 60 * 1000);
      },
    );

    await t.test('ssh-keygen finds one key in both files', async () => {
      const { stdout } = await runProgram('ssh-keygen', ['-y', '-f', file('ssh_host')]);
      const path = join(job.folder, 'host.pub');
      await writeFile(path, stdout);
      const fingerprint = /SHA256:\S+/;
      const ofKey = fingerprint.exec((await runProgram('ssh-keygen', ['-l', '-f', path])).stdout)?.[0];
      const listing = await runProgram('ssh-keygen', ['-L', '-f', file('ssh_host-cert.pub')]);
      assert.equal(/Public key: \S+ (SHA256:\S+)/.exec(listing.stdout)?.[1], ofKey);
    });

    await t.test('the file of user authorities names their cluster', async () => {
      const text = await readFile(file('ssh_host-user-ca.pub'), 'utf8');
      assert.match(text, /^ssh-\S+ [A-Za-z0-9+/=]+ clustername=example\.teleport\.test&type=user\n$/);
    });
  });
}

test('hosts that trust the authority for hosts without an agent get that authority', { skip }, async (t) => {
  const cluster = await clusterIn(authorities, t, {});
  const job = await beginJob(t, cluster);
  const [users, openssh] = ['users', 'openssh'].map((name) => join(job.folder, name));
  resultOf(
    await runItems(cluster, job, [
      `type: ssh_host, principals: [${HOST}], ${directory(users ?? '')}`,
      `type: ssh_host, principals: [${HOST}], ca_type: openssh, ${directory(openssh ?? '')}`,
    ]),
  );
  const [one, other] = await Promise.all(
    [users, openssh].map((folder) => readFile(join(folder ?? '', 'ssh_host-user-ca.pub'), 'utf8')),
  );
  assert.match(other ?? '', /clustername=example\.teleport\.test&type=user/);
  assert.notEqual(one, other);
});

test('a role without host_cert gets no host certificate, and the hint says which rule is missing', async (t) => {
  const cluster = await clusterIn(authorities, t, {});
  const job = await beginJob(t, cluster);
  const run = await runItems(cluster, job, [
    `type: ssh_host, roles: [deployer], principals: [${HOST}], ${directory(job.destination)}`,
  ]);
  assertRefused(run, { code: 'AUTH_DENIED', says: /host certificate: .*host_cert/, hint: /verb create on host_cert/ });
});
