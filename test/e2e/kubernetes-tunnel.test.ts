/** The tunnel `kubernetes-tunnel`, used by kubectl where its own certificate would not reach the Proxy. */
import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import test, { after } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { missing, runProgram } from '../programs.ts';
import { clusterIn, directoryFor } from './embedded-cluster.ts';
import { beginJob } from './job.ts';

const skip = missing('kubectl');
const authorities = await directoryFor({ after });

for (const front of ['plain', 'l7'] as const) {
  test(`kubectl reaches a cluster through the tunnel, with the front ${front}`, { skip }, async (t) => {
    const cluster = await clusterIn(authorities, t, { front });
    const job = await beginJob(t, cluster);
    const kubeconfig = join(job.folder, 'kube', 'kubeconfig.yaml');
    const { joinToken, proxy } = cluster.info;
    const file = await job.addFile(
      'tbot.yaml',
      `version: v2
proxy_server: ${proxy}
onboarding: {join_method: circleci, token: ${joinToken}}
services:
- {type: kubernetes-tunnel, kubernetes_cluster: dev, listen: "tcp://127.0.0.1:0", kubeconfig: ${kubeconfig}}
`,
    );
    const byFlags = [...job.flags.slice(1, 5), '--kubernetes-cluster', 'dev', '--destination', dirname(kubeconfig)];
    const args = front === 'plain' ? ['--config', file] : byFlags;
    const { child, finished } = job.start(['tunnel', '--foreground', ...args]);
    t.after(async () => {
      child.kill();
      await finished;
    });
    let log = '';
    child.stderr?.on('data', (text) => (log += String(text)));
    while (!log.includes('1 tunnel ready')) {
      assert.equal(child.exitCode, null, log);
      await pause(20);
    }
    assert.equal((await stat(kubeconfig)).mode & 0o777, 0o600);
    assert.doesNotMatch(await readFile(kubeconfig, 'utf8'), /certificate|token|key-data/);
    const kubectl = (...args: string[]) =>
      runProgram('kubectl', ['--kubeconfig', kubeconfig, '--cache-dir', join(job.folder, 'cache'), ...args]);
    const pods = await kubectl('get', 'pods', '--namespace', 'web', '--output', 'name');
    assert.equal(pods.stdout, 'pod/pod-of-dev\n', pods.stderr);
    const created = await kubectl('create', 'configmap', 'build', '--from-literal', 'number=1');
    assert.equal(created.stdout, 'configmap/build created\n', created.stderr);
    const record = cluster.records.of('kubernetes').at(-1);
    assert.equal(record?.fields.cluster, 'dev');
    assert.equal(record.fields.user, 'bot-ci');
  });
}

test('a tunnel to a Kubernetes cluster that the bot cannot see does not become ready', async (t) => {
  const cluster = await clusterIn(authorities, t, {});
  const job = await beginJob(t, cluster);
  const run = await job.run(['tunnel', ...job.flags.slice(1, 5), '--foreground', '--kubernetes-cluster', 'payroll']);
  assert.equal(run.exitCode, 1);
  assert.match(run.stderr, /TUNNEL_NOT_READY/);
  assert.match(run.stderr, /RESOURCE_UNKNOWN: --kubernetes-cluster: Kubernetes cluster "payroll" not found/);
});
