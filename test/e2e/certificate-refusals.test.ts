import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import type { Cluster } from '../cluster/cluster.ts';
import type { CertificateFault, Faults } from '../cluster/faults.ts';
import { clusterForFile, misbehave } from './embedded-cluster.ts';
import { beginJob } from './job.ts';
import { assertRefused, assertRunRefused, type Refusal } from './refusal.ts';
import { resultOf } from './run-result.ts';

const byService = await clusterForFile();
const byEndpoint = await clusterForFile({ teleport: '17.4.2' });

/** Certificate problems that apply to a join and to an output. */
const MISMATCHES: readonly (readonly [CertificateFault, RegExp])[] = [
  ['tls-for-other-key', /the TLS certificate is for another key/],
  ['ssh-for-other-key', /the SSH certificate is for another key/],
  ['for-other-key', /certificate is for another key/],
  ['expired', /the TLS certificate expired at 2\d{3}-/],
  ['until-2049', /the TLS certificate is valid until 2049-12-31T23:59:59Z, longer than requested: until 2\d{3}-/],
  ['until-9999', /the TLS certificate is valid until 9999-12-31T23:59:59Z, longer than requested/],
  ['ssh-forever', /the SSH certificate is valid until 9999-12-31T23:59:59Z, longer than requested/],
];

const JOIN_MISMATCHES: readonly (readonly [CertificateFault, RegExp])[] = [
  ...MISMATCHES,
  ['not-yet-valid', /the TLS certificate is valid from 2\d{3}-/],
  ['of-other-cluster', /from the cluster "leaf\.example\.com", expected "example\.teleport\.test"/],
];

const OUTPUT_MISMATCHES: readonly (readonly [CertificateFault, RegExp])[] = [
  ...MISMATCHES,
  ['not-yet-valid', /is valid from 2\d{3}-/],
  ['of-other-cluster', /not signed by the user authority of "example\.teleport\.test"/],
  ['for-other-user', /for the user "bot-somebody-else", expected "bot-ci"/],
  ['for-other-roles', /has the roles auditor, requested access, deployer/],
];

for (const [how, cluster] of [
  ['by the join service', byService],
  ['at the registration endpoint', byEndpoint],
] as const) {
  for (const [fault, says] of JOIN_MISMATCHES) {
    test(`a join ${how} is rejected if the certificates are ${fault}`, async (t) => {
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

for (const [fault, says, hint] of [
  ['of-other-authority', /the certificate is not signed by the cluster's host authority/, /layer 4/],
  ['expired', /expired/, /clocks/],
  ['not-yet-valid', /not yet valid/, /clocks/],
] as const) {
  test(`an Auth Service whose certificate is ${fault} gets no requests`, async (t) => {
    const refusal: Refusal = { code: 'AUTH_UNTRUSTED', says, hint };
    await assertNotTrusted(t, byService, { authCertificate: fault }, refusal);
    assert.deepEqual(
      byService.records.kinds.filter((kind) => kind.startsWith('rpc:')),
      [],
    );
  });
}

test('certificates of an output that begin a little later than now are used, with a note', async (t) => {
  const job = await beginJob(t, byService);
  misbehave(t, byService, { outputCertificates: 'begins-in-a-minute' });
  const [output] = resultOf(await job.run([...job.flags, '--json'])).outputs;
  assert.match(
    output?.notices?.join() ?? '',
    /this machine's clock is at least 6[2-5] seconds behind: set it with NTP/,
  );
});

/** Runs with a clock that is behind. */
async function runBehind(t: test.TestContext, cluster: Cluster, behindMs: number, token?: string) {
  const job = await beginJob(t, cluster);
  const hook = join(job.folder, 'clock.cjs');
  await writeFile(hook, `const now = Date.now; Date.now = () => now() - ${String(behindMs)};`);
  const environment = {
    NODE_OPTIONS: `--require ${hook}`,
    ...(token === undefined ? {} : { CIRCLE_OIDC_TOKEN: token }),
  };
  return job.run([...job.flags, '--json'], { environment });
}

for (const cluster of [byService, byEndpoint]) {
  test(`Teleport ${cluster.info.teleport}: a run whose clock is two minutes behind continues with warnings`, async (t) => {
    const run = await runBehind(t, cluster, 125_000);
    const [output] = resultOf(run).outputs;
    assert.match(run.stderr, /^warning: this machine's clock is at least 12[2-6] seconds behind: set it with NTP$/m);
    assert.match(run.stderr, /^warning: this machine's clock is 12[2-7] seconds behind the Proxy's/m);
    assert.match(run.stderr, /^warning: this machine's clock is at least 6[2-6] seconds behind: set it with NTP$/m);
    assert.match(output?.notices?.join() ?? '', /at least 6[2-6] seconds behind/);
  });

  test(`Teleport ${cluster.info.teleport}: a clock that is far behind is named with the difference`, async (t) => {
    const fresh = await runBehind(t, cluster, 600_000);
    assertRefused(fresh, { code: 'OIDC_TOKEN_NOT_YET_VALID', says: /, (59[89]|60\d) seconds earlier$/, hint: /clock/ });
    const older = await cluster.mint({ ageSeconds: 900 });
    const run = await runBehind(t, cluster, 600_000, older);
    const says =
      /the TLS certificate is valid from 2\d{3}-.*, but this machine's clock says 2\d{3}-.*, 5[34]\d seconds earlier$/;
    assertRefused(run, { code: 'CERTIFICATE_MISMATCH', says, hint: /clock/ });
    assert.match(run.stderr, /^warning: this machine's clock is (59[89]|60\d) seconds behind the Proxy's/m);
  });
}

test('a clock that differs from that of the Proxy is named with the difference', async (t) => {
  const job = await beginJob(t, byService);
  misbehave(t, byService, { dateAheadMs: 65_000 });
  const { stderr } = await job.run([...job.flags, '--json']);
  assert.match(stderr, /^warning: this machine's clock is 6[3456] seconds behind the Proxy's \(2\d{3}-/m);
});

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
