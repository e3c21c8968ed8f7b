/** Tests each cell of the table of outputs in docs/explanation/versions.md. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { after, type TestContext } from 'node:test';
import type { Cluster } from '../cluster/cluster.ts';
import { ownAuthority } from '../cluster/world.ts';
import { certificatePem } from '../cluster/crypto/x509.ts';
import { textOf } from '../docs/documents.ts';
import { sections, tableRows } from '../docs/markdown.ts';
import { directory, runItems } from './config-file.ts';
import { clusterIn, directoryFor } from './embedded-cluster.ts';
import { beginJob, type Job } from './job.ts';
import { VERSIONS } from './profiles.ts';
import { errorReport } from './refusal.ts';
import { SECRET_KEY, SESSION_TOKEN, startRolesAnywhere } from './roles-anywhere-server.ts';
import { resultOf } from './run-result.ts';

const ARNS = {
  trustAnchorArn: 'arn:aws:rolesanywhere:eu-central-1:123456789012:trust-anchor/0d0c4e6b',
  profileArn: 'arn:aws:rolesanywhere:eu-central-1:123456789012:profile/1c4c1e9a',
  roleArn: 'arn:aws:iam::123456789012:role/ci-deploy',
} as const;

/** By the first cell of a row: the type, and the key that makes the difference. */
const OUTPUTS: Readonly<Record<string, string>> = {
  identity: 'type: identity',
  ssh_host: 'type: ssh_host, principals: [a.example.com]',
  kubernetes: 'type: kubernetes, kubernetes_cluster: dev',
  'kubernetes/v2': 'type: kubernetes/v2, selectors: [{ name: dev }]',
  database: 'type: database, service: orders, username: ci, database: orders',
  application: 'type: application, app_name: dashboard',
  'spiffe-svid': 'type: spiffe-svid, svid: { path: /ci/build }',
  'spiffe-svid with jwts': 'type: spiffe-svid, svid: { path: /ci/build }, jwts: [{ audience: a, file_name: a.jwt }]',
  'workload-identity-x509': 'type: workload-identity-x509, selector: { name: ci-svid }',
  'workload-identity-jwt': 'type: workload-identity-jwt, selector: { name: ci-svid }, audiences: [a]',
  'workload-identity-aws-roles-anywhere': `type: workload-identity-aws-roles-anywhere, selector: { name: ci-svid }, role_arn: '${ARNS.roleArn}', profile_arn: '${ARNS.profileArn}', trust_anchor_arn: '${ARNS.trustAnchorArn}'`,
};

const table = sections(textOf('docs/explanation/versions.md')).find(({ heading }) => heading === 'Outputs');
const lines = (table?.text ?? '').split('\n').filter((line) => line.startsWith('|'));
const versions = (lines[0] ?? '').match(/\d+\.\d+\.\d+/g) ?? [];
const rows = tableRows(table?.text ?? '');

test('the table has a row for each output and a column for each tested version', () => {
  assert.deepEqual(rows.map(([output]) => output).sort(), Object.keys(OUTPUTS).sort());
  assert.deepEqual(
    [...versions],
    VERSIONS.map(({ teleport }) => teleport),
  );
});

const authorities = await directoryFor({ after });

for (const [at, teleport] of versions.entries()) {
  test(`Teleport ${teleport}`, async (t) => {
    const cluster = await clusterIn(authorities, t, { teleport });
    const told = rows.map(([output = '', ...cells]) => ({ output, outcome: cells[at] ?? '' }));
    await t.test('all supported outputs are written in one run', async (t) => {
      const works = told.filter(({ outcome }) => outcome === 'works').map(({ output }) => output);
      const { outputs } = resultOf(await runOf(t, cluster, works));
      assert.deepEqual(
        outputs.map(({ type }) => type),
        works.map((output) => output.split(' ')[0]),
      );
    });
    const failing = told.filter(({ outcome }) => outcome !== 'works');
    if (failing.length === 0) return;
    const run = await runOf(
      t,
      cluster,
      failing.map(({ output }) => output),
    );
    for (const [index, { outcome, output }] of failing.entries()) {
      await t.test(`${output} ends with ${outcome}`, () => {
        assert.ok(failing.length > 1, 'the list of several failures names the code of each');
        assert.equal(errorReport(run).code, 'OUTPUTS_FAILED');
        assert.match(run.stderr, new RegExp(`outputs\\[${String(index)}\\].*: ${outcome}: `));
      });
    }
  });
}

async function runOf(t: TestContext, cluster: Cluster, outputs: readonly string[]) {
  const job = await beginJob(t, cluster);
  const items = outputs.map(
    (output, at) => `${OUTPUTS[output] ?? ''}, ${directory(join(job.folder, 'out', String(at)))}`,
  );
  return runItems(cluster, await withAws(t, cluster, job), items);
}

/** The trust anchor in AWS contains only this cluster's authority. */
async function withAws(t: TestContext, cluster: Cluster, job: Job): Promise<Job> {
  const authorityPem = certificatePem(ownAuthority(cluster.world, 'spiffe').tls.certificate);
  const server = await startRolesAnywhere(t, { ...ARNS, authorityPem, region: 'eu-central-1' });
  const bundle = join(job.folder, 'aws-ca.pem');
  await writeFile(bundle, server.certificate);
  const environment = { AWS_ENDPOINT_URL_ROLESANYWHERE: server.url, AWS_CA_BUNDLE: bundle };
  return { ...job, run: (args) => job.run(args, { environment, secrets: [SECRET_KEY, SESSION_TOKEN] }) };
}
