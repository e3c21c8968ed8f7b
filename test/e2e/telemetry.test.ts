import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { selfSigned } from '../tls-certificate.ts';
import { directory } from './config-file.ts';
import { clusterForFile } from './embedded-cluster.ts';
import { beginJob, type Job } from './job.ts';
import { assertRefused } from './refusal.ts';
import { resultOf } from './run-result.ts';
import { startTelemetryServer, TelemetryEvent } from './telemetry-server.ts';

const cluster = await clusterForFile();

function on(url: string): Record<string, string> {
  return { TELEPORT_ANONYMOUS_TELEMETRY: '1', TELEPORT_ANONYMOUS_TELEMETRY_ADDRESS: url };
}

test('telemetry is off and not mentioned by default', async (t) => {
  const server = await startTelemetryServer(t);
  for (const TELEPORT_ANONYMOUS_TELEMETRY of [undefined, '', '0', 'false', 'yes']) {
    const job = await beginJob(t, cluster);
    const environment = { ...on(server.url), TELEPORT_ANONYMOUS_TELEMETRY };
    const { exitCode, stderr } = await job.run([...job.flags, '--debug'], { environment });
    assert.equal(exitCode, 0, stderr);
    assert.doesNotMatch(stderr, /telemetry/i);
  }
  assert.deepEqual(server.received, []);
});

test('with telemetry on, one event is sent, with these fields and no names', async (t) => {
  const server = await startTelemetryServer(t);
  const job = await beginJob(t, cluster);
  const place = (name: string) => directory(join(job.folder, name));
  const items = [
    `type: identity, ${place('a')}`,
    `type: kubernetes, kubernetes_cluster: dev, ${place('b')}`,
    `type: database, service: orders, username: ci, database: orders, ${place('c')}`,
    `type: application, app_name: dashboard, ${place('d')}`,
  ];
  const { cluster: name, joinToken, organizationId, proxy } = cluster.info;
  const file = await job.addFile(
    'tbot.yaml',
    `{version: v2, proxy_server: '${proxy}', onboarding: {join_method: circleci, token: ${joinToken}}, outputs: [${items.map((item) => `{${item}}`).join(', ')}]}`,
  );
  const run = await job.run(['run', '-c', file, '--json'], { environment: on(server.url) });
  assert.equal(resultOf(run).outputs.length, 4);
  assert.match(run.stderr, /^anonymous telemetry is enabled: sending one event to localhost:\d+$/m);
  const [event, ...more] = server.received;
  assert.deepEqual(more, []);
  const { body = '', ...rest } = event ?? {};
  const { version }: { version?: unknown } = JSON.parse(await readFile('package.json', 'utf8')) as object;
  assert.deepEqual(rest, {
    method: 'POST',
    path: '/prehog.v1alpha.TbotReportingService/SubmitTbotEvent',
    contentType: 'application/json',
    userAgent: `machine-id/${String(version)}`,
    protocol: '1',
  });
  const { start } = TelemetryEvent.parse(JSON.parse(body));
  assert.deepEqual([start.version, start.helperVersion], [version, version]);
  const { destinationsApplication, destinationsDatabase, destinationsKubernetes, destinationsOther } = start;
  assert.deepEqual(
    [destinationsApplication, destinationsDatabase, destinationsKubernetes, destinationsOther],
    [1, 1, 1, 1],
  );
  for (const known of [name, joinToken, organizationId, proxy, 'dashboard', 'orders', 'dev']) {
    assert.ok(!body.includes(known), `the event holds ${known}`);
  }
});

test('each run has its own ID', async (t) => {
  const server = await startTelemetryServer(t);
  for (let run = 0; run < 2; run += 1) {
    const job = await beginJob(t, cluster);
    resultOf(await job.run([...job.flags, '--json'], { environment: on(server.url) }));
  }
  const ids = server.received.map(({ body }) => TelemetryEvent.parse(JSON.parse(body)).distinctId);
  assert.equal(new Set(ids).size, 2);
});

test('a service that never responds does not delay a run', async (t) => {
  const server = await startTelemetryServer(t, { status: 'never' });
  const job = await beginJob(t, cluster);
  resultOf(await job.run([...job.flags, '--json'], { environment: on(server.url) }));
  assert.equal(server.received.length, 1);
});

async function runsWell(job: Job, environment: Record<string, string>): Promise<void> {
  const run = await job.run([...job.flags, '--json'], { environment });
  resultOf(run);
  assert.doesNotMatch(run.stderr, /^(error|warning)/m);
}

test('a failing, missing or untrusted service does not fail a run', async (t) => {
  const failing = await startTelemetryServer(t, { status: 503 });
  const { certificate: cert, key } = await selfSigned('localhost');
  const unknown = await startTelemetryServer(t, { tls: { cert, key } });
  for (const url of [failing.url, unknown.url, 'http://localhost:1'])
    await runsWell(await beginJob(t, cluster), on(url));
  assert.deepEqual([failing.received.length, unknown.received.length], [1, 0]);
});

test('an invalid address is reported, and does not fail a run', async (t) => {
  const job = await beginJob(t, cluster);
  const run = await job.run([...job.flags, '--json'], { environment: on('collector') });
  resultOf(run);
  assert.match(run.stderr, /^warning: TELEPORT_ANONYMOUS_TELEMETRY_ADDRESS is not an http\(s\) URL/m);
});

test('a service with a private authority is trusted by SSL_CERT_FILE', async (t) => {
  const { certificate: cert, key } = await selfSigned('localhost');
  const server = await startTelemetryServer(t, { tls: { cert, key } });
  const job = await beginJob(t, cluster);
  const both = join(job.folder, 'both.pem');
  await writeFile(both, `${await readFile(cluster.info.webCa, 'utf8')}\n${cert}`);
  await runsWell(job, { ...on(server.url), SSL_CERT_FILE: both });
  assert.equal(server.received.length, 1);
});

test('a rejected run has sent its start event, and a run with an invalid file has not', async (t) => {
  const server = await startTelemetryServer(t);
  const job = await beginJob(t, cluster);
  const environment = on(server.url);
  const args = ['run', '--proxy-server', cluster.info.proxy, '--token', 'nobody', '--destination', job.destination];
  assertRefused(await job.run(args, { environment }), { code: 'JOIN_TOKEN_UNKNOWN', says: /nobody/ });
  assert.equal(server.received.length, 1);
  const run = await job.run(['run', '--proxy-server', 'no port:x', '--token', 't'], { environment });
  assert.equal(run.exitCode, 2);
  assert.equal(server.received.length, 1);
});
