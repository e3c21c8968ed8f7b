import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { encodedClusterDomain } from '../cluster/world.ts';
import { directory } from './config-file.ts';
import { examined, flagsOf, NOWHERE, OF_RUN, results, unused } from './egress-report.ts';
import { clusterIn, directoryFor, NEWEST } from './embedded-cluster.ts';
import { beginJob, type Job } from './job.ts';

const authorities = await directoryFor({ after });
const cluster = await clusterIn(authorities, { after }, { teleport: NEWEST });
const { joinToken, postgres, proxy } = cluster.info;
const [, proxyPort = ''] = proxy.split(':');

test('when every connection is open, the table lists each with host, port, SNI and ALPN', async (t) => {
  const job = await beginJob(t, cluster);
  const found = await examined(job, [...flagsOf(cluster, job), '--kubernetes-cluster', 'dev', '--ssh']);
  assert.deepEqual(found.missing, []);
  assert.deepEqual(found.notes, []);
  assert.equal(found.proxy, proxy);
  assert.deepEqual(found.cluster, { name: 'example.teleport.test', version: NEWEST, tlsRouting: true });
  assert.deepEqual(new Set(results(found, ...OF_RUN, 'kubernetes', 'reverse-tunnel')), new Set(['open']));
  const domain = encodedClusterDomain('example.teleport.test');
  const { alpn, host, port, sni } = found.rows.get('auth') ?? {};
  assert.deepEqual(
    { alpn, host, port, sni },
    { alpn: [`teleport-auth@${domain}`, 'h2'], host: 'localhost', port: Number(proxyPort), sni: domain },
  );
  assert.ok(found.rows.get('web-api')?.addresses.includes('127.0.0.1'));
  assert.equal(found.rows.get('oidc-token')?.result, 'none');
  assert.deepEqual(results(found, 'script', 'node', 'tools'), ['closed', 'closed', 'closed']);
});

