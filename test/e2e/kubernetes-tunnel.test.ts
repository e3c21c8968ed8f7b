/** The tunnel `kubernetes-tunnel`, used by kubectl where its own certificate would not reach the Proxy. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import test, { after } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { bounded, missing, runProgram } from '../programs.ts';
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

    await t.test('logs and changes are followed as they come', async () => {
      const follow = (...args: string[]) => following(['--kubeconfig', kubeconfig, ...args, '--namespace', 'web']);
      const logs = follow('logs', '--follow', 'pod-of-dev');
      const changes = follow('get', 'configmaps', '--watch', '--output', 'name');
      await printed(logs, 'started in dev\n');
      const isWatched = () =>
        cluster.records.of('kubernetes').some(({ fields }) => String(fields.path).includes('watch='));
      while (!isWatched()) await pause(20);
      await kubectl('create', 'configmap', 'first', '--namespace', 'web');
      await printed(logs, 'started in dev\ngot first\n');
      await printed(changes, 'configmap/first\n');
      await kubectl('create', 'configmap', 'last', '--namespace', 'web');
      await printed(logs, 'started in dev\ngot first\ngot last\n');
      await printed(changes, 'configmap/first\nconfigmap/last\n');
    });

    for (const protocol of ['websocket', 'SPDY/3.1']) {
      await t.test(
        `exec with ${protocol} has bytes in both directions, also from a client that half-closes`,
        async () => {
          const [, host = '', port = ''] = /http:\/\/([^:]+):(\d+)/.exec(await readFile(kubeconfig, 'utf8')) ?? [];
          const client = connect({ host, port: Number(port), allowHalfOpen: true });
          let received = '';
          client.on('data', (chunk) => (received += chunk.toString('latin1')));
          const path = '/api/v1/namespaces/web/pods/pod-of-dev/exec?command=cat&stdin=true';
          client.write(
            `POST ${path} HTTP/1.1\r\nHost: kubernetes\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`,
          );
          await arrived(() => received.endsWith('\r\n\r\n'));
          assert.match(received, new RegExp(`^HTTP/1.1 101 Switching Protocols\r\n.*Upgrade: ${protocol}\r\n`, 's'));
          received = '';
          client.write('one');
          await arrived(() => received === 'one');
          const many = 'two'.repeat(100_000);
          client.end(many);
          await once(client, 'end', { signal: AbortSignal.timeout(20_000) });
          assert.ok(received === `one${many}`, `${received.length} of ${many.length + 3} bytes came back`);
        },
      );
    }
  });
}

interface Following {
  readonly text: () => string;
}

/** kubectl, until it ends. */
function following(args: readonly string[]): Following {
  const child = bounded(spawn('kubectl', args, { stdio: ['ignore', 'pipe', 'inherit'] }), 20_000);
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  after(() => child.kill('SIGKILL'));
  return { text: () => text };
}

async function printed({ text }: Following, wanted: string): Promise<void> {
  await arrived(() => text() === wanted).catch(() => undefined);
  assert.equal(text(), wanted);
}

async function arrived(holds: () => boolean): Promise<void> {
  const lateMs = Date.now() + 20_000;
  while (!holds()) {
    assert.ok(Date.now() < lateMs, 'it does not come');
    await pause(20);
  }
}

test('a tunnel to a Kubernetes cluster that the bot cannot see does not become ready', async (t) => {
  const cluster = await clusterIn(authorities, t, {});
  const job = await beginJob(t, cluster);
  const run = await job.run(['tunnel', ...job.flags.slice(1, 5), '--foreground', '--kubernetes-cluster', 'payroll']);
  assert.equal(run.exitCode, 1);
  assert.match(run.stderr, /TUNNEL_NOT_READY/);
  assert.match(run.stderr, /RESOURCE_UNKNOWN: --kubernetes-cluster: Kubernetes cluster "payroll" not found/);
});
