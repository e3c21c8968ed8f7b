/** A tunnel whose Proxy drops connections, is restarted, stalls or answers late: what its clients and `tunnel status` say. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import test, { type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { exportedTo } from './exported.ts';
import { beginTunnelJob, clusterWithPostgres, ORDERS, psql, statusOf, type TunnelJob, until } from './tunnel-job.ts';

const { cluster, gate, skip } = await clusterWithPostgres();

async function openOrders(t: TestContext): Promise<TunnelJob> {
  const job = await beginTunnelJob(t, cluster);
  const { exitCode, stderr } = await job.open([...ORDERS, '--export-client-variables']);
  assert.equal(exitCode, 0, stderr);
  return job;
}

/** A connection that has logged in. */
async function login(job: TunnelJob): Promise<Socket> {
  const { PGHOST = '', PGPORT = '' } = await exportedTo(job);
  const socket = connect({ host: PGHOST, port: Number(PGPORT), allowHalfOpen: true });
  const body = Buffer.from('\0\x03\0\0user\0ci\0database\0orders\0\0');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(length.length + body.length);
  socket.write(Buffer.concat([length, body]));
  let received = Buffer.alloc(0);
  while (!received.includes(Buffer.from('Z\0\0\0\x05I'))) {
    const events = await once(socket, 'data', { signal: AbortSignal.timeout(20_000) });
    const chunk: unknown = events[0];
    assert.ok(chunk instanceof Buffer);
    received = Buffer.concat([received, chunk]);
  }
  return socket;
}

/** How a connection ends: with the code of its error, or in order. */
async function endOf(socket: Socket): Promise<string> {
  let how = 'in order';
  socket.on('error', (error) => (how = 'code' in error ? String(error.code) : error.message));
  socket.resume().on('end', () => socket.destroy());
  const lateMs = Date.now() + 50_000;
  while (!socket.destroyed) {
    assert.ok(Date.now() < lateMs, 'it is still open');
    await delay(20);
  }
  return how;
}

test(
  'a client sees each way in which a Proxy can fail, and the tunnel recovers from all of them',
  { skip },
  async (t) => {
    const job = await openOrders(t);

    await t.test('a connection that the Proxy drops does not end in order, and new ones work', async () => {
      const [idle, query] = [await login(job), psql(job, 'select pg_sleep(60)')];
      while (gate.connections < 2) await delay(20);
      await delay(300);
      const ended = endOf(idle);
      gate.drop();
      assert.equal(await ended, 'ECONNRESET');
      const { exitCode, stderr } = await query;
      assert.equal(exitCode, 2);
      assert.match(stderr, /connection to server was lost|Connection reset by peer|closed the connection/);
      assert.equal((await psql(job, 'select 1')).stdout.trim(), '1');
    });

    await t.test('a client of a Proxy that was killed does not wait', async () => {
      const query = psql(job, 'select pg_sleep(60)');
      const idle = endOf(await login(job));
      while (gate.connections < 2) await delay(20);
      await delay(300);
      gate.cut();
      await idle;
      assert.equal((await query).exitCode, 2);
    });

    await t.test(
      'while the Proxy is down, clients get the reason at once, and the status has it with its time',
      async () => {
        const before = Date.now();
        await gate.shut();
        const first = await psql(job, 'select 1');
        assert.equal(first.exitCode, 2);
        assert.match(first.stderr, /machine-id tunnel orders: .*ECONNRE(?:FUSED|SET)/);
        const { proxy, tunnels } = await until(job, 'unavailable');
        assert.equal(proxy.state, 'unreachable');
        assert.equal(proxy.outages, 1);
        assert.match(tunnels[0]?.problem ?? '', /ECONNRE(?:FUSED|SET)/);
        const sinceMs = tunnels[0]?.sinceMs ?? 0;
        assert.ok(before <= sinceMs && sinceMs <= Date.now());
        assert.match(
          (await psql(job, 'select 1')).stderr,
          /machine-id tunnel orders: the Proxy localhost:\d+ has not answered since \d{4}-.*ECONNRE(?:FUSED|SET)/,
        );
        const { stderr, stdout } = await job.run(['tunnel', 'status']);
        assert.match(stderr, /the tunnel orders is not available since \d{4}-\S+Z: .*ECONNRE(?:FUSED|SET)/);
        assert.match(stdout, /The Proxy localhost:\d+ is unreachable since \S+Z, 1 outage so far: /);
      },
    );

    await t.test('when it is up again, so is the tunnel, and the outage is counted', async () => {
      const before = Date.now();
      await gate.reopen();
      const { proxy, tunnels } = await until(job, 'ready');
      assert.deepEqual([proxy.state, proxy.outages], ['answering', 1]);
      assert.ok((tunnels[0]?.sinceMs ?? 0) >= before);
      assert.equal((await psql(job, 'select 1')).stdout.trim(), '1');
    });

    await t.test('a Proxy that answers late is only slow', async () => {
      gate.delayMs = 300;
      assert.equal((await psql(job, 'select 1')).stdout.trim(), '1');
      gate.delayMs = 0;
      assert.equal((await statusOf(job)).exitCode, 0);
    });

    await t.test(
      'when it stalls, open connections break, new ones get an error, and the status says silent',
      async () => {
        const broken = await login(job);
        gate.drop(); // so that the Proxy is asked soon
        await endOf(broken);
        const idle = await login(job);
        gate.stall();
        const [how, { exitCode, stderr }, { proxy }] = await Promise.all([
          endOf(idle),
          psql(job, 'select 1'),
          until(job, 'unavailable'),
        ]);
        assert.deepEqual([how, exitCode], ['ECONNRESET', 2]);
        assert.match(stderr, /machine-id tunnel orders: the Proxy localhost:\d+ did not respond within 10 s/);
        assert.deepEqual([proxy.state, proxy.outages], ['silent', 2]);
        gate.resume();
        await until(job, 'ready');
        assert.equal((await psql(job, 'select 1')).stdout.trim(), '1');
      },
    );
  },
);
