/** What doctor and its table say about the topology of a cluster, and about the proxy that each connection takes. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import test, { after, type TestContext } from 'node:test';
import { z } from 'zod';
import type { FrontKind } from '../cluster/proxy/front.ts';
import { missing, runProgram } from '../programs.ts';
import { startConnectProxy } from './connect-proxy.ts';
import { examined, flagsOf, NOWHERE, results } from './egress-report.ts';
import { clusterIn, type ClusterWish, directoryFor } from './embedded-cluster.ts';
import { freePort } from './free-port.ts';
import { beginJob, type Job, type RunChanges } from './job.ts';

const authorities = await directoryFor({ after });
const VERSIONS = ['15.3.7', '18.6.0'] as const;

const Examination = z.object({
  checks: z.array(z.object({ id: z.string(), state: z.string(), detail: z.string(), fix: z.string().optional() })),
});

type Checks = ReadonlyMap<string, z.infer<typeof Examination>['checks'][number]>;

async function checksOf(job: Job, flags: readonly string[], changes?: RunChanges): Promise<Checks> {
  const { stdout } = await job.run(['doctor', ...flags, '--json'], changes);
  return new Map(Examination.parse(JSON.parse(stdout)).checks.map((check) => [check.id, check]));
}

/** A cluster, a job, and the flags for an identity and a kubeconfig. */
async function scene(t: TestContext, wish: ClusterWish) {
  const cluster = await clusterIn(authorities, t, wish);
  const job = await beginJob(t, cluster);
  return { cluster, job, flags: [...flagsOf(cluster, job), '--kubernetes-cluster', 'dev', '--ssh'] };
}

const KUBERNETES = 'output:--kubernetes-cluster';

