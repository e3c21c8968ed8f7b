import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { jwtVerify } from 'jose';
import { authorityKey } from './authority-keys.ts';
import { directory, runItems } from './config-file.ts';
import { clusterIn, directoryFor, misbehave } from './embedded-cluster.ts';
import { beginJob } from './job.ts';
import { missing, runProgram } from '../programs.ts';
import { assertRefused } from './refusal.ts';
import { resultOf } from './run-result.ts';

const skip = missing('openssl');
const authorities = await directoryFor({ after });
const SPIFFE_ID = 'spiffe://example.teleport.test/ci/build';
const JWTS = 'jwts: [{ audience: a, file_name: a.jwt }, { audience: b, file_name: b.jwt }]';
const item = (keys: string, path: string) => `type: spiffe-svid, ${keys}, ${directory(path)}`;

const VERSIONS = [
  { teleport: '15.3.7', jwts: false, key: /Public-Key: \(2048 bit\)/, crl: false },
  { teleport: '16.4.0', jwts: true, key: /Public-Key: \(2048 bit\)/, crl: false },
  { teleport: '17.4.2', jwts: true, key: /prime256v1/, crl: true },
] as const;

for (const { teleport, jwts, key, crl } of VERSIONS) {
  test(`Teleport ${teleport}: openssl and jose accept the files of spiffe-svid`, { skip }, async (t) => {
    const cluster = await clusterIn(authorities, t, { teleport });
    const job = await beginJob(t, cluster);
    const file = (name: string) => join(job.destination, name);
    const svid = 'svid: { path: /ci/build, sans: { dns: [build.example.com] } }';
    const run = await runItems(cluster, job, [item(`${svid}${jwts ? `, ${JWTS}` : ''}`, job.destination)]);
    const lists = crl ? ['svid_crl.pem'] : [];
    assert.deepEqual(resultOf(run).outputs[0]?.files, [
      ...['svid_key.pem', 'svid.pem', 'svid_bundle.pem'],
      ...lists,
      ...(jwts ? ['a.jwt', 'b.jwt'] : []),
    ]);
    const verify = await runProgram('openssl', ['verify', '-CAfile', file('svid_bundle.pem'), file('svid.pem')]);
    assert.equal(verify.exitCode, 0, verify.stderr);
    const { stdout } = await runProgram('openssl', ['x509', '-in', file('svid.pem'), '-noout', '-text']);
    assert.match(stdout, key);
    assert.match(stdout, new RegExp(`URI:${SPIFFE_ID}`));
    assert.match(stdout, /DNS:build\.example\.com/);
    if (!jwts) return;
    const publicKey = createPublicKey(await authorityKey(cluster, { type: 'spiffe', use: 'jwtKey' }));
    for (const audience of ['a', 'b']) {
      await jwtVerify(await readFile(file(`${audience}.jwt`), 'utf8'), publicKey, { audience, subject: SPIFFE_ID });
    }
  });
}

const REFUSED = [
  {
    what: 'a path that the roles do not allow',
    teleport: '17.4.2',
    keys: 'svid: { path: /vault }',
    code: 'AUTH_DENIED',
    says: /refused an SVID/,
    hint: /spec\.allow\.spiffe/,
  },
  {
    what: 'a DNS name that the roles do not allow',
    teleport: '17.4.2',
    keys: 'svid: { path: /ci/a, sans: { dns: [a.example.org] } }',
    code: 'AUTH_DENIED',
    says: /refused an SVID/,
    hint: /DNS names/,
  },
  {
    what: 'JWTs of Teleport 15',
    teleport: '15.3.7',
    keys: `svid: { path: /ci/a }, ${JWTS}`,
    code: 'CLUSTER_UNSUPPORTED',
    says: /does not sign JWTs/,
    hint: /Remove "jwts"/,
  },
  {
    what: 'a cluster that has left it to workload identities',
    teleport: '18.6.0',
    keys: 'svid: { path: /ci/a }',
    code: 'CLUSTER_UNSUPPORTED',
    says: /up to version 17/,
    hint: /workload-identity-x509/,
  },
] as const;

for (const { what, teleport, keys, ...refusal } of REFUSED) {
  test(`spiffe-svid is rejected: ${what}`, async (t) => {
    const cluster = await clusterIn(authorities, t, { teleport });
    const job = await beginJob(t, cluster);
    assertRefused(await runItems(cluster, job, [item(keys, job.destination)]), refusal);
  });
}

test('pending calls do not delay a run after another call has failed', async (t) => {
  const cluster = await clusterIn(authorities, t, { teleport: '17.4.2' });
  misbehave(t, cluster, {
    replies: { 'rpc:/teleport.workloadidentity.v1.WorkloadIdentityRevocationService/StreamSignedCRL': 'silent' },
  });
  const job = await beginJob(t, cluster);
  const startMs = performance.now();
  const run = await runItems(cluster, job, [item('svid: { path: /vault }', job.destination)]);
  assertRefused(run, { code: 'AUTH_DENIED', says: /refused an SVID/ });
  assert.ok(performance.now() - startMs < 15_000, 'the run waited for an answer of no use');
});
