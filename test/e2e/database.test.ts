import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import type { Cluster } from '../cluster/cluster.ts';
import { databaseServerCertificate } from '../cluster/proxy/teleport-certificate.ts';
import { AUTHORITY_FILES, IDENTITY_FILES } from '../output-files.ts';
import { directory, runItems } from './config-file.ts';
import { clusterForFile, misbehave } from './embedded-cluster.ts';
import { listing } from './folder-listing.ts';
import { beginJob, type Job } from './job.ts';
import { startOpensslServer } from './openssl-server.ts';
import { missing, runProgram } from '../programs.ts';
import { assertRefused } from './refusal.ts';
import { resultOf } from './run-result.ts';

const newest = await clusterForFile();
const openssl = missing('openssl');
const BASE = [...AUTHORITY_FILES, ...IDENTITY_FILES];

function database(job: Job, more: string): string {
  return `type: database, ${more}, ${directory(job.destination)}`;
}

const ORDERS = 'service: orders, username: ci, database: orders';

test('the key of a database output is RSA, whatever the suite', async (t) => {
  const job = await beginJob(t, newest);
  resultOf(await runItems(newest, job, [database(job, ORDERS), `type: identity, ${directory(`${job.folder}/other`)}`]));
  assert.match(await readFile(join(job.destination, 'key'), 'utf8'), /^-----BEGIN RSA PRIVATE KEY-----\n/);
  assert.match(await readFile(join(job.folder, 'other/key'), 'utf8'), /^-----BEGIN PRIVATE KEY-----\n/);
});

test('format tls has the names that many programs look for', async (t) => {
  const job = await beginJob(t, newest);
  const result = resultOf(await runItems(newest, job, [database(job, `format: tls, ${ORDERS}`)]));
  assert.deepEqual(result.outputs[0]?.files, [...BASE, 'tls.crt', 'tls.key', 'tls.cas']);
  const read = (name: string) => readFile(join(job.destination, name), 'utf8');
  for (const [name, same] of [
    ['tls.crt', 'tlscert'],
    ['tls.key', 'key'],
    ['tls.cas', 'teleport-host-ca.crt'],
  ] as const) {
    assert.equal(await read(name), await read(same));
  }
});

test(
  "format mongo: openssl finds certificate and key in one file, as MongoDB's programs do",
  { skip: openssl },
  async (t) => {
    const job = await beginJob(t, newest);
    const result = resultOf(await runItems(newest, job, [database(job, `format: mongo, ${ORDERS}`)]));
    assert.deepEqual(result.outputs[0]?.files, [...BASE, 'mongo.crt', 'mongo.cas']);
    const file = join(job.destination, 'mongo.crt');
    await assertPair(file, file, job);
    await assertSelfSigned(join(job.destination, 'mongo.cas'));
    const port = await startDatabaseServer(t, job);
    const client = ['-cert', file, '-key', file, '-CAfile', join(job.destination, 'mongo.cas')];
    const verify = ['-verify_hostname', 'localhost', '-verify_return_error', '-brief'];
    const address = `127.0.0.1:${String(port)}`;
    const { exitCode, stderr } = await runProgram('openssl', ['s_client', '-connect', address, ...client, ...verify]);
    assert.equal(exitCode, 0, stderr);
    assert.match(stderr, /Verification: OK/);
  },
);

test('format cockroach: the folder is a valid --certs-dir for openssl', { skip: openssl }, async (t) => {
  const job = await beginJob(t, newest);
  const result = resultOf(await runItems(newest, job, [database(job, `format: cockroach, ${ORDERS}`)]));
  const names = ['cockroach/node.crt', 'cockroach/node.key', 'cockroach/ca.crt', 'cockroach/ca-client.crt'];
  assert.deepEqual(result.outputs[0]?.files, [...BASE, ...names]);
  const at = (name: string) => join(job.destination, 'cockroach', name);
  await assertPair(at('node.crt'), at('node.key'), job);
  await assertSelfSigned(at('ca.crt'));
  assert.equal(await readFile(at('ca.crt'), 'utf8'), await readFile(at('ca-client.crt'), 'utf8'));
  const modes = [...(await listing(join(job.destination, 'cockroach')))].map(
    ([name, entry]) => `${name} ${entry.slice(0, 4)}`,
  );
  assert.deepEqual(modes, ['. 0700', 'ca-client.crt 0600', 'ca.crt 0600', 'node.crt 0600', 'node.key 0600']);
});

