/** What doctor and its table say about the HTTP proxy that each connection takes. */
import assert from 'node:assert/strict';
import test, { after, type TestContext } from 'node:test';
import { startConnectProxy } from './connect-proxy.ts';
import { checksOf } from './doctor-checks.ts';
import { examined, flagsOf } from './egress-report.ts';
import { clusterIn, type ClusterWish, directoryFor } from './embedded-cluster.ts';
import { freePort } from './free-port.ts';
import { beginJob } from './job.ts';

const authorities = await directoryFor({ after });
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
