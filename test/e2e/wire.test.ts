import assert from 'node:assert/strict';
import test from 'node:test';
import { clusterForFile, misbehave } from './embedded-cluster.ts';
import { beginJob } from './job.ts';
import { resultOf } from './run-result.ts';

const cluster = await clusterForFile();
const AUTH_NAME = `${Buffer.from(cluster.info.cluster).toString('hex')}.teleport.cluster.local`;
const AUTH_ALPN = `teleport-auth@${AUTH_NAME}`;

test('each connection has the server name and protocol that TLS routing needs', async (t) => {
  const job = await beginJob(t, cluster);
  resultOf(await job.run([...job.flags, '--json'], { asProcess: true }));
  const connections = cluster.records
    .of('connection')
    .map(({ listener, serverName, alpn, fields }) => ({ listener, serverName, alpn, leadsTo: fields.route }))
    // On a slow machine, a run also looks whether a load balancer terminates TLS (`BALANCER_TEST_AFTER_MS` in join.ts).
    .filter(({ alpn }) => !alpn.includes('teleport-reversetunnel'));
  assert.deepEqual(
    connections.filter(({ leadsTo }) => leadsTo === 'join-service'),
    [
      {
        listener: 'proxy',
        serverName: 'localhost',
        alpn: ['teleport-proxy-grpc', 'h2'],
        leadsTo: 'join-service',
      },
    ],
  );
  assert.deepEqual(
    connections.filter(({ serverName }) => serverName === AUTH_NAME).map(({ listener }) => listener),
    ['proxy', 'auth'],
  );
  for (const { serverName, alpn } of connections.filter(({ leadsTo }) => leadsTo === 'auth')) {
    assert.equal(serverName, AUTH_NAME);
    assert.deepEqual(alpn, [AUTH_ALPN, 'h2']);
  }
  const web = connections.filter(({ leadsTo }) => leadsTo === 'web');
  assert.equal(web.length, 1);
  assert.equal(web[0]?.serverName, 'localhost');
  assert.equal(connections.length, 4, JSON.stringify(connections));
});

test('an IP address is never sent as a server name', async (t) => {
  const job = await beginJob(t, cluster);
  const address = cluster.info.proxy.replace('localhost', '127.0.0.1');
  resultOf(
    await job.run([
      'run',
      '--proxy-server',
      address,
      '--token',
      cluster.info.joinToken,
      '--destination',
      job.destination,
      '--json',
    ]),
  );
  const names = new Set(cluster.records.of('connection').map(({ serverName }) => serverName));
  assert.deepEqual(names, new Set([undefined, AUTH_NAME]));
});

test('the bot requests the lifetime of its outputs, one hour by default', async (t) => {
  const job = await beginJob(t, cluster);
  const startMs = Date.now();
  resultOf(await job.run([...job.flags, '--json'], { asProcess: true }));
  for (const kind of ['join-service', 'rpc:/proto.AuthService/GenerateUserCerts'] as const) {
    const expires = cluster.records.of(kind)[0]?.fields.expires;
    assert.ok(expires instanceof Date);
    const askedMinutes = (expires.getTime() - startMs) / 60_000;
    assert.ok(askedMinutes >= 60 && askedMinutes < 62, `${kind} asks for ${String(askedMinutes)} minutes`);
  }
});

test('the switch from the join service is silent, and logged with --debug', async (t) => {
  const job = await beginJob(t, cluster);
  misbehave(t, cluster, { replies: { 'join-service': 'unavailable' } });
  const quiet = await job.run(job.flags);
  assert.doesNotMatch(quiet.stderr, /join service/);
  const loud = await job.run([...job.flags, '--debug']);
  assert.match(
    loud.stderr,
    /^debug: join service not available \(the service is not available\); using the registration endpoint/m,
  );
});
