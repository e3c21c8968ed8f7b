/** A reset that arrives directly after a ping, on each kind of gRPC connection that the bundle opens. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import test, { type TestContext } from 'node:test';
import { clusterForFile } from './embedded-cluster.ts';
import { beginJob } from './job.ts';
import { resultOf } from './run-result.ts';
import { startResettingRelay } from './resetting-relay.ts';

/** gRPC for Go pings soon after it receives data; this one pings all the time. */
const PING_MS = 50;
const HOLD_MS = 300;
/** A run that does not detect the reset waits for its whole timeout. */
const TIMEOUT_SECONDS = 40;
const MOST_MS = 20_000;

const cluster = await clusterForFile({ http2: { pingMs: PING_MS } });
const RESET = /the connection was reset \(ECONNRESET\)/;

for (const [connection, alpn] of [
  ['the join service', 'teleport-proxy-grpc'],
  ['the Auth Service', 'teleport-auth@'],
] as const) {
  test(`a run notices immediately that its connection to ${connection} was reset, and continues with another one`, async (t) => {
    const relay = await startResettingRelay(t, { before: cluster.info.proxy, alpn, holdMs: HOLD_MS });
    const job = await beginJob(t, cluster);
    const startMs = performance.now();
    const flags = ['run', '--proxy-server', relay.address, '--token', cluster.info.joinToken];
    const run = job.start([
      ...flags,
      ...['--destination', job.destination, '--json', '--debug', '--timeout', String(TIMEOUT_SECONDS)],
    ]);
    relay.client = run.child;
    const ended = await run.finished;
    resultOf(ended);
    assert.match(ended.stderr, RESET);
    assert.equal(relay.cuts, 1);
    assert.ok(performance.now() - startMs < MOST_MS, ended.stderr);
  });
}

/** Stands in for a node whose sshd has not responded yet. */
async function startSilentNode(t: TestContext): Promise<void> {
  const server = createServer((socket) => {
    t.after(() => socket.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  const node = cluster.nodes.find(({ name }) => name === 'web-1');
  assert.ok(node !== undefined && address !== null && typeof address === 'object');
  node.port = address.port;
}

test('an SSH session ends immediately when its connection is reset', async (t) => {
  const relay = await startResettingRelay(t, {
    before: cluster.info.proxy,
    alpn: 'teleport-proxy-ssh-grpc',
    holdMs: HOLD_MS,
  });
  await startSilentNode(t);
  const job = await beginJob(t, cluster);
  resultOf(await job.run([...job.flags, '--json']));
  const startMs = performance.now();
  const target = ['--user=ci', '--host=web-1', '--port=3022', `--cluster=${cluster.info.cluster}`];
  const run = job.start([
    ...['ssh-proxy-command', ...target, `--proxy-server=${relay.address}`, `--destination-dir=${job.destination}`],
  ]);
  relay.client = run.child;
  const ended = await run.finished;
  assert.equal(ended.exitCode, 1, ended.stderr);
  assert.match(ended.stderr, /PROXY_UNREACHABLE/);
  assert.match(ended.stderr, RESET);
  assert.ok(performance.now() - startMs < MOST_MS, ended.stderr);
});
