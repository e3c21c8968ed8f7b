/** A tunnel whose certificate expires: during an outage of the Proxy, or because there is no token for another. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { misbehave } from './embedded-cluster.ts';
import {
  beginTunnelJob,
  clusterWithPostgres,
  ORDERS,
  psql,
  statusOf,
  type TunnelProcess,
  until,
} from './tunnel-job.ts';

const { cluster, gate, skip } = await clusterWithPostgres();

test('a certificate that expires during an outage is renewed afterwards', { skip }, async (t) => {
  misbehave(t, cluster, { maxTtlMs: 6000 });
  const job = await beginTunnelJob(t, cluster);
  await job.addProgram('circleci', `echo ${await cluster.mint()}`);
  assert.equal((await job.open([...ORDERS, '--export-client-variables'])).exitCode, 0);
  await gate.shut();
  await delay(7000);
  const { stderr } = await psql(job, 'select 1');
  assert.match(stderr, /machine-id tunnel orders: /);
  await gate.reopen();
  const { tunnels } = await until(job, 'ready');
  assert.ok((tunnels[0]?.expiresAtMs ?? 0) > Date.now());
  assert.equal(tunnels[0]?.renewalProblem, undefined);
  assert.equal((await psql(job, 'select 1')).stdout.trim(), '1');
});

test('without a new token, the log and the status say until when connections work', { skip }, async (t) => {
  misbehave(t, cluster, { maxTtlMs: 24_000 });
  const job = await beginTunnelJob(t, cluster);
  await job.addProgram('circleci', 'echo "no plugin" >&2; exit 1');
  const token = { CIRCLE_OIDC_TOKEN: await cluster.mint({ ttlSeconds: 8 }) };
  const opened = await job.run([...job.openArgs, ...ORDERS, '--export-client-variables'], { environment: token });
  assert.equal(opened.exitCode, 0, opened.stderr);
  let found: TunnelProcess | undefined;
  while (found?.tunnels[0]?.renewalProblem === undefined) {
    await delay(300);
    ({ process: found } = await statusOf(job));
    assert.equal(found?.tunnels[0]?.state, 'ready');
  }
  assert.match(found.tunnels[0].renewalProblem, /token/);
  const { exitCode, stdout } = await job.run(['tunnel', 'status']);
  assert.equal(exitCode, 0);
  assert.match(
    stdout,
    /orders: new connections work until \d{4}-\S+Z only, because its certificate cannot be renewed: .*: no plugin/,
  );
  assert.match(
    await readFile(found.log, 'utf8'),
    /the certificate of orders cannot be renewed, and new connections work until \d{4}-\S+Z \(\d+ seconds?\): .*token/,
  );
  const ended = await until(job, 'unavailable');
  assert.match(ended.tunnels[0]?.problem ?? '', /^its certificate expired at \S+Z: .*token/);
  assert.match(
    (await psql(job, 'select 1')).stderr,
    /machine-id tunnel orders: the certificate of orders expired at \S+Z: .*token/,
  );
});
