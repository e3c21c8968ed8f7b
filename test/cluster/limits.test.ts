import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { joinByService, joinLegacy, legacyBody, postJoin, requestWeb } from './auth/raw-bot.ts';
import { callAuth } from './auth/raw-auth.ts';
import { startCluster, type Cluster, type ClusterOptions } from './cluster.ts';
import { createKey } from './crypto/keys.ts';
import { AddressLimiter, type Limits, Limiters, RateLimiter, REGISTRATION_RATE } from './limiter.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const MINUTE = 60_000;

test('a bucket admits its burst, then one request each time a token is added, for each address on its own', () => {
  let nowMs = 0;
  const limiter = new RateLimiter([REGISTRATION_RATE], () => nowMs);
  const admitted = (address: string, requests: number): number =>
    Array.from({ length: requests }, () => limiter.take(address)).filter((delayMs) => delayMs === 0).length;
  assert.equal(admitted('a', 1000), 480);
  assert.equal(admitted('b', 1000), 480);
  assert.equal(limiter.take('a'), 500);
  nowMs = 30_000;
  assert.equal(admitted('a', 1000), 60);
  nowMs = 100 * MINUTE;
  assert.equal(admitted('a', 1000), 480);
});

test('a request is admitted only by all rates, and takes nothing from the others if one rejects it', () => {
  let nowMs = 0;
  const rates = [
    { periodMs: 1000, average: 1, burst: 1 },
    { periodMs: MINUTE, average: 3, burst: 3 },
  ];
  const limiter = new RateLimiter(rates, () => nowMs);
  const delaysMs: number[] = [];
  for (const atMs of [0, 500, 1000, 2000, 3000]) {
    nowMs = atMs;
    delaysMs.push(limiter.take('a'));
  }
  assert.deepEqual(delaysMs, [0, 500, 0, 0, 17_000]);
});

test('connections are counted by address, and Retry-After is in whole seconds, plus one', () => {
  const limiter = new AddressLimiter({ maxConnections: 1, rates: [{ periodMs: 9000, average: 2, burst: 2 }] }, () => 0);
  const release = limiter.admitRequest('a');
  assert.ok(typeof release === 'function');
  assert.deepEqual(limiter.admitRequest('a'), { headers: {}, text: 'too many connections from a: 1, max is 1' });
  release();
  limiter.admitCall('a')();
  assert.throws(() => limiter.admitCall('a'), { kind: 'LimitExceeded', message: 'rate limit exceeded' });
  assert.deepEqual(limiter.admitRequest('a'), {
    headers: { 'Retry-After': '5' },
    text: 'max rate reached: retry-in 4.5s',
  });
});

test('what the registration endpoint rejects says how long to wait, as Go prints it', () => {
  const limiters = new Limiters({ registration: { periodMs: MINUTE, average: 120, burst: 1 } }, () => 0);
  limiters.admitRegistration('a');
  assert.throws(
    () => {
      limiters.admitRegistration('a');
    },
    { kind: 'LimitExceeded', message: 'rate limit exceeded, try again in 500ms' },
  );
});

describe('a cluster with limits', () => {
  const directory = temporaryDirectory();
  let cluster: Cluster;
  const start = async (limits: Limits, options: Partial<ClusterOptions> = {}): Promise<void> => {
    cluster = await startCluster({ dir: directory.path, ...options, limits });
  };
  after(() => {
    directory.remove();
  });

  test("Teleport's own limit the registration endpoint alone", async () => {
    await start({ registration: { periodMs: MINUTE, average: 1, burst: 1 } });
    await joinLegacy(cluster);
    const reply = await postJoin(cluster, await legacyBody(cluster, { key: await createKey('ec') }));
    assert.equal(reply.status, 429);
    assert.match(reply.body, /"message": "rate limit exceeded, try again in \d\d?(\.\d+)?s"/);
    for (const path of ['/webapi/ping', '/webapi/find', '/webapi/ping']) {
      assert.equal((await requestWeb(cluster, 'GET', path)).status, 200);
    }
    await joinByService(cluster);
    assert.match(cluster.records.of('legacy-join')[1]?.outcome ?? '', /^LimitExceeded: rate limit exceeded, /);
    await cluster.close();
  });

  test('a configured rate is for all requests to the Proxy, and again for all to Auth', async () => {
    await start({ rates: [{ periodMs: MINUTE, average: 1, burst: 2 }] });
    const bot = await joinByService(cluster);
    assert.equal((await requestWeb(cluster, 'GET', '/webapi/ping')).status, 200);
    const reply = await requestWeb(cluster, 'GET', '/webapi/ping');
    assert.equal(reply.status, 429);
    assert.match(reply.body, /^max rate reached: retry-in /);
    await assert.rejects(joinByService(cluster), { code: status.RESOURCE_EXHAUSTED, details: 'rate limit exceeded' });
    assert.equal(cluster.records.of('join-service')[1]?.outcome, 'LimitExceeded: rate limit exceeded');
    await callAuth(cluster, bot, 'Ping', {});
    await callAuth(cluster, bot, 'Ping', {});
    await assert.rejects(callAuth(cluster, bot, 'Ping', {}), { code: status.RESOURCE_EXHAUSTED });
    await cluster.close();
  });

  test('a cluster that starts slowly answers nothing at first, then everything, and what waits counts as connected', async () => {
    await start({ maxConnections: 1, slowStartMs: 60_000 });
    const waiting = requestWeb(cluster, 'GET', '/webapi/ping');
    while (cluster.records.of('ping').length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const second = await requestWeb(cluster, 'GET', '/webapi/ping');
    assert.deepEqual(second, { status: 429, body: 'too many connections from 127.0.0.1: 1, max is 1' });
    const details = 'connection limit exceeded';
    await assert.rejects(joinByService(cluster), { code: status.RESOURCE_EXHAUSTED, details });
    assert.equal(cluster.records.of('ping')[0]?.outcome, 'pending');
    cluster.world.limiters?.answer();
    assert.equal((await waiting).status, 200);
    await joinByService(cluster);
    await cluster.close();
  });
});
