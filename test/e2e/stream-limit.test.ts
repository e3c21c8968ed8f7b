/** Servers with a small limit of concurrent streams, as Teleport, or a load balancer in front of it, can be configured. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { clusterIn, directoryFor } from './embedded-cluster.ts';
import { beginJob } from './job.ts';
import { resultOf } from './run-result.ts';

const OUTPUTS = `version: v2
outputs:
  - type: identity
    destination: { type: directory, path: ../one }
  - type: identity
    destination: { type: directory, path: ../two }
  - type: kubernetes
    kubernetes_cluster: dev
    destination: { type: directory, path: ../three }
`;

test('a run works with servers that take one to four calls at a time', async (t) => {
  const dir = await directoryFor(t);
  for (const maxConcurrentStreams of [1, 2, 4]) {
    const cluster = await clusterIn(dir, t, { http2: { maxConcurrentStreams } });
    const job = await beginJob(t, cluster);
    const config = await job.addFile('tbot.yaml', OUTPUTS);
    const { proxy, joinToken } = cluster.info;
    const flags = [
      'run',
      '--proxy-server',
      proxy,
      '--token',
      joinToken,
      '--config',
      config,
      '--json',
      '--timeout',
      '20',
    ];
    const run = await job.run(flags);
    resultOf(run);
    assert.doesNotMatch(run.stderr, /trying again/, 'a refused stream is resent on the same connection');
  }
});
