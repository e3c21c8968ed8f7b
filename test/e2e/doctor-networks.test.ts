/** What doctor and its table say about the topology of a cluster. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import test, { after, type TestContext } from 'node:test';
import type { FrontKind } from '../cluster/proxy/front.ts';
import { missing, runProgram } from '../programs.ts';
import { examined, flagsOf, NOWHERE, results } from './egress-report.ts';
import { clusterIn, type ClusterWish, directoryFor } from './embedded-cluster.ts';
import { checksOf } from './doctor-checks.ts';
import { beginJob } from './job.ts';
import { addTbot, tbotCall } from './tbot-stand-in.ts';

const authorities = await directoryFor({ after });
const VERSIONS = ['15.3.7', '18.6.0'] as const;

/** A cluster, a job, and the flags for an identity and a kubeconfig. */
async function scene(t: TestContext, wish: ClusterWish) {
  const cluster = await clusterIn(authorities, t, wish);
  const job = await beginJob(t, cluster);
  return { cluster, job, flags: [...flagsOf(cluster, job), '--kubernetes-cluster', 'dev', '--ssh'] };
}

const KUBERNETES = 'output:--kubernetes-cluster';

const BALANCERS: readonly (readonly [(typeof VERSIONS)[number], FrontKind])[] = [
  ['15.3.7', 'l7'],
  ['18.6.0', 'l7'],
  ['15.3.7', 'l7-h2'],
  ['18.6.0', 'l7-alert'],
  ['15.3.7', 'l7-unoffered'],
];

for (const [teleport, front] of BALANCERS) {
  test(`Teleport ${teleport} behind the front ${front}: connections are upgraded, and kubectl is left out`, async (t) => {
    const { job, flags } = await scene(t, { teleport, front });
    const checks = await checksOf(job, flags);
    assert.match(checks.get('load-balancer')?.detail ?? '', /terminates TLS .*connections are upgraded.*which works$/);
    assert.match(
      checks.get('topology')?.detail ?? '',
      /^one port: .*; behind a load balancer that terminates TLS: connections must be upgraded to pass it$/,
    );
    assert.match(checks.get('auth')?.detail ?? '', /with a connection upgrade through a load balancer$/);
    assert.deepEqual(
      [...checks.values()].filter(({ state }) => state === 'warn' || state === 'fail').map(({ id }) => id),
      [KUBERNETES],
    );
    assert.match(checks.get(KUBERNETES)?.detail ?? '', /kubectl does not trust its certificate/);
    assert.match(checks.get(KUBERNETES)?.fix ?? '', /layer 4.*tbot proxy kube/);

    const found = await examined(job, flags);
    assert.match(found.topology ?? '', /behind a load balancer that terminates TLS/);
    const upgraded = ['join-service', 'auth', 'ssh-transport', 'reverse-tunnel'];
    assert.deepEqual(results(found, 'web-api', 'registration', ...upgraded), Array<string>(6).fill('open'));
    assert.deepEqual(
      found.connections.filter(({ upgrade }) => upgrade).map(({ id }) => id),
      upgraded,
    );
    assert.equal(found.rows.get('auth')?.route, 'direct, inside a connection upgrade');
    assert.deepEqual(found.missing, ['kubernetes']);
    assert.match(found.rows.get('kubernetes')?.detail ?? '', /^A load balancer .*terminates TLS: the certificate of/);
    assert.equal(found.rows.has('auth-fallback'), false);
  });
}

