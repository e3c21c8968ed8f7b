import assert from 'node:assert/strict';
import test from 'node:test';
import type { Cluster } from '../cluster/cluster.ts';
import type { CertificateFault, Faults } from '../cluster/faults.ts';
import { clusterForFile, misbehave } from './embedded-cluster.ts';
import { beginJob } from './job.ts';
import { assertRunRefused, type Refusal } from './refusal.ts';

const byService = await clusterForFile();
const byEndpoint = await clusterForFile({ teleport: '17.4.2' });

/** What spoils the certificates of a join and of an output alike. */
const MISMATCHES: readonly (readonly [CertificateFault, RegExp])[] = [
  ['tls-for-other-key', /the TLS certificate is for another key/],
  ['ssh-for-other-key', /the SSH certificate is for another key/],
  ['for-other-key', /certificate is for another key/],
  ['expired', /the TLS certificate ended at 2\d{3}-/],
];

const JOIN_MISMATCHES: readonly (readonly [CertificateFault, RegExp])[] = [
  ...MISMATCHES,
  ['not-yet-valid', /the TLS certificate begins at 2\d{3}-/],
  ['of-other-cluster', /of the cluster "leaf\.example\.com", expected "example\.teleport\.test"/],
];

const OUTPUT_MISMATCHES: readonly (readonly [CertificateFault, RegExp])[] = [
  ...MISMATCHES,
  ['not-yet-valid', /begins at 2\d{3}-/],
  ['of-other-cluster', /not signed by the user authority of "example\.teleport\.test"/],
  ['for-other-user', /of "bot-somebody-else", expected "bot-ci"/],
  ['for-other-roles', /has the roles auditor, asked for access, deployer/],
];

for (const [how, cluster] of [
  ['by the join service', byService],
  ['at the legacy endpoint', byEndpoint],
] as const) {
  for (const [fault, says] of JOIN_MISMATCHES) {
    test(`a join ${how} is not accepted with certificates that are ${fault}`, async (t) => {
      await assertNotTrusted(t, cluster, { joinCertificates: fault }, { code: 'CERTIFICATE_MISMATCH', says });
      assert.deepEqual(
        cluster.records.kinds.filter((kind) => kind.startsWith('rpc:')),
        [],
      );
    });
  }
}

for (const [fault, says] of OUTPUT_MISMATCHES) {
  test(`an output is not written with certificates that are ${fault}`, async (t) => {
    await assertNotTrusted(t, byService, { outputCertificates: fault }, { code: 'CERTIFICATE_MISMATCH', says });
  });
}

for (const [fault, says] of [
  ['of-other-authority', /certificate that the cluster's host authority did not sign/],
  ['expired', /expired/],
  ['not-yet-valid', /not yet valid/],
] as const) {
  test(`an Auth Service whose certificate is ${fault} is asked for nothing`, async (t) => {
    const refusal: Refusal = { code: 'AUTH_UNTRUSTED', says };
    await assertNotTrusted(t, byService, { authCertificate: fault }, refusal);
    assert.deepEqual(
      byService.records.kinds.filter((kind) => kind.startsWith('rpc:')),
      [],
    );
  });
}

async function assertNotTrusted(
  t: test.TestContext,
  cluster: Cluster,
  faults: Partial<Faults>,
  refusal: Refusal,
): Promise<void> {
  const job = await beginJob(t, cluster);
  misbehave(t, cluster, faults);
  await assertRunRefused(job, { hint: /clock|certificate|authority/, ...refusal });
}
