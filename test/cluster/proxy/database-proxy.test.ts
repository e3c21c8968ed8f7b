/** Real servers and clients of databases, and the Proxy's web port between them. */
import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { text } from 'node:stream/consumers';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { accessRequest, generateUserCerts, sshLine } from '../auth/raw-auth.ts';
import { joinByService, webAddress } from '../auth/raw-bot.ts';
import type { Cluster } from '../cluster.ts';
import { createKey, keyPem } from '../crypto/keys.ts';
import type { ServerOwner } from '../../e2e/database-server.ts';
import { clusterIn, directoryFor } from '../../e2e/embedded-cluster.ts';
import { missingMariadb, startMariadb } from '../../e2e/mariadb.ts';
import { missingPostgres, startPostgres } from '../../e2e/postgres.ts';
import { missingRedis, startRedis } from '../../e2e/redis.ts';
import { type ProgramRun, runProgram } from '../../programs.ts';
import { dialTls } from './raw-client.ts';
import { PingConnection } from './ping-connection.ts';
import { databaseServerCertificate } from './teleport-certificate.ts';
import { listen } from '../tcp-listener.ts';

interface Route {
  readonly service_name: string;
  readonly protocol: string;
  readonly username: string;
  readonly database?: string;
}

const ORDERS = { service_name: 'orders', protocol: 'postgres', username: 'ci', database: 'orders' };
const STOCK = { service_name: 'inventory', protocol: 'mysql', username: 'ci', database: 'stock' };
const CACHE = { service_name: 'cache', protocol: 'redis', username: 'default' };

const withoutPostgres = await missingPostgres();

const cluster = await clusterIn(await directoryFor({ after }), { after }, { protocolPingIntervalMs: 10 });
const bot = await joinByService(cluster);
const key = await createKey('rsa');
const files = await directoryFor({ after });
await Promise.all([
  begin('orders', withoutPostgres, startPostgres),
  begin('inventory', missingMariadb(), startMariadb),
  begin('cache', missingRedis(), startRedis),
]);

/** Limits a wait, so that a test of what never comes fails. */
function soon(): { readonly signal: AbortSignal } {
  return { signal: AbortSignal.timeout(20_000) };
}

async function begin(
  name: string,
  skip: string | undefined,
  start: (owner: ServerOwner, cluster: Cluster) => Promise<number>,
): Promise<void> {
  const database = cluster.resources.databases.find((one) => one.name === name);
  assert.ok(database !== undefined);
  if (skip === undefined) {
    database.port = await start({ after }, cluster);
  }
}

/** A bot's certificate with a route to a database, or without one. */
const identity = async (route?: Route): Promise<{ cert: string; key: string }> => {
  const { tls } = await generateUserCerts(cluster, bot, {
    ...accessRequest(key),
    public_key: Buffer.from(sshLine(createPublicKey(key))),
    ...(route && { route_to_database: { database: '', ...route } }),
  });
  return { cert: tls.toString(), key: keyPem(key) };
};

const dial = (client: object, ALPNProtocols: string[]): Promise<TLSSocket> =>
  dialTls({ ...webAddress(cluster), ...client, ALPNProtocols });

/** Connects every client of a local port to the Proxy; calls the check with the port. */
const tunnel = async <T>(client: object, protocols: string[], check: (port: string) => Promise<T>): Promise<T> => {
  const listener = await listen(0, (plain) => {
    dial(client, protocols).then(
      (secure) => {
        const pings = secure.alpnProtocol !== false && secure.alpnProtocol?.endsWith('-ping') === true;
        const bytes = pings ? new PingConnection(secure, 1e6) : secure;
        bytes
          .on('error', () => plain.destroy())
          .on('close', () => {
            plain.destroySoon();
          });
        plain.on('close', () => bytes.destroy());
        plain.pipe(bytes).pipe(plain);
      },
      () => plain.destroy(),
    );
  });
  try {
    return await check(String(listener.port));
  } finally {
    await listener.close();
  }
};

const psql = (port: string, sql: string, more = ''): Promise<ProgramRun> =>
  runProgram('psql', ['-X', '-A', '-t', '-c', sql, `host=127.0.0.1 port=${port} user=ci dbname=orders ${more}`]);
const mariadb = (port: string, sql: string, more: readonly string[] = []): Promise<ProgramRun> =>
  runProgram('mariadb', ['--no-defaults', '-h127.0.0.1', `-P${port}`, '-uci', ...more, '-N', '-e', sql, 'stock']);
