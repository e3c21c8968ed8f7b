/** Names of clusters, from the shortest to the longest that the connection to the Auth Service supports. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { clusterIn, directoryFor } from './embedded-cluster.ts';
import { beginJob } from './job.ts';
import { resultOf } from './run-result.ts';

const NAMES = ['x', `${'n'.repeat(50)}.${'m'.repeat(58)}`, 'кластер.example', '集群'];

for (const clusterName of NAMES) {
  const bytes = Buffer.byteLength(clusterName);
  test(`a cluster whose name has ${String(bytes)} bytes is reached on Teleport Cloud: ${clusterName}`, async (t) => {
    const cluster = await clusterIn(await directoryFor(t), t, { front: 'cloud', clusterName });
    const job = await beginJob(t, cluster);
    const result = resultOf(await job.run([...job.flags, '--json']));
    assert.equal(result.cluster, clusterName);
    assert.match(await readFile(join(job.destination, 'known_hosts'), 'utf8'), /^@cert-authority /);
  });
}

test('a cluster name that is too long for the route is reported before the Auth Service is dialed', async (t) => {
  const cluster = await clusterIn(await directoryFor(t), t, { clusterName: 'n'.repeat(110) });
  const job = await beginJob(t, cluster);
  const run = await job.run(job.flags);
  assert.equal(run.exitCode, 1);
  assert.match(run.stderr, /the cluster's name has 110 bytes, expected at most 109/);
  assert.match(run.stderr, /^code: CLUSTER_UNSUPPORTED$/m);
});
