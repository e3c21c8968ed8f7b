import assert from 'node:assert/strict';
import { userInfo } from 'node:os';
import test, { after } from 'node:test';
import { clusterIn, directoryFor } from './embedded-cluster.ts';
import { beginJob } from './job.ts';
import { missing, runProgram, type ProgramRun } from '../programs.ts';
import { resultOf } from './run-result.ts';
import { sshOptions, startNode } from './ssh-node.ts';

const skip = missing('sshd', 'ssh', 'ssh-keygen');
const authorities = await directoryFor({ after });
const user = userInfo().username;

test('a user without access to a node gets the reason', { skip }, async (t) => {
  const cluster = await clusterIn(authorities, t, { extraLogins: [user] });
  const own = cluster.info.cluster;
  const job = await beginJob(t, cluster);
  resultOf(await job.run([...job.flags, '--json']));
  await startNode(t, cluster, job, { name: 'web-1' });
  await startNode(t, cluster, job, { name: 'vault-1' });
  const ssh = (target: string): Promise<ProgramRun> =>
    runProgram('ssh', [...sshOptions(job), target, 'echo let in'], { timeoutMs: 60_000 });

  const unreachable = [
    ['web-9', /target host web-9 is offline or does not exist/],
    ['web-2', /the agent is offline or has disconnected/],
    ['twin', /ambiguous host could match multiple nodes/],
    ['00000000-1111-4222-8333-444444444444', /unable to locate node matching UUID-like target/],
  ] as const;
  await t.test('a node that cannot be reached is reported with the message of the Proxy', async () => {
    const runs = await Promise.all(
      unreachable.map(async ([host, said]) => ({ host, said, run: await ssh(`${user}@${host}.${own}`) })),
    );
    for (const { host, run, said } of runs) {
      assert.equal(run.exitCode, 255);
      assert.match(run.stderr, new RegExp(`error: cannot reach node "${host}" of example\\.teleport\\.test: `));
      assert.match(run.stderr, said);
      assert.match(run.stderr, /code: NODE_UNREACHABLE/);
    }
  });

  await t.test('a node refuses labels and logins that no role has, inside SSH', async () => {
    const runs = await Promise.all([ssh(`${user}@vault-1.${own}`), ssh(`nobody@web-1.${own}`)]);
    for (const { exitCode, stderr, stdout } of runs) {
      assert.equal(stdout, '');
      assert.equal(exitCode, 255);
      assert.match(stderr, /Permission denied \(publickey\)/);
      assert.doesNotMatch(stderr, /error:|code:/);
    }
  });

  await t.test('a node can also be reached by its id', async () => {
    const { id = '' } = cluster.nodes.find(({ name }) => name === 'web-1') ?? {};
    const run = await runProgram(
      'ssh',
      [...sshOptions(job), '-o', `HostKeyAlias=web-1.${own}`, `${user}@${id}.${own}`, 'echo let in'],
      { timeoutMs: 60_000 },
    );
    assert.equal(run.stdout, 'let in\n', run.stderr);
  });
});
