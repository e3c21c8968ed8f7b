/** psql with a real PostgreSQL behind clusters of the oldest and the newest version. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import test, { after } from 'node:test';
import type { Cluster } from '../cluster/cluster.ts';
import { AUTHORITY_FILES, IDENTITY_FILES } from '../output-files.ts';
import { type ProgramRun, runProgram } from '../programs.ts';
import { directory, runItems } from './config-file.ts';
import { clusterIn, directoryFor, NEWEST } from './embedded-cluster.ts';
import { exportedTo } from './exported.ts';
import { beginJob, type Job } from './job.ts';
import { missingPostgres, startPostgres } from './postgres.ts';
import { resultOf } from './run-result.ts';

const authorities = await directoryFor({ after });
const skip = await missingPostgres();

/** psql with only the exported variables and the address of the Proxy's listener. */
async function psql(cluster: Cluster, job: Job, sql: string, changes: Readonly<Record<string, string>> = {}) {
  const [PGHOST = '', PGPORT = ''] = cluster.info.postgres.split(':');
  const exported = await exportedTo(job);
  const environment = { ...exported, PGHOST, PGPORT, PGSSLMODE: 'verify-full', ...changes };
  return runProgram('psql', ['--no-psqlrc', '--tuples-only', '--no-align', '--command', sql], { environment });
}

function database(job: Job, more: string): string {
  return `type: database, ${more}, ${directory(job.destination)}`;
}

const ORDERS = 'service: orders, username: ci, database: orders';

for (const teleport of ['15.3.7', NEWEST]) {
  test(`Teleport ${teleport}: psql reaches a real PostgreSQL with the exported variables`, { skip }, async (t) => {
    const cluster = await clusterIn(authorities, t, { teleport });
    const orders = cluster.resources.databases.find(({ name }) => name === 'orders');
    assert.ok(orders !== undefined);
    const job = await beginJob(t, cluster);
    const [port, run] = await Promise.all([startPostgres(t, cluster), runItems(cluster, job, [database(job, ORDERS)])]);
    orders.port = port;
    const result = resultOf(run);
    assert.deepEqual(result.outputs[0]?.files, [...AUTHORITY_FILES, ...IDENTITY_FILES]);
    assert.deepEqual(result.outputs[0].access, {
      kind: 'database',
      name: 'orders',
      protocol: 'postgres',
      user: 'ci',
      database: 'orders',
    });

    await t.test('as the user that the output names, over TLS with a client certificate', async () => {
      const sql =
        'create table t (n int); insert into t values (42); select n, current_user, client_dn from t, pg_stat_ssl where pid = pg_backend_pid()';
      assertPrinted(await psql(cluster, job, sql), '42|ci|/CN=ci');
    });

    await t.test('not as another user, and not to another database', async () => {
      assertEnded(await psql(cluster, job, 'select 1', { PGUSER: 'postgres' }), /access to db denied/);
      assertEnded(await psql(cluster, job, 'select 1', { PGDATABASE: 'postgres' }), /access to db denied/);
    });

    await t.test('not without the certificate, nor with a server of other authorities', async () => {
      assertEnded(await psql(cluster, job, 'select 1', { PGSSLCERT: '/none' }), /client certificate is required/);
      const PGSSLROOTCERT = join(job.destination, 'teleport-database-ca.crt');
      assertEnded(await psql(cluster, job, 'select 1', { PGSSLROOTCERT }), /certificate verify failed/);
    });

    await t.test('not past the Proxy: the database itself rejects the certificate', async () => {
      const PGSSLROOTCERT = join(job.destination, 'teleport-database-ca.crt');
      const changes = { PGPORT: String(orders.port), PGSSLROOTCERT };
      assertEnded(await psql(cluster, job, 'select 1', changes), /unknown ca/);
    });

    const other = await beginJob(t, cluster);
    const identity = join(other.folder, 'of-no-database');
    resultOf(
      await runItems(cluster, other, [
        database(other, 'service: reports, username: ci, database: orders'),
        `type: identity, ${directory(identity)}`,
      ]),
    );

    await t.test('not with a certificate for another database', async () => {
      assertEnded(await psql(cluster, other, 'select 1'), /"reports-rds-eu-central-1-123456789012" is offline/);
    });

    await t.test('not with an identity that is not for a database', async () => {
      const changes = {
        PGSSLCERT: join(identity, 'tlscert'),
        PGSSLKEY: join(identity, 'key'),
        PGSSLROOTCERT: join(identity, 'teleport-host-ca.crt'),
        PGUSER: 'ci',
        PGDATABASE: 'orders',
      };
      assertEnded(await psql(cluster, other, 'select 1', changes), /not routed to a PostgreSQL database/);
    });

    await t.test('with flags only, in a separate directory', async () => {
      const third = await beginJob(t, cluster);
      const flags = ['--database', 'orders', '--database-user', 'ci', '--database-name', 'orders'];
      const { outputs } = resultOf(await third.run([...third.flags, ...flags, '--json']));
      assert.equal(outputs[0]?.destination, join(third.destination, 'database'));
      assertPrinted(await psql(cluster, third, 'select current_user'), 'ci');
    });
  });
}

function assertPrinted({ exitCode, stderr, stdout }: ProgramRun, last: string): void {
  assert.equal(exitCode, 0, stderr);
  assert.equal(stdout.trim().split('\n').at(-1), last);
}

function assertEnded({ exitCode, stderr }: ProgramRun, says: RegExp): void {
  assert.equal(exitCode, 2, stderr);
  assert.match(stderr, says);
}
