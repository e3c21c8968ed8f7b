import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import test, { after, type TestContext } from 'node:test';
import { examined, flagsOf, OF_RUN, results, type Row, unused } from './egress-report.ts';
import { clusterIn, directoryFor, misbehave, NEWEST } from './embedded-cluster.ts';
import { beginJob, type Job } from './job.ts';
import { startTlsTerminator } from './tls-terminator.ts';

const authorities = await directoryFor({ after });
const cluster = await clusterIn(authorities, { after }, { teleport: NEWEST });
const { proxy, webCa } = cluster.info;
const flagsFor = (address: string, job: Job) => flagsOf(cluster, job, address);

/** Accepts every connection and handles it as the test says. */
async function serverThat(t: TestContext, act: (socket: Socket) => void): Promise<string> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
    act(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return `localhost:${address.port}`;
}

interface Obstacle {
  readonly what: string;
  readonly start: (t: TestContext) => Promise<string>;
  readonly result: Row['result'];
  readonly says: RegExp;
}

const OBSTACLES: readonly Obstacle[] = [
  {
    what: 'a port that nothing listens on',
    start: () => Promise.resolve(`localhost:${unused}`),
    result: 'closed',
    says: /refuses the TCP connection/,
  },
  {
    what: 'a silent port',
    start: (t) => serverThat(t, () => undefined),
    result: 'dropped',
    says: /there is no response to the TLS ClientHello with this SNI and ALPN within 5 s/,
  },
  {
    what: 'an HTTP server',
    start: (t) =>
      serverThat(t, (socket) =>
        socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')),
      ),
    result: 'other',
    says: /HTTP \("HTTP\/1\.1 400 Bad Request"\), which is not TLS/,
  },
  {
    what: 'a host name that does not exist',
    start: () => Promise.resolve('nowhere.invalid:443'),
    result: 'unresolved',
    says: /cannot be resolved/,
  },
];

for (const { result, says, start, what } of OBSTACLES) {
  test(`${result}: ${what} instead of the Proxy`, async (t) => {
    const job = await beginJob(t, cluster);
    const startMs = performance.now();
    const found = await examined(job, flagsFor(await start(t), job));
    assert.ok(performance.now() - startMs < 20_000);
    for (const id of ['web-api', 'join-service', 'registration', 'ssh-transport']) {
      assert.equal(found.rows.get(id)?.result, result, found.rows.get(id)?.detail);
      assert.match(found.rows.get(id)?.detail ?? '', says);
    }
    assert.deepEqual(results(found, 'auth', 'auth-fallback'), ['untried', 'untried']);
    assert.deepEqual(found.missing, ['web-api', 'join-service', 'auth', 'auth-fallback', 'ssh-transport']);
    assert.match(found.notes.join('\n'), /TLS routing is assumed/);
  });
}

test('unexpected server: a proxy that terminates TLS with an authority that is not trusted', async (t) => {
  const { address } = await startTlsTerminator(t, { behind: proxy });
  const job = await beginJob(t, cluster);
  const found = await examined(job, flagsFor(address, job));
  // Later steps use the address that the Proxy advertises, which bypasses the interceptor in this test.
  assert.deepEqual(results(found, ...OF_RUN.slice(0, 4), 'auth-fallback'), Array<string>(5).fill('other'));
  assert.match(found.rows.get('web-api')?.detail ?? '', /untrusted certificate: localhost/);
  assert.match(found.rows.get('auth')?.detail ?? '', /expected one of the host authority of example\.teleport\.test/);
  assert.match(found.notes.join('\n'), /its response was used only for this table/);
  // The OIDC token is not sent to a server with an untrusted certificate.
  assert.equal(cluster.records.of('join-service').length, 0);
});

test('open, by connection upgrades: a load balancer whose authority is trusted and that does not support ALPN', async (t) => {
  const { address, certificate } = await startTlsTerminator(t, { behind: proxy, speaks: ['http/1.1'] });
  const job = await beginJob(t, cluster);
  const ca = join(job.folder, 'ca.pem');
  await writeFile(ca, `${certificate}\n${await readFile(webCa, 'utf8')}`);
  const found = await examined(job, [...flagsFor(address, job), '--ca-file', ca]);
  assert.deepEqual(results(found, 'web-api', 'registration', 'join-service', 'auth'), Array<string>(4).fill('open'));
  assert.deepEqual(
    found.connections.filter(({ upgrade }) => upgrade).map(({ id }) => id),
    ['join-service', 'auth'],
  );
  assert.deepEqual(found.missing, []);
});

for (const [fault, result, says] of [
  ['not-json', 'other', /^TLS opens, but .*PROXY_NOT_TELEPORT/],
  ['silent', 'dropped', /^TLS opens, but .*did not respond within/],
  ['reset', 'closed', /^TLS opens, but .*PROXY_UNREACHABLE/],
  ['unavailable', 'open', /^TLS opens, but .*returned status 503/],
] as const) {
  test(`${result}: a Proxy that completes TLS and whose response is ${fault}`, async (t) => {
    misbehave(t, cluster, { replies: { ping: fault } });
    const job = await beginJob(t, cluster);
    const { rows } = await examined(job, flagsFor(proxy, job));
    for (const id of ['web-api', 'registration']) {
      assert.equal(rows.get(id)?.result, result, rows.get(id)?.detail);
      assert.match(rows.get(id)?.detail ?? '', says);
    }
  });
}

/** Kubernetes has a name below `teleport.cluster.local` here, because the Proxy's host is localhost. */
const FRONTS = [
  ['plain', { auth: 'open', fallback: 'open', kubernetes: 'open' }],
  ['cloud', { auth: 'open', fallback: 'open', kubernetes: 'closed' }],
  ['sni-firewall', { auth: 'dropped', fallback: 'open', kubernetes: 'dropped' }],
] as const;

for (const [front, expected] of FRONTS) {
  test(`behind the front ${front}, both routes to the Auth Service are reported separately`, async (t) => {
    const behind = await clusterIn(authorities, t, { teleport: NEWEST, front });
    const job = await beginJob(t, behind);
    const found = await examined(job, [...flagsOf(behind, job), '--kubernetes-cluster', 'dev', '--ssh']);
    const [auth, fallback, kubernetes] = results(found, 'auth', 'auth-fallback', 'kubernetes');
    assert.deepEqual({ auth, fallback, kubernetes }, expected);
    assert.deepEqual(
      results(found, 'web-api', 'join-service', 'registration', 'ssh-transport'),
      Array<string>(4).fill('open'),
    );
    assert.deepEqual(found.missing, expected.kubernetes === 'open' ? [] : ['kubernetes']);
    if (auth === 'dropped')
      assert.match(
        found.rows.get('auth')?.detail ?? '',
        /no response to the TLS ClientHello with this SNI and ALPN .*Likely cause: a firewall filters by server name \(SNI\): the same port answers under the name localhost\.$/,
      );
  });
}
