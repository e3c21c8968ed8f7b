/** Lists of authorities that are far longer than those of any cluster. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { clusterForFile, misbehave } from './embedded-cluster.ts';
import { beginJob } from './job.ts';
import { assertRunRefused } from './refusal.ts';

const cluster = await clusterForFile();
const of = cluster.info.cluster;

test('a cluster that lists 500 authorities of each type is used, with 64 MB of memory', async (t) => {
  misbehave(t, cluster, { listedAuthorities: { of, fault: '500-keys' } });
  const job = await beginJob(t, cluster);
  const { exitCode, stderr } = await job.run(job.flags, {
    environment: { NODE_OPTIONS: '--max-old-space-size=64' },
    asProcess: true,
  });
  assert.equal(exitCode, 0, stderr);
});

test('a list of 10,000 authorities, which is larger than a message may be, is refused', async (t) => {
  misbehave(t, cluster, { listedAuthorities: { of, fault: '10000-keys' } });
  const job = await beginJob(t, cluster);
  await assertRunRefused(job, { code: 'RESPONSE_TOO_LARGE', says: /GetCertAuthorities/ });
});