for (const teleport of VERSIONS) {
  for (const front of ['l7', 'l7-h2', 'l7-alert', 'l7-unoffered'] as const satisfies readonly FrontKind[]) {
    test(`Teleport ${teleport} behind the front ${front}: connections are upgraded, and kubectl is left out`, async (t) => {
      const { job, flags } = await scene(t, { teleport, front });
      const checks = await checksOf(job, flags);
      assert.match(
        checks.get('load-balancer')?.detail ?? '',
        /terminates TLS .*connections are upgraded.*which works$/,
      );
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

  test(`Teleport ${teleport} behind a firewall that filters by server name: the name is the first likely cause`, async (t) => {
    const { job, flags } = await scene(t, { teleport, front: 'sni-firewall' });
    const found = await examined(job, flags);
    assert.deepEqual(results(found, 'auth', 'auth-fallback'), ['dropped', 'open']);
    assert.match(
      found.rows.get('auth')?.detail ?? '',
      /Likely cause: a firewall filters by server name \(SNI\): the same port answers under the name localhost\.$/,
    );
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

test('TELEPORT_TLS_ROUTING_CONN_UPGRADE is named where it decides', async (t) => {
  const { job, flags } = await scene(t, { teleport: '18.6.0', front: 'l7' });
  const changes = { environment: { TELEPORT_TLS_ROUTING_CONN_UPGRADE: 'false' } };
  const checks = await checksOf(job, flags, changes);
  assert.equal(checks.get('load-balancer')?.detail, 'not tested: TELEPORT_TLS_ROUTING_CONN_UPGRADE is set');
  const found = await examined(job, flags, changes);
  assert.match(found.notes.join('\n'), /Load balancer: TELEPORT_TLS_ROUTING_CONN_UPGRADE is set, so .* not upgraded/);
  assert.deepEqual(results(found, 'auth', 'auth-fallback'), ['other', 'other']);
});

const HOST = 'teleport.example.com';

/** A cluster under a name that only a proxy resolves. */
async function behindProxy(t: TestContext, wish: ClusterWish) {
  const port = await freePort();
  const place = `${HOST}:${port}`;
  const cluster = await clusterIn(authorities, t, { ...wish, port, publicAddress: place });
  const job = await beginJob(t, cluster);
  return { cluster, job, place, flags: [...flagsOf(cluster, job, place), '--ssh'] };
}

for (const [teleport, front] of [
  ['15.3.7', 'plain'],
  ['18.6.0', 'l7'],
] as const) {
  test(`Teleport ${teleport} behind an HTTP proxy and the front ${front}: every row goes through the proxy`, async (t) => {
    const { job, place, flags } = await behindProxy(t, { teleport, front });
    const proxy = await startConnectProxy(t);
    const changes = { environment: { HTTPS_PROXY: proxy.url } };
    const name = `through the HTTP proxy ${proxy.url} (HTTPS_PROXY)`;
    const checks = await checksOf(job, flags, changes);
    assert.deepEqual(
      [...checks.values()].filter(({ state }) => state === 'warn' || state === 'fail'),
      [],
    );
    const lines = checks.get('topology')?.detail.split('\n') ?? [];
    assert.ok(lines.includes(`Proxy: ${name}`), lines.join('\n'));
    assert.ok(lines.includes(`kubectl: ${name}`), lines.join('\n'));
    const found = await examined(job, flags, changes);
    assert.deepEqual(found.missing, []);
    for (const id of ['web-api', 'auth', 'ssh-transport', 'reverse-tunnel']) {
      const row = found.rows.get(id);
      assert.equal(row?.result, 'open', row?.detail);
      assert.equal(row.route, `${name}${row.upgrade ? ', inside a connection upgrade' : ''}`);
      assert.equal(row.proxy, proxy.url);
    }
    assert.deepEqual([...new Set(proxy.targets)], [place]);
  });
}

test('a proxy that wants a login: every row has its own words, and no row its password', async (t) => {
  const { job, flags } = await behindProxy(t, { teleport: '18.6.0' });
  const proxy = await startConnectProxy(
    t,
    'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="x"',
  );
  const url = proxy.url.replace('//', '//somebody:hunter2@');
  const changes = { environment: { HTTPS_PROXY: url }, secrets: ['hunter2', 'somebody'] };
  const found = await examined(job, flags, changes);
  const says = `The HTTP proxy ${proxy.url} (HTTPS_PROXY) rejected the user and password (HTTP status 407).`;
  for (const id of ['web-api', 'join-service', 'registration', 'ssh-transport']) {
    assert.equal(found.rows.get(id)?.result, 'closed');
    assert.equal(found.rows.get(id)?.detail, says);
  }
  const checks = await checksOf(job, flags, changes);
  assert.match(
    checks.get('tcp')?.detail ?? '',
    /rejected the user and password \(HTTP status 407\) \[EGRESS_PROXY_FAILED\]/,
  );
});

test('an entry of NO_PROXY is named in the route of each row that it matches', async (t) => {
  const { job, flags, place } = await behindProxy(t, { teleport: '18.6.0' });
  const proxy = await startConnectProxy(t);
  const environment = { HTTPS_PROXY: proxy.url, no_proxy: 'localhost, .EXAMPLE.com' };
  const found = await examined(job, flags, { environment });
  const row = found.rows.get('web-api');
  assert.equal(row?.result, 'unresolved');
  assert.equal(row.route, 'direct: no_proxy contains ".example.com" (HTTPS_PROXY is set)');
  assert.match(
    row.detail,
    new RegExp(`Likely cause: HTTPS_PROXY is set, but is not used for ${place}, because no_proxy`),
  );
  assert.deepEqual(proxy.targets, []);
});

test('ALL_PROXY is used by this program, but not by kubectl and the programs of Teleport', async (t) => {
  const { job, flags } = await behindProxy(t, { teleport: '18.6.0' });
  const proxy = await startConnectProxy(t);
  const found = await examined(job, [...flags, '--kubernetes-cluster', 'dev'], {
    environment: { ALL_PROXY: proxy.url },
  });
  assert.equal(found.rows.get('web-api')?.result, 'open');
  for (const id of ['kubernetes', 'reverse-tunnel']) {
    assert.equal(found.rows.get(id)?.route, 'direct: ALL_PROXY is not used for such connections');
    assert.equal(found.rows.get(id)?.result, 'unresolved');
  }
});

test('the text of the table shows the topology and the route of each row', async (t) => {
  const { cluster, job } = await scene(t, { teleport: '18.6.0', front: 'l7' });
  const { stdout } = await job.run(['doctor', '--egress', ...NOWHERE, ...flagsOf(cluster, job)]);
  assert.match(stdout, /^Topology {2}one port: .*; behind a load balancer that terminates TLS/m);
  assert.match(stdout, /^\d+ +open +yes +Auth Service +direct, upgraded +localhost:\d+ /m);
  assert.match(stdout, /^ {3}Route: direct, inside a connection upgrade$/m);
});
