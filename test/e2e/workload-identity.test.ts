import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { jwtVerify } from 'jose';
import { authorityKey } from './authority-keys.ts';
import { directory, runItems } from './config-file.ts';
import { clusterIn, directoryFor, NEWEST } from './embedded-cluster.ts';
import { listing } from './folder-listing.ts';
import { beginJob } from './job.ts';
import { startOpensslServer } from './openssl-server.ts';
import { missing, type ProgramRun, runProgram } from '../programs.ts';
import { assertRefused } from './refusal.ts';
import { resultOf } from './run-result.ts';

const skip = missing('openssl');
const authorities = await directoryFor({ after });
const DOMAIN = 'example.teleport.test';
const ISSUE = 'rpc:/teleport.workloadidentity.v1.WorkloadIdentityIssuanceService/IssueWorkloadIdentity';

async function openssl(...args: readonly string[]): Promise<ProgramRun> {
  const { exitCode, stdout, stderr } = await runProgram('openssl', args);
  return { exitCode, stdout, stderr };
}

for (const teleport of ['17.4.2', NEWEST]) {
  test(`Teleport ${teleport}: openssl accepts the files of workload-identity-x509`, { skip }, async (t) => {
    const cluster = await clusterIn(authorities, t, { teleport });
    const job = await beginJob(t, cluster);
    const file = (name: string) => join(job.folder, 'svid', name);
    const result = resultOf(
      await runItems(cluster, job, [
        `type: workload-identity-x509, selector: { name: ci-svid }, ${directory(join(job.folder, 'svid'))}`,
        `type: identity, ${directory(job.destination)}`,
      ]),
    );
    assert.deepEqual(result.outputs[0]?.files, ['svid_key.pem', 'svid.pem', 'svid_bundle.pem', 'svid_crl.pem']);

    await t.test('the SVID is valid with the bundle, and is not revoked', async () => {
      const verify = await openssl(
        ...['verify', '-x509_strict', '-crl_check', '-CRLfile', file('svid_crl.pem')],
        ...['-CAfile', file('svid_bundle.pem'), file('svid.pem')],
      );
      assert.equal(verify.exitCode, 0, verify.stderr);
    });

    await t.test('the list of revoked SVIDs is signed by the bundle', async () => {
      const crl = await openssl(
        'crl',
        '-in',
        file('svid_crl.pem'),
        '-CAfile',
        file('svid_bundle.pem'),
        '-noout',
        '-text',
      );
      assert.match(crl.stdout + crl.stderr, /verify OK/);
      assert.match(crl.stdout, /Serial Number: 0A0B0C0D/);
    });

    await t.test('its only URI is the SPIFFE ID, next to the DNS names of the workload identity', async () => {
      const { stdout } = await openssl('x509', '-in', file('svid.pem'), '-noout', '-ext', 'subjectAltName');
      assert.match(
        stdout,
        new RegExp(
          `^ +DNS:deploy\\.example\\.com, URI:spiffe://${DOMAIN}/ci/deploy$|URI:spiffe://${DOMAIN}/ci/deploy, DNS:deploy\\.example\\.com$`,
          'm',
        ),
      );
    });

    await t.test('the key is in PKCS#8, and is the key of the SVID', async () => {
      assert.match(await readFile(file('svid_key.pem'), 'utf8'), /^-----BEGIN PRIVATE KEY-----\n/);
      const [ofKey, ofCertificate] = await Promise.all([
        openssl('pkey', '-in', file('svid_key.pem'), '-pubout'),
        openssl('x509', '-in', file('svid.pem'), '-noout', '-pubkey'),
      ]);
      assert.equal(ofKey.stdout, ofCertificate.stdout);
    });

    await t.test('two workloads connect with mutual TLS, and other clients are rejected', async (s) => {
      const files = { certificate: file('svid.pem'), key: file('svid_key.pem'), authorities: file('svid_bundle.pem') };
      const port = await startOpensslServer(s, files);
      const base = ['s_client', '-connect', `127.0.0.1:${String(port)}`, '-CAfile', files.authorities];
      const call = (...client: readonly string[]) => openssl(...base, '-verify_return_error', '-tls1_2', ...client);
      const met = await call('-cert', files.certificate, '-key', files.key, '-verify_hostname', 'deploy.example.com');
      assert.equal(met.exitCode, 0, met.stderr);
      assert.match(met.stdout, /Verify return code: 0 \(ok\)/);
      const nobody = await call();
      assert.notEqual(nobody.exitCode, 0);
      const bot = await call('-cert', join(job.destination, 'tlscert'), '-key', join(job.destination, 'key'));
      assert.notEqual(bot.exitCode, 0, 'the identity of a bot is no SVID');
    });

    await t.test('the SVID is requested with the roles of the output and the lifetime of the file', () => {
      const [asked] = cluster.records.of(ISSUE);
      assert.equal(asked?.fields.ttlMs, 60 * 60 * 1000);
      assert.deepEqual(result.outputs[0]?.roles, ['access', 'deployer']);
    });
  });
}

