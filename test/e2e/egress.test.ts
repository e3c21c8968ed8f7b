import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import test, { after, type TestContext } from 'node:test';
import { z } from 'zod';
import { encodedClusterDomain } from '../cluster/world.ts';
import { directory } from './config-file.ts';
import { clusterIn, directoryFor, misbehave, NEWEST } from './embedded-cluster.ts';
import { listing } from './folder-listing.ts';
import { freePort } from './free-port.ts';
import { beginJob, type Job, type RunChanges } from './job.ts';
import { errorReport } from './refusal.ts';
import { startTlsTerminator } from './tls-terminator.ts';

const authorities = await directoryFor({ after });
const cluster = await clusterIn(authorities, { after }, { teleport: NEWEST });
const { joinToken, postgres, proxy, webCa } = cluster.info;
const [, proxyPort = ''] = proxy.split(':');

const Row = z.strictObject({
  id: z.string(),
  purpose: z.string().min(3),
  host: z.string().nullable(),
  port: z.int().nullable(),
  protocol: z.enum(['tls', 'ssh', 'postgres', 'mysql', 'tcp']).nullable(),
  sni: z.string().nullable(),
  alpn: z.array(z.string()),
  addresses: z.array(z.string()),
  need: z.enum(['always', 'either', 'sometimes']),
  neededFor: z.string().regex(/\.$/),
  when: z.string().regex(/\.$/),
  result: z.enum(['open', 'closed', 'dropped', 'other', 'unresolved', 'untried', 'none']),
  detail: z.string().regex(/^\S.*\.$/),
});

const Report = z.strictObject({
  title: z.literal('Network connections of a CircleCI job that joins Teleport'),
  version: z.string(),
  time: z.string().regex(/^\d{4}-\d{2}-\d{2}T[\d:]+Z$/),
  proxy: z.string().nullable(),
  cluster: z.strictObject({ name: z.string(), version: z.string(), tlsRouting: z.boolean() }).nullable(),
  notes: z.array(z.string()),
  missing: z.array(z.string()),
  connections: z.array(Row),
});

type Row = z.infer<typeof Row>;

interface Found extends z.infer<typeof Report> {
  readonly rows: ReadonlyMap<string, Row>;
}

/** Nothing on the internet is asked by a test: the downloads go to a port where nobody listens. */
const unused = await freePort();
const NOWHERE = ['download-url', 'node-mirror', 'cdn-base-url'].flatMap((flag) => [
  `--${flag}`,
  `https://localhost:${unused}/x`,
]);

/** Leaves everything as it was, and fails exactly when something needed is not open. */
async function examined(job: Job, args: readonly string[], changes?: RunChanges): Promise<Found> {
  const before = await listing(job.folder);
  const run = await job.run(['doctor', '--egress', '--json', '--timeout', '3', ...NOWHERE, ...args], changes);
  assert.deepEqual(await listing(job.folder), before);
  const report = Report.parse(JSON.parse(run.stdout));
  assert.equal(run.exitCode, report.missing.length === 0 ? 0 : 1, run.stderr);
  if (report.missing.length > 0) assert.equal(errorReport(run).code, 'DOCTOR_FAILED');
  return { ...report, rows: new Map(report.connections.map((row) => [row.id, row])) };
}

const flagsFor = (address: string, job: Job) => [
  ...['--proxy-server', address, '--token', joinToken, '--destination', job.destination],
];

function results({ rows }: Found, ...ids: readonly string[]): readonly (string | undefined)[] {
  return ids.map((id) => rows.get(id)?.result);
}

const OF_RUN = ['web-api', 'join-service', 'registration', 'auth', 'ssh-transport'];

