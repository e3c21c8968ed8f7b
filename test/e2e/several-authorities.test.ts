/** Clusters with several keys for users or for hosts: which of them vouches for servers. */
import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { clusterIn, directoryFor, misbehave, type ClusterWish } from './embedded-cluster.ts';
import { beginJob } from './job.ts';
import { assertRefused } from './refusal.ts';
import { resultOf } from './run-result.ts';

const authorities = await directoryFor({ after });

for (const wish of [{ hsm: true }, { rotation: 'init' }] satisfies ClusterWish[]) {
  test(`once the cluster has listed its host authorities, no user authority vouches for a server (${JSON.stringify(wish)})`, async (t) => {
    const cluster = await clusterIn(authorities, t, wish);
    const kubernetes = ['--kubernetes-cluster', 'dev', '--json', '--timeout', '2', '--deadline', '4'];
    const job = await beginJob(t, cluster);
    resultOf(await job.run([...job.flags, ...kubernetes]));

    const issued = () => cluster.records.of('rpc:/proto.AuthService/GenerateUserCerts').length > 0;
    const get = () => (issued() ? 'of-user-authority' : undefined);
    Object.defineProperty(cluster.faults, 'authCertificate', { get, enumerable: true, configurable: true });
    misbehave(t, cluster, {});
    const other = await beginJob(t, cluster);
    assertRefused(await other.run([...other.flags, ...kubernetes]), { code: 'AUTH_UNTRUSTED', says: /certificate/ });
    assert.ok(issued());
  });
}