test('the table has a title, the cluster, the time and the addresses, and is complete on its own', async (t) => {
  const job = await beginJob(t, cluster);
  const { exitCode, stdout } = await job.run(['doctor', '--egress', ...NOWHERE, ...flagsOf(cluster, job)]);
  assert.equal(exitCode, 0);
  assert.match(
    stdout,
    /^Network connections of a CircleCI job that joins Teleport\n\nProxy {5}localhost:\d+\nCluster {3}example\.teleport\.test, Teleport 18\.6\.0\nTopology {2}one port: all connections go to localhost:\d+ \(TLS routing\)\nTime {6}2\d{3}-/,
  );
  assert.match(stdout, /^# +Result +Needed +Connection +Route +Host and port +SNI +ALPN$/m);
  assert.match(
    stdout,
    /^\d+ +open +one of two +Auth Service +direct +localhost:\d+ +[0-9a-f]+\.teleport\.cluster\.local +teleport-auth@[0-9a-f]+\.teleport\.cluster\.local, h2$/m,
  );
  assert.match(stdout, /^ {2}localhost +(::1, )?127\.0\.0\.1/m);
  assert.match(stdout, /\nEvery connection that the job needs is open\.\n$/);
});

test('it asks the Proxy once, and joins only for facts that need an identity', async (t) => {
  const job = await beginJob(t, cluster);
  await examined(job, flagsOf(cluster, job));
  assert.equal(cluster.records.of('join-service').length, 0);
  assert.equal(cluster.records.of('ping').length, 1);
});

async function resources(job: Job): Promise<string> {
  const place = (at: number) => directory(join(job.folder, 'out', String(at)));
  return job.addFile(
    'tbot.yaml',
    `version: v2
proxy_server: ${proxy}
onboarding: { join_method: circleci, token: ${joinToken} }
outputs:
  - { type: application, app_name: dashboard, ${place(0)} }
  - { type: database, service: orders, username: ci, database: orders, ${place(1)} }
`,
  );
}

test('with an identity, applications and databases are tried at the addresses the cluster reports', async (t) => {
  const job = await beginJob(t, cluster);
  const found = await examined(job, ['-c', await resources(job)]);
  const application = found.rows.get('application:outputs[0]');
  assert.equal(application?.host, 'dashboard.example.teleport.test');
  assert.equal(application.port, Number(proxyPort));
  const database = found.rows.get('database:outputs[1]');
  assert.equal(`localhost:${String(database?.port)}`, postgres);
  assert.equal(database?.result, 'open', database?.detail);
  assert.equal(cluster.records.of('join-service').length, 1);
  // No name server of this machine resolves the name of the application.
  assert.deepEqual(found.missing, ['application:outputs[0]']);
  assert.equal(application.result, 'unresolved');
});

test('without a token, unknown addresses are listed with how to find them, and the rest is tried', async (t) => {
  const job = await beginJob(t, cluster);
  const environment = { CIRCLE_OIDC_TOKEN: '', CIRCLE_ORGANIZATION_ID: undefined };
  const found = await examined(job, ['-c', await resources(job)], { environment });
  assert.deepEqual(results(found, ...OF_RUN.slice(0, 4)), ['open', 'open', 'open', 'open']);
  assert.deepEqual(found.missing, ['application:outputs[0]', 'database:outputs[1]']);
  assert.match(
    found.rows.get('application:outputs[0]')?.detail ?? '',
    /only after a join: there is no valid OIDC token/,
  );
});

test('without a configuration, everything that each output type may need is listed', async (t) => {
  const job = await beginJob(t, cluster);
  const found = await examined(job, ['--proxy-server', proxy]);
  assert.deepEqual(found.missing, []);
  assert.deepEqual(results(found, ...OF_RUN, 'kubernetes', 'database-listener:postgres', 'application'), [
    ...Array<string>(7).fill('open'),
    'untried',
  ]);
  assert.match(found.notes.join('\n'), /Configuration: .*token/);
});

test('without an address, the connections that do not depend on it are still listed', async (t) => {
  const job = await beginJob(t, cluster);
  const found = await examined(job, []);
  assert.equal(found.proxy, null);
  assert.deepEqual(found.missing, ['web-api', 'join-service', 'auth', 'auth-fallback']);
  assert.equal(found.rows.get('node')?.result, 'closed');
});

test('without TLS routing each listener is tried on its own port', async (t) => {
  const separate = await clusterIn(authorities, t, { teleport: '17.4.2', tlsRouting: false });
  const job = await beginJob(t, separate);
  const found = await examined(job, [...flagsOf(separate, job), '--kubernetes-cluster', 'dev', '--ssh']);
  assert.deepEqual(
    results(found, 'web-api', 'registration', 'auth', 'ssh-transport', 'kubernetes'),
    Array<string>(5).fill('open'),
  );
  assert.notEqual(found.rows.get('kubernetes')?.port, found.rows.get('web-api')?.port);
  assert.equal(found.rows.get('join-service')?.need, 'sometimes');
  assert.deepEqual(found.missing, []);
});

test('neither a password in an address nor a token is printed, and a proxy is noted that is not used', async (t) => {
  const job = await beginJob(t, cluster);
  const url = `https://user:pass-word@localhost:${unused}/x?key=pass-word`;
  const args = [
    'doctor',
    '--egress',
    ...flagsOf(cluster, job),
    '--download-url',
    url,
    '--node-mirror',
    url,
    '--cdn-base-url',
    url,
  ];
  const environment = { HTTPS_PROXY: 'http://user:pass-word@proxy.example.com:3128' };
  const { stdout } = await job.run(args, { environment, secrets: ['pass-word'] });
  assert.match(stdout, /^Note: HTTP proxy: HTTPS_PROXY is set, but never used for localhost\.$/m);
});

test('with --junit each connection is a test case', async (t) => {
  const job = await beginJob(t, cluster);
  const path = join(job.checkout, 'results', 'egress.xml');
  const run = await job.run([
    'doctor',
    '--egress',
    '--timeout',
    '3',
    ...NOWHERE,
    ...flagsOf(cluster, job, `localhost:${unused}`),
    '--junit',
    path,
  ]);
  assert.equal(run.exitCode, 1);
  const xml = await readFile(path, 'utf8');
  assert.match(xml, /name="Web API of the Proxy" time="0"><failure message="closed: Port \d+ refuses/);
  assert.match(xml, /name="Download of Node.js" time="0"><system-out>warning: closed/);
});