test("jose verifies the JWT of workload-identity-jwt with the cluster's own key", async (t) => {
  const cluster = await clusterIn(authorities, t, {});
  const job = await beginJob(t, cluster);
  const result = resultOf(
    await runItems(cluster, job, [
      `type: workload-identity-jwt, selector: { name: ci-svid }, audiences: [a, b], ${directory(job.destination)}`,
    ]),
  );
  assert.deepEqual(result.outputs[0]?.files, ['jwt_svid']);
  const jwt = await readFile(join(job.destination, 'jwt_svid'), 'utf8');
  const key = createPublicKey(await authorityKey(cluster, { type: 'spiffe', use: 'jwtKey' }));
  const { payload } = await jwtVerify(jwt, key, { audience: 'b', subject: `spiffe://${DOMAIN}/ci/deploy` });
  assert.deepEqual(payload.aud, ['a', 'b']);
  assert.equal(Date.parse(result.outputs[0].expiresAt), (payload.exp ?? 0) * 1000);
});

test('labels select one workload identity', async (t) => {
  const cluster = await clusterIn(authorities, t, {});
  const job = await beginJob(t, cluster);
  const run = await runItems(cluster, job, [
    `type: workload-identity-x509, selector: { labels: { team: [ci, ops], env: [dev] } }, ${directory(job.destination)}`,
  ]);
  const [output] = resultOf(run).outputs;
  const minutes = (Date.parse(output?.expiresAt ?? '') - Date.now()) / 60_000;
  assert.ok(minutes > 9 && minutes <= 10, `${String(minutes)} minutes, where the workload identity allows 10`);
});

const X509 = (selector: string, path: string) =>
  `type: workload-identity-x509, selector: { ${selector} }, ${directory(path)}`;

const REFUSED = [
  {
    what: 'a workload identity that does not exist',
    selector: 'name: ci-svit',
    code: 'RESOURCE_UNKNOWN',
    says: /no workload identity "ci-svit"/,
    hint: /tctl get workload_identity/,
  },
  {
    what: 'a workload identity that the roles do not allow',
    selector: 'name: vault-root',
    code: 'AUTH_DENIED',
    says: /refused the workload identity "vault-root"/,
    hint: /workload_identity_labels/,
  },
  {
    what: 'labels of workload identities that the roles do not allow',
    selector: 'labels: { team: [security] }',
    code: 'RESOURCE_UNKNOWN',
    says: /outputs\[0\] \(line 5\): selector: there is no workload identity with the labels team: security/,
    hint: /workload_identity_labels/,
  },
  {
    what: 'labels that several workload identities have',
    selector: 'labels: { team: [ci] }',
    code: 'RESOURCE_UNKNOWN',
    says: /more than one workload identity with the labels team: ci: ci-svid, ci-svid-dev/,
    hint: /by its name/,
  },
] as const;

test('an unavailable workload identity is named, with where to look', async (t) => {
  const cluster = await clusterIn(authorities, t, {});
  const job = await beginJob(t, cluster);
  for (const { what, selector, ...refusal } of REFUSED) {
    await t.test(what, async () => {
      assertRefused(await runItems(cluster, job, [X509(selector, job.destination)]), refusal);
      assert.deepEqual([...(await listing(job.destination)).keys()], ['.']);
    });
  }
});

test('a role without workload identities gets an error that names the missing rule', async (t) => {
  const cluster = await clusterIn(authorities, t, {});
  const job = await beginJob(t, cluster);
  const run = await runItems(cluster, job, [`roles: [deployer], ${X509('name: ci-svid', job.destination)}`]);
  assertRefused(run, { code: 'AUTH_DENIED', says: /on "workload_identity"/, hint: /verbs read and list/ });
});

test('on Teleport 16, which has no workload identities, the error names the output to use', async (t) => {
  const cluster = await clusterIn(authorities, t, { teleport: '16.4.0' });
  const job = await beginJob(t, cluster);
  const run = await runItems(cluster, job, [X509('name: ci-svid', job.destination)]);
  assertRefused(run, { code: 'CLUSTER_UNSUPPORTED', says: /from version 17/, hint: /spiffe-svid/ });
});