for (const teleport of VERSIONS) {
  test(`Teleport ${teleport} behind a load balancer without WebSocket: both name the header to forward`, async (t) => {
    const { job, flags } = await scene(t, { teleport, front: 'l7-no-upgrade' });
    const checks = await checksOf(job, flags);
    for (const id of ['load-balancer', 'auth']) {
      assert.equal(checks.get(id)?.state, 'fail');
      assert.match(checks.get(id)?.detail ?? '', /\[UPGRADE_REFUSED\]\nlikely cause 1: .*removes the header Upgrade/);
      assert.match(checks.get(id)?.fix ?? '', /forward \/webapi\/connectionupgrade with its headers Upgrade/);
    }
    const found = await examined(job, flags);
    assert.deepEqual(results(found, 'web-api', 'registration', 'auth', 'ssh-transport'), [
      'open',
      'open',
      'other',
      'other',
    ]);
    assert.match(found.rows.get('auth')?.detail ?? '', /status 400, expected 101\. Likely cause: .*header Upgrade/);
    assert.deepEqual(found.missing, ['auth', 'ssh-transport', 'kubernetes']);
  });

  test(`Teleport ${teleport} with separate ports: each is named, and any way to Auth is enough`, async (t) => {
    const { job, flags } = await scene(t, { teleport, front: 'separate', webRoutesAuth: false });
    const checks = await checksOf(job, flags);
    assert.match(
      checks.get('topology')?.detail ?? '',
      /^separate ports: web localhost:\d+, SSH localhost:\d+, reverse/,
    );
    assert.match(checks.get('auth')?.detail ?? '', /with the Proxy's SSH port$/);
    const found = await examined(job, flags);
    const ways = ['auth', 'auth-fallback', 'auth-ssh-port'];
    assert.deepEqual(results(found, ...ways), ['other', 'other', 'open']);
    assert.deepEqual([...new Set(ways.map((id) => found.rows.get(id)?.need))], ['either']);
    assert.equal(found.rows.get('auth-ssh-port')?.port, found.rows.get('ssh-transport')?.port);
    assert.deepEqual(found.missing, []);
  });
}

test('kubectl does what run warns of, once for all outputs', { skip: missing('kubectl') }, async (t) => {
  const { cluster, job, flags } = await scene(t, { teleport: '18.6.0', front: 'l7' });
  const run = await job.run(['run', ...flags, '--database', 'orders', '--application', 'dashboard']);
  assert.equal(run.exitCode, 0, run.stderr);
  const warnings = run.stderr.split('\n').filter((line) => line.includes('terminates TLS') && /^warning/i.test(line));
  assert.equal(warnings.length, 1, run.stderr);
  assert.match(
    warnings[0] ?? '',
    /--kubernetes-cluster: the load balancer at localhost:\d+ terminates TLS: kubectl does not trust its certificate, and could not present the one in kubeconfig\.yaml to the Proxy\./,
  );
  const kubeconfig = join(job.destination, 'kubernetes', 'kubeconfig.yaml');
  const kubectl = await runProgram('kubectl', ['--kubeconfig', kubeconfig, 'get', 'pods'], {
    environment: { HOME: job.folder },
  });
  assert.notEqual(kubectl.exitCode, 0);
  assert.match(kubectl.stderr, /tls: failed to verify certificate/);
  assert.equal(
    cluster.records.kinds.some((kind) => kind.startsWith('kube')),
    false,
  );
});

const LOST = /kubectl does not trust its certificate, .*layer 4\), or run kubectl through "tbot proxy kube"/;

test('with tbot, and after a join at the Auth Service, run warns of it too', async (t) => {
  const { cluster, job } = await scene(t, { teleport: '18.6.0', front: 'l7' });
  const { auth, caPin, joinToken } = cluster.info;
  const direct = ['--auth-server', auth, '--ca-pin', caPin, '--token', joinToken, '--destination', job.destination];
  const args = ['run', ...direct, '--kubernetes-cluster', 'dev'];
  const joined = await job.run(args);
  assert.equal(joined.exitCode, 0, joined.stderr);
  assert.match(joined.stderr, LOST);
  const other = await beginJob(t, cluster);
  const kubernetes = join(other.destination, 'kubernetes');
  await addTbot(other, { writes: { [kubernetes]: join(job.destination, 'kubernetes') } });
  const toProxy = ['--proxy-server', cluster.info.proxy];
  const toAuth = ['--auth-server', auth, '--ca-pin', caPin];
  for (const [to, written] of [
    [toProxy, `"proxy_server": "${cluster.info.proxy}"`],
    [toAuth, `"auth_server": "${auth}"`],
  ] as const) {
    const flags = [...to, '--token', joinToken, '--destination', other.destination, '--kubernetes-cluster', 'dev'];
    const run = await other.run(['run', ...flags, '--engine', 'tbot']);
    assert.equal(run.exitCode, 0, run.stderr);
    assert.match(run.stderr, LOST);
    assert.ok((await tbotCall(other)).config.includes(written));
  }
  assert.ok((await tbotCall(other)).config.includes(caPin));
  const checks = await checksOf(job, [...direct, '--kubernetes-cluster', 'dev']);
  assert.match(checks.get(KUBERNETES)?.detail ?? '', /kubectl does not trust its certificate/);
});

test('TELEPORT_TLS_ROUTING_CONN_UPGRADE is named where it decides', async (t) => {
  const { job, flags } = await scene(t, { teleport: '18.6.0', front: 'l7' });
  const changes = { environment: { TELEPORT_TLS_ROUTING_CONN_UPGRADE: 'false' } };
  const checks = await checksOf(job, flags, changes);
  assert.equal(checks.get('load-balancer')?.detail, 'not tested: TELEPORT_TLS_ROUTING_CONN_UPGRADE is set');
  const found = await examined(job, flags, changes);
  assert.match(found.notes.join('\n'), /Load balancer: TELEPORT_TLS_ROUTING_CONN_UPGRADE is set, so .* not upgraded/);
  assert.deepEqual(results(found, 'auth', 'auth-fallback'), ['other', 'other']);
});

test('the text of the table shows the topology and the route of each row', async (t) => {
  const { cluster, job } = await scene(t, { teleport: '18.6.0', front: 'l7' });
  const { stdout } = await job.run(['doctor', '--egress', ...NOWHERE, ...flagsOf(cluster, job)]);
  assert.match(stdout, /^Topology {2}one port: .*; behind a load balancer that terminates TLS/m);
  assert.match(stdout, /^\d+ +open +yes +Auth Service +direct, upgraded +localhost:\d+ /m);
  assert.match(stdout, /^ {3}Route: direct, inside a connection upgrade$/m);
});