test('where all is open, the table lists each connection by host, port, SNI and ALPN', async (t) => {
  const job = await beginJob(t, cluster);
  const found = await examined(job, [...flagsFor(proxy, job), '--kubernetes-cluster', 'dev', '--ssh']);
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

test('a person reads a table with title, cluster, time and addresses, which stands on its own', async (t) => {
  const job = await beginJob(t, cluster);
  const { exitCode, stdout } = await job.run(['doctor', '--egress', ...NOWHERE, ...flagsFor(proxy, job)]);
  assert.equal(exitCode, 0);
  assert.match(
    stdout,
    /^Network connections of a CircleCI job that joins Teleport\n\nProxy {4}localhost:\d+\nCluster {2}example\.teleport\.test, Teleport 18\.6\.0, TLS routing on\nTime {5}2\d{3}-/,
  );
  assert.match(stdout, /^# +Result +Needed +Connection +Host and port +SNI +ALPN$/m);
  assert.match(
    stdout,
    /^\d+ +open +one of two +Auth Service +localhost:\d+ +[0-9a-f]+\.teleport\.cluster\.local +teleport-auth@[0-9a-f]+\.teleport\.cluster\.local, h2$/m,
  );
  assert.match(stdout, /^ {2}localhost +(::1, )?127\.0\.0\.1/m);
  assert.match(stdout, /\nEvery connection that the job needs is open\.\n$/);
});

test('it asks the Proxy once, and joins only for what an identity alone can tell', async (t) => {
  const job = await beginJob(t, cluster);
  await examined(job, flagsFor(proxy, job));
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

test('with an identity, applications and databases are tried where the cluster says they are', async (t) => {
  const job = await beginJob(t, cluster);
  const found = await examined(job, ['-c', await resources(job)]);
  const application = found.rows.get('application:outputs[0]');
  assert.equal(application?.host, 'dashboard.example.teleport.test');
  assert.equal(application.port, Number(proxyPort));
  const database = found.rows.get('database:outputs[1]');
  assert.equal(`localhost:${String(database?.port)}`, postgres);
  assert.equal(database?.result, 'open', database?.detail);
  assert.equal(cluster.records.of('join-service').length, 1);
  // No name server of this machine knows the name of the application.
  assert.deepEqual(found.missing, ['application:outputs[0]']);
  assert.equal(application.result, 'unresolved');
});

test('without a token they are listed with the way to learn them, and the rest is tried', async (t) => {
  const job = await beginJob(t, cluster);
  const environment = { CIRCLE_OIDC_TOKEN: '', CIRCLE_ORGANIZATION_ID: undefined };
  const found = await examined(job, ['-c', await resources(job)], { environment });
  assert.deepEqual(results(found, ...OF_RUN.slice(0, 4)), ['open', 'open', 'open', 'open']);
  assert.deepEqual(found.missing, ['application:outputs[0]', 'database:outputs[1]']);
  assert.match(found.rows.get('application:outputs[0]')?.detail ?? '', /identity of a join: there is no OIDC token/);
});

test('without a configuration, what each kind of output may need is listed', async (t) => {
  const job = await beginJob(t, cluster);
  const found = await examined(job, ['--proxy-server', proxy]);
  assert.deepEqual(found.missing, []);
  assert.deepEqual(results(found, ...OF_RUN, 'kubernetes', 'database-listener:postgres', 'application'), [
    ...Array<string>(7).fill('open'),
    'untried',
  ]);
  assert.match(found.notes.join('\n'), /Configuration: .*token/);
});

test('without an address, the names that do not depend on it are listed all the same', async (t) => {
  const job = await beginJob(t, cluster);
  const found = await examined(job, []);
  assert.equal(found.proxy, null);
  assert.deepEqual(found.missing, ['web-api', 'join-service', 'auth', 'auth-fallback']);
  assert.equal(found.rows.get('node')?.result, 'closed');
});

/** Takes every connection and does with it what the test says. */
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
    what: 'a port where nobody listens',
    start: () => Promise.resolve(`localhost:${unused}`),
    result: 'closed',
    says: /refuses the TCP connection/,
  },
  {
    what: 'a silent port',
    start: (t) => serverThat(t, () => undefined),
    result: 'dropped',
    says: /is not answered within 3 s/,
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
    what: 'a name that is not known',
    start: () => Promise.resolve('nowhere.invalid:443'),
    result: 'unresolved',
    says: /cannot be looked up/,
  },
];

for (const { result, says, start, what } of OBSTACLES) {
  test(`${result}: ${what} in place of the Proxy`, async (t) => {
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

test('something else answers: a proxy that ends TLS under an authority that is not trusted', async (t) => {
  const { address } = await startTlsTerminator(t, { behind: proxy });
  const job = await beginJob(t, cluster);
  const found = await examined(job, flagsFor(address, job));
  // Later steps go to the address that the Proxy advertises, which passes by the interceptor here.
  assert.deepEqual(results(found, ...OF_RUN.slice(0, 4), 'auth-fallback'), Array<string>(5).fill('other'));
  assert.match(found.rows.get('web-api')?.detail ?? '', /not trusted: that of localhost/);
  assert.match(found.rows.get('auth')?.detail ?? '', /expected one of the host authority of example\.teleport\.test/);
  assert.match(found.notes.join('\n'), /its answer was used for this table alone/);
  // The OIDC token is for no one whose certificate is not trusted.
  assert.equal(cluster.records.of('join-service').length, 0);
});

test('something else answers: a load balancer whose authority is trusted and that knows no ALPN', async (t) => {
  const { address, certificate } = await startTlsTerminator(t, { behind: proxy, speaks: ['http/1.1'] });
  const job = await beginJob(t, cluster);
  const ca = join(job.folder, 'ca.pem');
  await writeFile(ca, `${certificate}\n${await readFile(webCa, 'utf8')}`);
  const found = await examined(job, [...flagsFor(address, job), '--ca-file', ca]);
  assert.deepEqual(results(found, 'web-api', 'registration'), ['open', 'open']);
  assert.deepEqual(results(found, 'join-service', 'auth', 'auth-fallback'), Array<string>(3).fill('other'));
  assert.deepEqual(found.missing, ['join-service', 'auth', 'auth-fallback']);
});

for (const [fault, result, says] of [
  ['not-json', 'other', /^TLS opens, but .*PROXY_NOT_TELEPORT/],
  ['silent', 'dropped', /^TLS opens, but .*did not answer within/],
  ['reset', 'closed', /^TLS opens, but .*PROXY_UNREACHABLE/],
  ['unavailable', 'open', /^TLS opens, but .*answered 503/],
] as const) {
  test(`${result}: a Proxy with which TLS opens, and whose answer is ${fault}`, async (t) => {
    misbehave(t, cluster, { replies: { ping: fault } });
    const job = await beginJob(t, cluster);
    const { rows } = await examined(job, flagsFor(proxy, job));
    for (const id of ['web-api', 'registration']) {
      assert.equal(rows.get(id)?.result, result, rows.get(id)?.detail);
      assert.match(rows.get(id)?.detail ?? '', says);
    }
  });
}

/** Kubernetes is known by a name below `teleport.cluster.local` here, as the Proxy's host is localhost. */
const FRONTS = [
  ['plain', { auth: 'open', fallback: 'open', kubernetes: 'open' }],
  ['cloud', { auth: 'open', fallback: 'open', kubernetes: 'closed' }],
  ['sni-firewall', { auth: 'dropped', fallback: 'open', kubernetes: 'dropped' }],
] as const;

for (const [front, expected] of FRONTS) {
  test(`behind the front ${front}, both routes to the Auth Service are told apart`, async (t) => {
    const behind = await clusterIn(authorities, t, { teleport: NEWEST, front });
    const job = await beginJob(t, behind);
    const found = await examined(job, [...flagsFor(behind.info.proxy, job), '--kubernetes-cluster', 'dev', '--ssh']);
    const [auth, fallback, kubernetes] = results(found, 'auth', 'auth-fallback', 'kubernetes');
    assert.deepEqual({ auth, fallback, kubernetes }, expected);
    assert.deepEqual(
      results(found, 'web-api', 'join-service', 'registration', 'ssh-transport'),
      Array<string>(4).fill('open'),
    );
    assert.deepEqual(found.missing, expected.kubernetes === 'open' ? [] : ['kubernetes']);
    if (auth === 'dropped')
      assert.match(found.rows.get('auth')?.detail ?? '', /greeting with this SNI and ALPN is not answered/);
  });
}

test('without TLS routing each listener is tried on its own port', async (t) => {
  const separate = await clusterIn(authorities, t, { teleport: '15.3.7', tlsRouting: false });
  const job = await beginJob(t, separate);
  const flags = ['--proxy-server', separate.info.proxy, '--token', joinToken, '--destination', job.destination];
  const found = await examined(job, [...flags, '--kubernetes-cluster', 'dev', '--ssh']);
  assert.deepEqual(
    results(found, 'web-api', 'registration', 'auth', 'ssh-transport', 'kubernetes'),
    Array<string>(5).fill('open'),
  );
  assert.notEqual(found.rows.get('kubernetes')?.port, found.rows.get('web-api')?.port);
  assert.equal(found.rows.get('join-service')?.need, 'sometimes');
  assert.deepEqual(found.missing, []);
});

test('neither a password in an address nor a token is printed, and HTTPS_PROXY is noted', async (t) => {
  const job = await beginJob(t, cluster);
  const url = `https://user:pass-word@localhost:${unused}/x?key=pass-word`;
  const args = [
    'doctor',
    '--egress',
    ...flagsFor(proxy, job),
    '--download-url',
    url,
    '--node-mirror',
    url,
    '--cdn-base-url',
    url,
  ];
  const environment = { HTTPS_PROXY: 'http://user:pass-word@proxy.example.com:3128' };
  const { stdout } = await job.run(args, { environment, secrets: ['pass-word'] });
  assert.match(stdout, /^Note: HTTP proxy: HTTPS_PROXY is set/m);
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
    ...flagsFor(`localhost:${unused}`, job),
    '--junit',
    path,
  ]);
  assert.equal(run.exitCode, 1);
  const xml = await readFile(path, 'utf8');
  assert.match(xml, /name="Web API of the Proxy" time="0"><failure message="closed: Port \d+ refuses/);
  assert.match(xml, /name="Download of Node.js" time="0"><system-out>warning: closed/);
});
