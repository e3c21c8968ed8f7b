/** Tunnels in front of real servers and their own clients, started as a step of a job starts them. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import test, { after, type TestContext } from 'node:test';
import { missing, type ProgramRun, runProgram } from '../programs.ts';
import { clusterIn, directoryFor, misbehave } from './embedded-cluster.ts';
import { hasEnded } from './ended-process.ts';
import { exportedTo } from './exported.ts';
import { startMariadb } from './mariadb.ts';
import { missingPostgres, startPostgres } from './postgres.ts';
import { startRedis } from './redis.ts';
import { beginTunnelJob, psql, statusOf } from './tunnel-job.ts';

const authorities = await directoryFor({ after });
const cluster = await clusterIn(authorities, { after }, {});
const skip = process.platform === 'linux' ? ((await missingPostgres()) ?? false) : 'looks at Linux';
const owner = { after };

function database(name: string) {
  const found = cluster.resources.databases.find((one) => one.name === name);
  assert.ok(found !== undefined);
  return found;
}

const noMariadb = missing('mariadb', 'mariadbd');
const noRedis = missing('redis-server', 'redis-cli');

await Promise.all([
  (async () => skip === false && (database('orders').port = await startPostgres(owner, cluster)))(),
  (async () => noMariadb === undefined && (database('inventory').port = await startMariadb(owner, cluster)))(),
  (async () => noRedis === undefined && (database('cache').port = await startRedis(owner, cluster)))(),
]);

const ORDERS = ['--database', 'orders', '--database-user', 'ci', '--database-name', 'orders'];

test('psql and pgbench reach a database through a tunnel with the exported variables', { skip }, async (t) => {
  const job = await beginTunnelJob(t, cluster);
  const { exitCode, stderr } = await job.open([...ORDERS, '--export-client-variables']);
  assert.equal(exitCode, 0, stderr);
  const exported = await exportedTo(job);
  assert.match(exported.MACHINE_ID_TUNNEL_ORDERS ?? '', /^127\.0\.0\.1:\d+$/);
  assert.equal(exported.MACHINE_ID_TUNNEL_ORDERS, `${exported.PGHOST ?? ''}:${exported.PGPORT ?? ''}`);
  assert.equal((await psql(job, 'select current_user, 6 * 7')).stdout.trim(), 'ci|42');

  await t.test('many transactions on several connections', { skip: missing('pgbench') }, async () => {
    const environment = exported;
    const prepared = await runProgram('pgbench', ['--initialize', '--quiet'], { environment });
    assert.equal(prepared.exitCode, 0, prepared.stderr);
    const run = await runProgram('pgbench', ['--no-vacuum', '--client=5', '--transactions=40'], { environment });
    assert.match(run.stdout, /number of transactions actually processed: 200\/200/, run.stderr);
  });

  await t.test('its status is ready until cleanup has ended it', async () => {
    const { exitCode: ready, process } = await statusOf(job);
    assert.deepEqual([ready, process?.state, process?.tunnels[0]?.state], [0, 'ready', 'ready']);
    await job.run(['cleanup']);
    assert.equal((await psql(job, 'select 1')).exitCode, 2);
    assert.equal((await job.run(['tunnel', 'status'])).exitCode, 1);
  });
});

test('one process has several tunnels, and a file with their names', { skip }, async (t) => {
  const application = cluster.resources.applications.find(({ name }) => name === 'dashboard');
  assert.ok(application !== undefined);
  application.port = await startWebServer(t);
  const job = await beginTunnelJob(t, cluster);
  const socket = `${job.folder}/dashboard.sock`;
  const file = await job.addFile(
    'tbot.yaml',
    `version: v2
proxy_server: ${cluster.info.proxy}
onboarding: {token: ${cluster.info.joinToken}, join_method: circleci}
outputs: [{type: identity, destination: {type: directory, path: never}}]
services:
- {type: database-tunnel, name: shop, listen: 'tcp://127.0.0.1:0', service: orders, database: orders, username: ci}
- {type: application-tunnel, listen: 'unix://${socket}', app_name: dashboard}
`,
  );
  const { exitCode, stderr, stdout } = await job.run(['tunnel', '--config', file, '--json']);
  assert.equal(exitCode, 0, stderr);
  assert.match(stdout, /"exported":\["MACHINE_ID_TUNNEL_SHOP","MACHINE_ID_TUNNEL_DASHBOARD"\]/);
  assert.equal((await exportedTo(job)).MACHINE_ID_TUNNEL_DASHBOARD, socket);
  const got = await runProgram('curl', ['-sS', '--unix-socket', socket, 'http://dashboard/path?a=b']);
  assert.equal(got.stdout, 'GET /path?a=b', got.stderr);
});

async function startWebServer(t: TestContext): Promise<number> {
  const server = createServer((request, response) => response.end(`${request.method ?? ''} ${request.url ?? ''}`));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return address.port;
}

function mariadb(port: string, sql: string): Promise<ProgramRun> {
  const args = ['--host', '127.0.0.1', '--port', port, '--user=ci', '--skip-ssl', '--batch', '--skip-column-names'];
  return runProgram('mariadb', [...args, '--execute', sql, 'stock']);
}

test('MariaDB, whose server speaks first, is reached through a tunnel', { skip: noMariadb }, async (t) => {
  const job = await beginTunnelJob(t, cluster);
  const stock = ['--database', 'inventory', '--database-user', 'ci', '--database-name', 'stock'];
  const { exitCode, stderr } = await job.open([...stock, '--export-client-variables']);
  assert.equal(exitCode, 0, stderr);
  const { MYSQL_HOST = '', MYSQL_TCP_PORT = '' } = await exportedTo(job);
  assert.equal(MYSQL_HOST, '127.0.0.1');
  const run = await mariadb(MYSQL_TCP_PORT, 'select 6 * 7');
  assert.equal(run.stdout.trim(), '42', run.stderr);
});

test('redis-cli and redis-benchmark reach Redis through a tunnel', { skip: noRedis }, async (t) => {
  const job = await beginTunnelJob(t, cluster);
  const cache = ['--database', 'cache', '--database-user', 'default', '--database-name', '0'];
  const { exitCode, stderr } = await job.open([...cache, '--export-client-variables']);
  assert.equal(exitCode, 0, stderr);
  const { REDIS_URL = '' } = await exportedTo(job);
  const said = await runProgram('redis-cli', ['-u', REDIS_URL, 'set', 'a', '42']);
  assert.equal(said.stdout.trim(), 'OK', said.stderr);
  const { hostname, port } = new URL(REDIS_URL);
  const many = ['-h', hostname, '-p', port, '-t', 'set,get', '-n', '500', '-c', '20', '-q'];
  const run = await runProgram('redis-benchmark', many);
  assert.match(run.stdout, /SET: .* requests per second.*\n.*GET: .* requests per second/s, run.stderr);
});

test(
  'behind a load balancer that terminates TLS, one process leads psql, MariaDB and redis-cli to their servers',
  { skip: skip === false ? (noMariadb ?? noRedis) : skip },
  async (t) => {
    const behind = await clusterIn(authorities, t, { front: 'l7' });
    for (const one of behind.resources.databases) {
      const { port } = database(one.name);
      if (port !== undefined) one.port = port;
    }
    const job = await beginTunnelJob(t, behind);
    const file = await job.addFile(
      'tbot.yaml',
      `version: v2
proxy_server: ${behind.info.proxy}
onboarding: {token: ${behind.info.joinToken}, join_method: circleci}
services:
- {type: database-tunnel, listen: 'tcp://127.0.0.1:0', service: orders, database: orders, username: ci}
- {type: database-tunnel, listen: 'tcp://127.0.0.1:0', service: inventory, database: stock, username: ci}
- {type: database-tunnel, listen: 'tcp://127.0.0.1:0', service: cache, database: '0', username: default}
`,
    );
    const { exitCode, stderr } = await job.run(['tunnel', '--config', file, '--export-client-variables']);
    assert.equal(exitCode, 0, stderr);
    const { MYSQL_TCP_PORT = '', REDIS_URL = '' } = await exportedTo(job);
    const [orders, inventory, cache] = await Promise.all([
      psql(job, 'select 6 * 7'),
      mariadb(MYSQL_TCP_PORT, 'select 6 * 7'),
      runProgram('redis-cli', ['-u', REDIS_URL, 'set', 'b', '42']),
    ]);
    assert.equal(orders.stdout.trim(), '42', orders.stderr);
    assert.equal(inventory.stdout.trim(), '42', inventory.stderr);
    assert.equal(cache.stdout.trim(), 'OK', cache.stderr);
    assert.ok(behind.records.of('connection-upgrade').length >= 6);
  },
);

test(
  'a tunnel that does not become ready fails the step with the reason, and leaves no process',
  { skip },
  async (t) => {
    const job = await beginTunnelJob(t, cluster);
    const { exitCode, stderr } = await job.open([
      ...ORDERS.slice(0, 3),
      'nobody',
      ...ORDERS.slice(4),
      '--ready-timeout',
      '8',
    ]);
    assert.equal(exitCode, 1);
    assert.match(stderr, /code: TUNNEL_NOT_READY/);
    assert.match(stderr, /TUNNEL_FAILED: the database answers: access to db denied/);
    assert.equal((await statusOf(job)).process?.state, 'failed');
  },
);

test('a tunnel that is killed is reported as dead, and the next start works', { skip }, async (t) => {
  const job = await beginTunnelJob(t, cluster);
  assert.equal((await job.open(ORDERS)).exitCode, 0);
  const { process: running } = await statusOf(job);
  const killed = Number(running?.processId);
  process.kill(killed, 'SIGKILL');
  while (!hasEnded(killed)) await delay(10);
  const { exitCode, stderr, stdout } = await job.run(['tunnel', 'status']);
  assert.equal(exitCode, 1);
  assert.match(stdout, /orders: the process died: it ended without reporting why/);
  assert.match(stderr, /code: TUNNEL_UNAVAILABLE/);
  const again = await job.open([...ORDERS, '--export-client-variables']);
  assert.equal(again.exitCode, 0, again.stderr);
  assert.equal((await psql(job, 'select 1')).stdout.trim(), '1');
});

test(
  'a tunnel outlives its first certificate and the identity of the bot, with new tokens of the agent',
  { skip },
  async (t) => {
    misbehave(t, cluster, { maxTtlMs: 6000 });
    const job = await beginTunnelJob(t, cluster);
    await job.addProgram('circleci', `echo ${await cluster.mint()}`);
    assert.equal((await job.open([...ORDERS, '--export-client-variables'])).exitCode, 0);
    const joins = cluster.records.of('join-service').length;
    await delay(7000);
    assert.equal((await psql(job, 'select 1')).stdout.trim(), '1');
    assert.ok(cluster.records.of('join-service').length > joins);
    assert.equal((await statusOf(job)).exitCode, 0);
  },
);

test('a client of a Proxy that has stalled gets an error instead of waiting for ever', { skip }, async (t) => {
  const job = await beginTunnelJob(t, cluster);
  assert.equal((await job.open([...ORDERS, '--export-client-variables'])).exitCode, 0);
  misbehave(t, cluster, { proxyConnections: 'silent-after-tcp' });
  const { exitCode, stderr } = await psql(job, 'select 1');
  assert.equal(exitCode, 2);
  assert.match(stderr, /machine-id tunnel orders: the Proxy localhost:\d+ did not respond within 10 s/);
});

test('no tunnel is running, and a job without one has none to report', { skip }, async (t) => {
  const job = await beginTunnelJob(t, cluster);
  const { exitCode, stderr, stdout } = await job.run(['tunnel', 'status']);
  assert.deepEqual([exitCode, stdout], [1, 'This job has no tunnels.\n']);
  assert.match(stderr, /this job has started no tunnel/);
  const left = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && isOwnTunnel(name));
  assert.deepEqual(left, []);
});

/** Of this file: the jobs of other tests have other folders. */
function isOwnTunnel(id: string): boolean {
  try {
    const command = readFileSync(`/proc/${id}/cmdline`, 'utf8');
    return command.includes('--foreground') && command.includes(cluster.info.proxy);
  } catch {
    return false; // it has ended
  }
}