/** Presents a certificate of the database authority, and accepts clients that the user authority signed. */
async function startDatabaseServer(t: TestContext, { destination, folder }: Job): Promise<number> {
  const { cert, key } = await databaseServerCertificate(newest.world);
  const files = { certificate: join(folder, 'server.crt'), key: join(folder, 'server.key') };
  await writeFile(files.certificate, cert);
  await writeFile(files.key, key, { mode: 0o600 });
  return startOpensslServer(t, { ...files, authorities: join(destination, 'teleport-user-ca.crt') });
}

/** Signed by the user authority, for this key, which is valid. */
async function assertPair(certificate: string, key: string, job: Job): Promise<void> {
  const authority = join(job.destination, 'teleport-user-ca.crt');
  const verify = await runProgram('openssl', ['verify', '-CAfile', authority, certificate]);
  assert.equal(verify.exitCode, 0, verify.stderr);
  const check = await runProgram('openssl', ['rsa', '-in', key, '-check', '-noout']);
  assert.match(check.stdout + check.stderr, /RSA key ok/);
  const [ofKey, ofCertificate] = await Promise.all([
    runProgram('openssl', ['pkey', '-in', key, '-pubout']),
    runProgram('openssl', ['x509', '-in', certificate, '-noout', '-pubkey']),
  ]);
  assert.equal(ofKey.stdout, ofCertificate.stdout);
}

async function assertSelfSigned(authority: string): Promise<void> {
  const { exitCode, stderr } = await runProgram('openssl', ['verify', '-CAfile', authority, authority]);
  assert.equal(exitCode, 0, stderr);
}

for (const { settings, route } of [
  {
    settings: 'service: inventory, username: ci, database: stock',
    route: { service_name: 'inventory', protocol: 'mysql', username: 'ci', database: 'stock' },
  },
  {
    settings: 'service: reports',
    route: {
      service_name: 'reports-rds-eu-central-1-123456789012',
      protocol: 'postgres',
      username: '',
      database: '',
    },
  },
  {
    settings: 'service: cache',
    route: { service_name: 'cache', protocol: 'redis', username: 'default', database: '' },
  },
]) {
  test(`{ ${settings} } is requested as ${Object.values(route).join(' ').trim()}`, async (t) => {
    const job = await beginJob(t, newest);
    resultOf(await runItems(newest, job, [database(job, settings)]));
    assert.deepEqual(routesAsked(newest), [undefined, route]);
  });
}

test('MongoDB without a username is a warning, and is requested anyway', async (t) => {
  const job = await beginJob(t, newest);
  const run = await runItems(newest, job, [database(job, 'service: events')]);
  assert.deepEqual(resultOf(run).outputs[0]?.access, { kind: 'database', name: 'events', protocol: 'mongodb' });
  assert.match(run.stderr, /outputs\[0\]: MongoDB needs a username/);
});

/** First without a database, for the lookup; then with the database that was found. */
function routesAsked({ records }: Cluster): unknown[] {
  return records.of('rpc:/proto.AuthService/GenerateUserCerts').map(({ fields }) => fields.database);
}

for (const [service, says] of [
  ['nowhere', /outputs\[0\] \(line 5\): service: database "nowhere" not found/],
  ['salaries', /outputs\[0\] \(line 5\): service: database "salaries" not found/],
  [
    'ledger',
    /discovered more than once as a database: ledger-rds-eu-west-1-123456789012, ledger-rds-us-east-1-123456789012/,
  ],
] as const) {
  test(`the database ${service} is rejected by name, and nothing is written`, async (t) => {
    const job = await beginJob(t, newest);
    const run = await runItems(newest, job, [database(job, `service: ${service}`)]);
    assertRefused(run, { code: 'RESOURCE_UNKNOWN', says });
    assert.deepEqual([...(await listing(job.destination)).keys()], ['.']);
  });
}

test('a certificate that is routed to another database is not written', async (t) => {
  const job = await beginJob(t, newest);
  misbehave(t, newest, { outputCertificates: 'routed-elsewhere' });
  const run = await runItems(newest, job, [database(job, ORDERS)]);
  assertRefused(run, {
    code: 'CERTIFICATE_MISMATCH',
    says: /routed to "elsewhere" \(1\.3\.9999\.2\.1\), requested "orders"/,
  });
  assert.deepEqual([...(await listing(job.destination)).keys()], ['.']);
});

test('an unknown database is rejected, and the error names the flag', async (t) => {
  const job = await beginJob(t, newest);
  const run = await job.run([...job.flags, '--database', 'nowhere']);
  assertRefused(run, { code: 'RESOURCE_UNKNOWN', says: /--database: database "nowhere" not found/ });
});