const redis = (port: string, ...command: string[]): Promise<ProgramRun> =>
  runProgram('redis-cli', ['-h', '127.0.0.1', '-p', port, ...command]);

for (const protocols of [['teleport-postgres'], ['teleport-postgres-ping', 'teleport-postgres'], ['http/1.1']]) {
  test(
    `a certificate for PostgreSQL leads there, offered [${protocols.join(', ')}]`,
    { skip: withoutPostgres },
    async () => {
      await tunnel(await identity(ORDERS), protocols, async (port) => {
        const { stderr, stdout } = await psql(
          port,
          'select current_user, client_dn from pg_stat_ssl',
          'sslmode=prefer',
        );
        assert.equal(stdout, 'ci|/CN=ci\n', stderr);
      });
    },
  );
}

test('TLS inside that connection is refused, as are other users', { skip: withoutPostgres }, async () => {
  await tunnel(await identity(ORDERS), ['teleport-postgres'], async (port) => {
    assert.match((await psql(port, 'select 1', 'sslmode=require')).stderr, /server does not support SSL/);
    assert.match((await psql(port, 'select 1', 'user=postgres')).stderr, /access to db denied/);
  });
});

test('a query can be canceled', { skip: withoutPostgres }, async () => {
  await tunnel(await identity(ORDERS), ['teleport-postgres'], async (port) => {
    const open = `psql -X 'host=127.0.0.1 port=${port} user=ci dbname=orders'`;
    // An earlier signal would end psql itself.
    const runs = `${open} -tc "select state from pg_stat_activity where query = 'select pg_sleep(60)'" | grep -q active`;
    const script = `${open} -c 'select pg_sleep(60)' & until ${runs}; do sleep 0.1; done; kill -INT $!; wait $!`;
    assert.match((await runProgram('sh', ['-c', script])).stderr, /canceling statement due to user request/);
  });
});

test('without a certificate, PostgreSQL clients show theirs inside', { skip: withoutPostgres }, async () => {
  const { cert, key: ownKey } = await identity(ORDERS);
  const pair = { sslcert: join(files, 'client.crt'), sslkey: join(files, 'client.key') };
  await writeFile(pair.sslcert, cert);
  await writeFile(pair.sslkey, ownKey, { mode: 0o600 });
  await tunnel({}, ['teleport-postgres'], async (port) => {
    const settings = Object.entries({ ...pair, sslmode: 'require' }).map((one) => one.join('='));
    const { stderr, stdout } = await psql(port, 'select 7', settings.join(' '));
    assert.equal(stdout, '7\n', stderr);
    assert.match((await psql(port, 'select 7', 'sslmode=disable')).stderr, /client certificate is required/);
  });
});

for (const protocols of [['teleport-mysql'], ['teleport-mysql-ping', 'teleport-mysql']]) {
  test(
    `a certificate for MySQL leads to a greeting and to MariaDB, offered [${protocols.join(', ')}]`,
    { skip: missingMariadb() },
    async () => {
      await tunnel(await identity(STOCK), protocols, async (port) => {
        const sql = "select current_user(), database(), repeat('x', 3); select 2";
        const { stderr, stdout } = await mariadb(port, sql, ['--skip-ssl']);
        assert.equal(stdout, 'ci@%\tstock\txxx\n2\n', stderr);
        const refused = await mariadb(port, 'select 1', ['--skip-ssl', '-uroot']);
        assert.match(refused.stderr, /ERROR 1045 .*access to db denied/);
      });
    },
  );
}

test('without a certificate, MySQL clients show theirs inside', { skip: missingMariadb() }, async () => {
  const { cert, key: ownKey } = await identity(STOCK);
  const [certificate, keyFile] = [join(files, 'mysql.crt'), join(files, 'mysql.key')];
  await writeFile(certificate, cert);
  await writeFile(keyFile, ownKey);
  await tunnel({}, ['teleport-mysql-OC4wLjAtVGVsZXBvcnQ', 'teleport-mysql'], async (port) => {
    const { stderr, stdout } = await mariadb(port, 'select 3', [
      '--ssl',
      `--ssl-cert=${certificate}`,
      `--ssl-key=${keyFile}`,
    ]);
    assert.equal(stdout, '3\n', stderr);
    assert.match((await mariadb(port, 'select 3', ['--skip-ssl'])).stderr, /not routed to a MySQL database/);
  });
});

