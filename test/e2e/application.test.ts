import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import test, { after, type TestContext } from 'node:test';
import { z } from 'zod';
import type { Cluster } from '../cluster/cluster.ts';
import { proxyCertificate } from '../cluster/proxy/teleport-certificate.ts';
import { AUTHORITY_FILES, IDENTITY_FILES } from '../output-files.ts';
import { directory, runItems } from './config-file.ts';
import { clusterForFile, clusterIn, directoryFor, misbehave, NEWEST } from './embedded-cluster.ts';
import { listing } from './folder-listing.ts';
import { beginJob, type Job } from './job.ts';
import { startNginx } from './nginx.ts';
import { missing, type ProgramRun, runProgram } from '../programs.ts';
import { assertRefused } from './refusal.ts';
import { resultOf } from './run-result.ts';

const authorities = await directoryFor({ after });
const newest = await clusterForFile();
const skip = missing('curl');
const CERTS = 'rpc:/proto.AuthService/GenerateUserCerts';
const SESSION = 'rpc:/proto.AuthService/CreateAppSession';

function application(job: Job, more: string): string {
  return `type: application, ${more}, ${directory(job.destination)}`;
}

/** An application with that name behind the Proxy, which records its requests. */
async function startApplication(context: TestContext, cluster: Cluster, name: string): Promise<void> {
  const server = createServer((request, response) => {
    response.end(`${name}: ${request.method ?? ''} ${request.url ?? ''}\n`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => server.close());
  const address = server.address();
  const found = cluster.resources.applications.find((one) => one.name === name);
  assert.ok(found !== undefined && typeof address === 'object' && address !== null);
  found.port = address.port;
}

/** Calls an application with curl by its public address, which leads to the Proxy in a real cluster. */
function curl({ info }: Cluster, name: string, more: readonly string[]): Promise<ProgramRun> {
  const [, port = ''] = info.proxy.split(':');
  const address = `${name}.example.teleport.test`;
  const base = ['--silent', '--show-error', '--cacert', info.webCa, '--resolve', `${address}:${port}:127.0.0.1`];
  return runProgram('curl', [...base, ...more, '--write-out', '%{http_code}', `https://${address}:${port}/api`]);
}

const withFiles = (job: Job, certificate = 'tlscert', key = 'key') => [
  ...['--cert', join(job.destination, certificate)],
  ...['--key', join(job.destination, key)],
];

/** From the last certificate request. */
function routeOf({ records }: Cluster): z.infer<typeof Route> {
  return Route.parse(records.of(CERTS).at(-1)?.fields.application);
}

const Route = z.object({ name: z.literal('dashboard'), session_id: z.string() });

// Older servers need a session that was created with the roles of the output; later ones create it themselves.
for (const [teleport, sessions] of [
  ['15.3.7', 1],
  ['16.4.0', 1],
  ['17.4.2', 0],
  [NEWEST, 0],
] as const) {
  test(`Teleport ${teleport}: curl reaches the application, and no other`, { skip }, async (t) => {
    const cluster = await clusterIn(authorities, t, { teleport });
    await startApplication(t, cluster, 'dashboard');
    await startApplication(t, cluster, 'backoffice');
    await startApplication(t, cluster, 'wiki-k8s-tools');
    const job = await beginJob(t, cluster);
    const result = resultOf(await runItems(cluster, job, [application(job, 'app_name: dashboard')]));
    assert.deepEqual(result.outputs[0]?.files, [...IDENTITY_FILES, ...AUTHORITY_FILES]);
    const address = 'dashboard.example.teleport.test';
    assert.deepEqual(result.outputs[0].access, { kind: 'application', name: 'dashboard', address });
    assert.equal(cluster.records.of(SESSION).length, sessions);
    assert.equal(routeOf(cluster).session_id === '', sessions === 0);

    const reached = await curl(cluster, 'dashboard', withFiles(job));
    assert.equal(reached.stdout, 'dashboard: GET /api\n200', reached.stderr);
    const posted = await curl(cluster, 'dashboard', [...withFiles(job), '--data', 'build=1']);
    assert.equal(posted.stdout, 'dashboard: POST /api\n200', posted.stderr);
    // The Proxy chooses the application by the certificate, whatever the address is.
    for (const other of ['backoffice', 'wiki-k8s-tools']) {
      assert.equal((await curl(cluster, other, withFiles(job))).stdout, 'dashboard: GET /api\n200');
    }
    assert.equal((await curl(cluster, 'dashboard', [])).stdout, '302');
  });
}

test('an identity without an application gives access to none', { skip }, async (t) => {
  await startApplication(t, newest, 'dashboard');
  const job = await beginJob(t, newest);
  resultOf(await runItems(newest, job, [`type: identity, ${directory(job.destination)}`]));
  assert.equal((await curl(newest, 'dashboard', withFiles(job))).stdout, 'invalid session\n403');
});

test('an expired session gives no access, even while the certificate is valid', { skip }, async (t) => {
  await startApplication(t, newest, 'dashboard');
  const job = await beginJob(t, newest);
  resultOf(await runItems(newest, job, [application(job, 'app_name: dashboard')]));
  assert.equal((await curl(newest, 'dashboard', withFiles(job))).stdout, 'dashboard: GET /api\n200');
  newest.world.appSessions.endAll();
  assert.equal((await curl(newest, 'dashboard', withFiles(job))).stdout, 'invalid session\n403');
});

test('specific_tls_naming: curl reaches the application with the files of those names too', { skip }, async (t) => {
  await startApplication(t, newest, 'wiki-k8s-tools');
  const job = await beginJob(t, newest);
  const output = application(job, 'app_name: wiki-k8s-tools, specific_tls_naming: true');
  resultOf(await runItems(newest, job, [output]));
  const reached = await curl(newest, 'wiki-k8s-tools', withFiles(job, 'tls.crt', 'tls.key'));
  assert.equal(reached.stdout, 'wiki-k8s-tools: GET /api\n200', reached.stderr);
});

test(
  'specific_tls_naming: nginx accepts the certificate, and curl accepts the authorities',
  { skip: missing('curl', 'nginx') },
  async (t) => {
    const job = await beginJob(t, newest);
    const output = application(job, 'app_name: dashboard, specific_tls_naming: true');
    const result = resultOf(await runItems(newest, job, [output]));
    assert.deepEqual(result.outputs[0]?.files, [
      ...IDENTITY_FILES,
      'tls.crt',
      'tls.key',
      'tls.cas',
      ...AUTHORITY_FILES,
    ]);
    const at = (name: string) => join(job.destination, name);
    const { cert, key } = z.object({ cert: z.string(), key: z.string() }).parse(await proxyCertificate(newest.world));
    const server = { certificate: join(job.folder, 'server.crt'), key: join(job.folder, 'server.key') };
    await writeFile(server.certificate, cert);
    await writeFile(server.key, key);
    const port = await startNginx(t, { ...server, clientAuthorities: at('teleport-user-ca.crt') });
    const url = `https://localhost:${String(port)}/`;
    const base = ['--silent', '--show-error', '--cacert', at('tls.cas'), '--write-out', '%{http_code}', url];
    const met = await runProgram('curl', ['--cert', at('tls.crt'), '--key', at('tls.key'), ...base]);
    assert.match(met.stdout, /^SUCCESS .*CN=bot-ci.*\n200$/, met.stderr);
    assert.match(met.stdout, new RegExp(`1\\.3\\.9999\\.1\\.10=#1309${Buffer.from('dashboard').toString('hex')}`, 'i'));
    assert.match((await runProgram('curl', base)).stdout, /400 No required SSL certificate was sent[^]*400$/);
    assert.equal(await readFile(at('tls.crt'), 'utf8'), await readFile(at('tlscert'), 'utf8'));
  },
);

// The last one is the short name of a discovered application: only the full name is valid.
for (const name of ['nowhere', 'backoffice', 'wiki']) {
  test(`the application ${name} is rejected by name, and nothing is written`, async (t) => {
    const job = await beginJob(t, newest);
    const run = await runItems(newest, job, [application(job, `app_name: ${name}`)]);
    const says = new RegExp(`outputs\\[0\\] \\(line 5\\): app_name: application "${name}" not found`);
    assertRefused(run, { code: 'RESOURCE_UNKNOWN', says, hint: /app_labels/ });
    assert.deepEqual([...(await listing(job.destination)).keys()], ['.']);
  });
}

test('a certificate that is routed to another application is not written', async (t) => {
  const job = await beginJob(t, newest);
  misbehave(t, newest, { outputCertificates: 'routed-elsewhere' });
  const run = await runItems(newest, job, [application(job, 'app_name: dashboard')]);
  assertRefused(run, {
    code: 'CERTIFICATE_MISMATCH',
    says: /routed to "elsewhere" \(1\.3\.9999\.1\.10\), requested "dashboard"/,
  });
  assert.deepEqual([...(await listing(job.destination)).keys()], ['.']);
});

test('--application is enough: its files have their own directory, and the summary has the URL', async (t) => {
  const job = await beginJob(t, newest);
  const { exitCode, stderr } = await job.run([...job.flags, '--application', 'dashboard']);
  assert.equal(exitCode, 0, stderr);
  assert.match(stderr, /^ {2}--application +application .*\/identity\/application \(8 files\)$/m);
  assert.match(stderr, / application dashboard at https:\/\/dashboard\.example\.teleport\.test; roles /);
  const wrong = await job.run([...job.flags, '--application', 'nowhere']);
  assertRefused(wrong, { code: 'RESOURCE_UNKNOWN', says: /--application: application "nowhere" not found/ });
});
