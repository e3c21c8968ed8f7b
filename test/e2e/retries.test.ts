import assert from 'node:assert/strict';
import { connect, createServer } from 'node:net';
import test from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { directory, runItems, runOutputs } from './config-file.ts';
import { clusterForFile, misbehaveAtFirst } from './embedded-cluster.ts';
import { freePort } from './free-port.ts';
import { beginJob } from './job.ts';
import { resultOf } from './run-result.ts';

const newest = await clusterForFile();
const byEndpoint = await clusterForFile({ teleport: '17.4.2' });

const AUTH = 'rpc:/proto.AuthService';
const TRUST = 'rpc:/teleport.trust.v1.TrustService';

const METHODS = [
  `${AUTH}/Ping`,
  `${AUTH}/GetRole`,
  `${AUTH}/GenerateUserCerts`,
  `${TRUST}/GetCertAuthorities`,
] as const;

test('a temporarily overloaded Proxy is asked again', async (t) => {
  const job = await beginJob(t, newest);
  misbehaveAtFirst(t, newest, { kind: 'ping', fault: 'unavailable', times: 1 });
  const { exitCode, stderr } = await job.run(job.flags);
  assert.equal(exitCode, 0, stderr);
  assert.match(stderr, /returned status 503.*; trying again in 0(\.\d)? s \(\d\d s left\)\n/);
  assert.equal(newest.records.of('ping').length, 2);
});

for (const [what, cluster, kind, fault, path] of [
  ['a join by the endpoint that breaks', byEndpoint, 'legacy-join', 'reset', 'legacy'],
  ['a join by the endpoint that is answered by 503', byEndpoint, 'legacy-join', 'unavailable', 'legacy'],
  ['a join by the endpoint whose answer is cut off', byEndpoint, 'legacy-join', 'truncated', 'legacy'],
  ['a join by the endpoint that is limited', byEndpoint, 'legacy-join', 'limited', 'legacy'],
  ['a join by the join service that breaks', newest, 'join-service', 'reset-midway', 'join-service'],
  ['a join by the join service that is limited', newest, 'join-service', 'limited', 'join-service'],
  [
    'a join by the join service that the server ends for its length',
    newest,
    'join-service',
    'limited-midway',
    'join-service',
  ],
] as const) {
  test(`${what} is started again`, async (t) => {
    const job = await beginJob(t, cluster);
    misbehaveAtFirst(t, cluster, { kind, fault, times: 3 });
    const run = await job.run([...job.flags, '--json']);
    assert.equal(resultOf(run).joinPath, path);
    assert.equal(run.stderr.match(/; trying again in [\d.]+ s \(\d+ s left\)\n/g)?.length, 3, run.stderr);
    assert.equal(cluster.records.of(kind).length, 4);
  });
}

test('if join service and endpoint are busy, the service is asked again, after as long as the endpoint says', async (t) => {
  const job = await beginJob(t, newest);
  const [service, endpoint] = [newest.records.of('join-service').length, newest.records.of('legacy-join').length];
  misbehaveAtFirst(
    t,
    newest,
    { kind: 'join-service', fault: 'unavailable', times: 1 },
    { kind: 'legacy-join', fault: 'limited', times: 1 },
  );
  const run = await job.run([...job.flags, '--json']);
  assert.equal(resultOf(run).joinPath, 'join-service');
  assert.match(run.stderr, /; trying again in 1(\.[1-5])? s \(\d+ s left\)\n/);
  assert.equal(newest.records.of('join-service').length - service, 2);
  assert.equal(newest.records.of('legacy-join').length - endpoint, 1);
});

test('calls whose connection breaks are repeated on one other connection', async (t) => {
  const kind = `${AUTH}/GenerateUserCerts` as const;
  const job = await beginJob(t, newest);
  misbehaveAtFirst(t, newest, { kind, fault: 'reset', times: 1 });
  const items = ['a', 'b', 'c'].map((name) => directory(`${job.folder}/${name}`));
  const run = await runOutputs(newest, job, items);
  assert.equal(resultOf(run).outputs.length, 3);
  const [, ...more] = run.stderr.match(
    /cannot connect to the Auth Service behind localhost:\d+: .*; trying again in [\d.]+ s/g,
  ) ?? [undefined];
  assert.deepEqual(more, [], 'one new connection serves all three');
});

for (const kind of METHODS) {
  for (const fault of ['unavailable', 'limited'] as const) {
    test(`${kind} is called again when the Auth Service is ${fault} at first`, async (t) => {
      const job = await beginJob(t, newest);
      misbehaveAtFirst(t, newest, { kind, fault, times: 2 });
      resultOf(await job.run([...job.flags, '--json']));
    });
  }
}

test('a run waits for a Proxy that is down for three seconds, then joins through its join service', async (t) => {
  const port = await freePort();
  const job = await beginJob(t, newest);
  const args = ['run', '--proxy-server', `localhost:${String(port)}`, '--token', newest.info.joinToken, '--json'];
  const { finished } = job.start([...args, '--destination', job.destination]);
  await delay(3000);
  const relay = createServer((outer) => {
    const [host, to] = newest.info.proxy.split(':');
    const inner = connect({ host, port: Number(to) });
    outer.on('error', () => inner.destroy());
    inner.on('error', () => outer.destroy());
    outer.pipe(inner).pipe(outer);
  });
  relay.listen(port, '127.0.0.1');
  t.after(() => relay.close());
  const run = await finished;
  assert.equal(resultOf(run).joinPath, 'join-service');
  assert.match(run.stderr, /cannot connect to the Proxy.*the connection was refused \(ECONNREFUSED\); trying again in/);
});

test('an SVID and its revocation list arrive even if the connection breaks during the request', async (t) => {
  const kind = 'rpc:/teleport.workloadidentity.v1.WorkloadIdentityRevocationService/StreamSignedCRL';
  const job = await beginJob(t, newest);
  misbehaveAtFirst(t, newest, { kind, fault: 'reset', times: 1 });
  const item = `type: workload-identity-x509, selector: { name: ci-svid }, ${directory(`${job.folder}/a`)}`;
  const [output] = resultOf(await runItems(newest, job, [item])).outputs;
  assert.ok(output?.files.includes('svid_crl.pem'), output?.files.join());
  assert.equal(newest.records.of(kind).length, 2);
});
