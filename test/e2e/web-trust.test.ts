import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { connect } from 'node:tls';
import { clusterForFile, directoryFor, misbehave } from './embedded-cluster.ts';
import { startCluster } from '../cluster/cluster.ts';
import { beginJob } from './job.ts';
import { runProgram } from '../programs.ts';
import { assertRefused, assertRunRefused } from './refusal.ts';
import { NODE } from './run-bundle.ts';
import { resultOf } from './run-result.ts';
import { startTlsTerminator } from './tls-terminator.ts';

const cluster = await clusterForFile();
const { webCa } = cluster.info;
const UNTRUSTED = { SSL_CERT_FILE: undefined };

for (const [name, args, environment] of [
  ['SSL_CERT_FILE', [], { SSL_CERT_FILE: webCa }],
  ['NODE_EXTRA_CA_CERTS', [], { NODE_EXTRA_CA_CERTS: webCa }],
  ['--ca-file', ['--ca-file', webCa], {}],
] as const) {
  test(`a private web authority is trusted by ${name}`, async (t) => {
    const job = await beginJob(t, cluster);
    const changes = { environment: { ...UNTRUSTED, ...environment } };
    resultOf(await job.run([...job.flags, '--json', ...args], changes));
  });
}

test('an untrusted web certificate fails the run before the OIDC token is sent', async (t) => {
  const job = await beginJob(t, cluster);
  await assertRunRefused(
    job,
    {
      code: 'PROXY_UNTRUSTED',
      says: /the web certificate of the Proxy localhost:\d+ is not trusted[^]*\n {2}1\. the certificate is for localhost, signed by Embedded cluster web CA, which this machine does not trust\n/,
      hint: /--ca-file, SSL_CERT_FILE or NODE_EXTRA_CA_CERTS/,
    },
    { changes: { environment: UNTRUSTED } },
  );
  assert.deepEqual(cluster.records.kinds, []);
});

test('the authority of another cluster is not trusted for this one', async (t) => {
  const job = await beginJob(t, cluster);
  await assertRunRefused(
    job,
    { code: 'PROXY_UNTRUSTED', says: /not trusted/ },
    { args: [...job.flags, '--ca-file', await otherAuthority()] },
  );
  assert.deepEqual(cluster.records.kinds, []);
});

test('--ca-file takes precedence over SSL_CERT_FILE', async (t) => {
  const job = await beginJob(t, cluster);
  const environment = { SSL_CERT_FILE: '/no/such/file' };
  resultOf(await job.run([...job.flags, '--json', '--ca-file', webCa], { environment }));
});

test('all authorities of a bundle are trusted', async (t) => {
  const job = await beginJob(t, cluster);
  const bundle = join(job.folder, 'bundle.pem');
  const other = await readFile(await otherAuthority(), 'utf8');
  await writeFile(bundle, `# first\n${other}# second\n${await readFile(webCa, 'utf8')}`);
  resultOf(await job.run([...job.flags, '--json', '--ca-file', bundle]));
});

test('SSL_CERT_DIR adds the files of its directories to SSL_CERT_FILE, or to the list of Node', async (t) => {
  const job = await beginJob(t, cluster);
  const directory = join(job.folder, 'authorities');
  await mkdir(directory);
  await writeFile(join(directory, 'private.crt'), await readFile(webCa, 'utf8'));
  await writeFile(join(directory, 'broken.pem'), '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
  const SSL_CERT_DIR = `/no/such/directory:${directory}`;
  for (const SSL_CERT_FILE of [await otherAuthority(), undefined]) {
    resultOf(await job.run([...job.flags, '--json'], { environment: { SSL_CERT_DIR, SSL_CERT_FILE } }));
  }
});

test("the Proxy's own certificate can be its authority, on versions of Node that support it", async (t) => {
  const job = await beginJob(t, cluster);
  const [host = '', port = ''] = cluster.info.proxy.split(':');
  const socket = connect({ host, port: Number(port), rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const leaf = new X509Certificate(socket.getPeerCertificate().raw).toString();
  socket.destroy();
  const file = join(job.folder, 'leaf.pem');
  await writeFile(file, leaf);
  const run = await job.run([...job.flags, '--json', '--ca-file', file]);
  const [, major = 0, minor = 0] = (/^v(\d+)\.(\d+)/.exec(await nodeVersion()) ?? []).map(Number);
  if (major > 22 || (major === 22 && minor >= 9) || (major === 20 && minor >= 18)) resultOf(run);
  else assertRefused(run, { code: 'PROXY_UNTRUSTED', says: /not trusted/, hint: /--ca-file/ });
});

async function nodeVersion(): Promise<string> {
  return (await runProgram(NODE, ['--version'])).stdout;
}

test('a CA file whose second certificate is broken is reported with its line, and nothing is contacted', async (t) => {
  const job = await beginJob(t, cluster);
  const file = join(job.folder, 'bundle.pem');
  const good = await readFile(webCa, 'utf8');
  await writeFile(file, `${good}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`);
  const line = good.split('\n').length;
  await assertRunRefused(
    job,
    { code: 'CA_FILE_INVALID', says: new RegExp(`invalid certificate: the 2nd one, at line ${String(line)}$`) },
    { args: [...job.flags, '--ca-file', file] },
  );
  assert.deepEqual(cluster.records.kinds, []);
});

test('--insecure accepts any web certificate, with a warning', async (t) => {
  const job = await beginJob(t, cluster);
  const run = await job.run([...job.flags, '--json', '--insecure'], { environment: UNTRUSTED });
  resultOf(run);
  assert.match(run.stderr, /^warning: insecure: the web certificate of the Proxy is not verified$/m);
});

test('--insecure does not extend to the Auth Service', async (t) => {
  const job = await beginJob(t, cluster);
  misbehave(t, cluster, { authCertificate: 'of-other-authority' });
  await assertRunRefused(
    job,
    { code: 'AUTH_UNTRUSTED', says: /is not signed by the cluster's host authority/ },
    { args: [...job.flags, '--insecure'], changes: { environment: UNTRUSTED } },
  );
});

/** The PEM file of an authority that is unrelated to the cluster. */
async function otherAuthority(): Promise<string> {
  const other = await startCluster({ dir: await directoryFor({ after }) });
  await other.close();
  return other.info.webCa;
}

test('a TLS inspector with a trusted authority sees the token, but not the calls of the Auth Service', async (t) => {
  const { address, certificate } = await startTlsTerminator(t, { behind: cluster.info.proxy });
  const job = await beginJob(t, cluster);
  const authority = join(job.folder, 'inspector.pem');
  await writeFile(authority, certificate);
  const args = ['run', '--proxy-server', address, '--token', cluster.info.joinToken, '--destination', job.destination];
  const inspected = await job.run([...args, '--ca-file', authority, '--json']);
  assert.equal(resultOf(inspected).outputs[0]?.type, 'identity');
  assert.match(inspected.stderr, /terminates TLS: connections are upgraded to pass it/);
  // TLS of the Auth Service runs inside the upgraded connections: a certificate of the inspector would be rejected.
  assert.ok(cluster.records.kinds.some((kind) => kind.startsWith('rpc:')));
  misbehave(t, cluster, { authCertificate: 'of-other-authority' });
  const impersonated = await job.run([...args, '--ca-file', authority]);
  assertRefused(impersonated, { code: 'AUTH_UNTRUSTED', says: /is not signed by the cluster's host authority/ });
});