for (const protocols of [['teleport-redis'], ['teleport-redis-ping', 'teleport-redis']]) {
  test(`a certificate for Redis leads there, offered [${protocols.join(', ')}]`, { skip: missingRedis() }, async () => {
    await tunnel(await identity(CACHE), protocols, async (port) => {
      assert.equal((await redis(port, 'set', 'a', 'x'.repeat(70_000))).stdout, 'OK\n');
      assert.equal((await redis(port, 'strlen', 'a')).stdout, '70000\n');
    });
  });
}

for (const protocol of [
  'mongodb',
  'sqlserver',
  'snowflake',
  'cassandra',
  'oracle',
  'elasticsearch',
  'opensearch',
  'dynamodb',
  'clickhouse',
  'spanner',
]) {
  test(`teleport-${protocol} and its twin with pings lead to the database of the certificate`, async (t) => {
    const { ca, cert, key: serverKey } = await databaseServerCertificate(cluster.world);
    const server = createTlsServer({ ca, cert, key: serverKey, requestCert: true }, (socket) => socket.pipe(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    cluster.resources.databases.push({
      ...{ name: protocol, labels: { env: 'dev' }, agents: 1, protocol, uri: 'localhost:1' },
      ...{ users: ['ci'], databases: [''], port: address.port },
    });
    const client = await identity({ service_name: protocol, protocol, username: 'ci' });
    for (const name of [`teleport-${protocol}`, `teleport-${protocol}-ping`]) {
      const secure = await dial(client, [name]);
      assert.equal(secure.alpnProtocol, name);
      const bytes = name.endsWith('-ping') ? new PingConnection(secure, 1e6) : secure;
      bytes.write('echo');
      assert.equal(String(await once(bytes, 'data', soon())), 'echo');
      bytes.destroy();
    }
  });
}

test('with a name with pings, the Proxy sends an empty packet at intervals, and packets only', async () => {
  const secure = await dial(await identity(STOCK), ['teleport-mysql', 'teleport-mysql-ping']);
  assert.equal(secure.alpnProtocol, 'teleport-mysql-ping');
  let received = Buffer.alloc(0);
  for (secure.on('data', (bytes: Buffer) => (received = Buffer.concat([received, bytes]))); ;) {
    await once(secure, 'data', soon());
    const greeting = received.length < 4 ? 0 : received.readUInt32BE(0);
    if (received.length >= greeting + 12) {
      assert.deepEqual(received.subarray(greeting + 4, greeting + 12), Buffer.alloc(8));
      break;
    }
  }
  secure.destroy();
});

test('a refused client gets no byte: no such database, none that the roles allow, no certificate inside', async () => {
  const refused: readonly (readonly [object, string])[] = [
    [await identity({ ...ORDERS, service_name: 'nowhere' }), 'teleport-postgres'],
    [await identity({ ...ORDERS, service_name: 'salaries' }), 'teleport-postgres'],
    [await identity({ service_name: 'events', protocol: 'mongodb', username: 'ci' }), 'teleport-mongodb'],
    [{}, 'teleport-redis'],
    [await identity(), 'teleport-redis'],
    [await identity(), 'teleport-tcp'],
    [{}, 'teleport-tcp'],
  ];
  for (const [client, protocol] of refused) {
    const secure = await dial(client, [protocol]);
    secure.end('PING\r\n');
    assert.equal(await text(secure).catch(() => ''), '', protocol);
  }
});

test('so does a client with an expired certificate, or one of another authority', async () => {
  cluster.faults.outputCertificates = 'expired';
  const expired = await identity(CACHE);
  cluster.faults.outputCertificates = undefined;
  const { cert, key: otherKey } = await databaseServerCertificate(cluster.world);
  for (const client of [expired, { cert, key: otherKey }]) {
    const secure = await dial(client, ['teleport-redis']);
    assert.equal(await text(secure).catch(() => ''), '');
  }
});

test('TLS sessions can be resumed, with the certificate that they began with', { skip: missingRedis() }, async () => {
  const client = await identity(CACHE);
  const first = await dial(client, ['teleport-redis']);
  first.write('PING\r\n');
  const [resumable] = await Promise.all([once(first, 'session', soon()), once(first, 'data', soon())]);
  first.destroy();
  const session: unknown = resumable[0];
  assert.ok(session instanceof Buffer);
  const second = await dial({ ...client, session }, ['teleport-redis']);
  assert.equal(second.isSessionReused(), true);
  second.write('PING\r\n');
  assert.equal(String(await once(second, 'data', soon())), '+PONG\r\n');
  second.destroy();
});
