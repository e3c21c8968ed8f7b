import assert from 'node:assert/strict';
import test from 'node:test';
import { clusterForFile } from './embedded-cluster.ts';
import { beginJob } from './job.ts';
import { resultOf } from './run-result.ts';

/** Of the connection that looks whether a load balancer terminates TLS. */
const BALANCER_TEST = 'teleport-reversetunnel';

/** What a cluster has to admit for one run; bench/scale.md computes with it. */
for (const [teleport, join, balancerTests] of [
  // On a slow machine, it is made there as well (`BALANCER_TEST_AFTER_MS` in join.ts).
  ['18.6.0', 'join-service', [0, 1]],
  ['17.7.1', 'legacy-join', [1]],
] as const) {
  const cluster = await clusterForFile({ teleport });
  test(`a run on Teleport ${teleport} joins once, with one connection for each of three purposes`, async (t) => {
    const job = await beginJob(t, cluster);
    resultOf(await job.run([...job.flags, '--json']));
    const connections = cluster.records.of('connection').filter(({ listener }) => listener === 'proxy');
    const purposes = connections.map(({ alpn: [protocol = 'web'] }) => protocol.replace(/@.*/, ''));
    const isTest = (purpose: string) => purpose === BALANCER_TEST;
    const others = purposes.filter((purpose) => !isTest(purpose)).sort();
    assert.deepEqual(others, ['teleport-auth', 'teleport-proxy-grpc', 'web']);
    assert.ok(
      balancerTests.some((count) => count === purposes.filter(isTest).length),
      purposes.join(),
    );
    assert.equal(cluster.records.of('join-service').length + cluster.records.of('legacy-join').length, 1);
    assert.equal(cluster.records.of(join).length, 1);
    assert.equal(cluster.records.of('ping').length, 1);
  });
}
