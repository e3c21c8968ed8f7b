import assert from 'node:assert/strict';
import { connect as connectHttp2 } from 'node:http2';
import { text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import { z } from 'zod';
import { joinByService, joinLegacy, joinRoute, requestWeb, webAddress } from '../auth/raw-bot.ts';
import { dialTls } from './raw-client.ts';
import { startCluster, type Cluster } from '../cluster.ts';
import { withCluster } from '../temporary-cluster.ts';
import { temporaryDirectory } from '../temporary-directory.ts';

const Ping = z
  .object({
    cluster_name: z.string(),
    server_version: z.string(),
    auth: z.object({ signature_algorithm_suite: z.string().optional() }),
    proxy: z.object({ tls_routing_enabled: z.boolean(), ssh: z.object({ public_addr: z.string() }).loose() }).loose(),
  })
  .loose();

describe('the Proxy', () => {
  const directory = temporaryDirectory();
  let cluster: Cluster;
  before(async () => {
    cluster = await startCluster({ dir: directory.path });
  });
  after(async () => {
    await cluster.close();
    directory.remove();
  });

  for (const path of [
    '/webapi/ping',
    '/v1/webapi/ping',
    '/webapi/ping/github',
    '/webapi/find',
    '/webapi/find?group=a',
  ]) {
    test(`GET ${path} returns the addresses and facts of the cluster`, async () => {
      const reply = await requestWeb(cluster, 'GET', path);
      const document = Ping.parse(JSON.parse(reply.body));
      assert.equal(reply.status, 200);
      assert.equal(document.cluster_name, cluster.info.cluster);
      assert.equal(document.proxy.ssh.public_addr, cluster.info.proxy);
      assert.equal(document.auth.signature_algorithm_suite, 'balanced-v1');
    });
  }

  test('an unknown route is answered with 404 and the version of the Proxy', async () => {
    const reply = await requestWeb(cluster, 'GET', '/webapi/nothing');
    assert.equal(reply.status, 404);
    assert.deepEqual(JSON.parse(reply.body), {
      error: { message: 'path not found' },
      fields: { proxyVersion: { major: 18, minor: 5, patch: 1, preRelease: '', string: '18.5.1' } },
    });
  });

  test('its certificate is valid for localhost, and only with the web authority', async () => {
    const { host, port } = webAddress(cluster);
    (await dialTls(webAddress(cluster))).destroy();
    await assert.rejects(dialTls({ host, port, servername: 'localhost' }), {
      code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    });
  });

  const protocols: readonly { offered: readonly string[]; chosen: string | false }[] = [
    { offered: ['teleport-proxy-grpc', 'h2'], chosen: 'h2' },
    { offered: ['teleport-proxy-grpc'], chosen: 'teleport-proxy-grpc' },
    { offered: ['h2', 'http/1.1'], chosen: 'http/1.1' },
    { offered: ['h2'], chosen: 'h2' },
    { offered: ['teleport-reversetunnelv2', 'teleport-reversetunnel'], chosen: 'teleport-reversetunnel' },
    { offered: ['teleport-reversetunnel', 'teleport-postgres', 'teleport-mysql-ping'], chosen: 'teleport-mysql-ping' },
    { offered: ['gopher', 'http/1.1'], chosen: 'http/1.1' },
    { offered: ['teleport-reversetunnel'], chosen: 'teleport-reversetunnel' },
    { offered: [], chosen: false },
  ];
  for (const { offered, chosen } of protocols) {
    test(`offered [${offered.join(', ')}] it chooses ${String(chosen)}`, async () => {
      const socket = await dialTls({ ...webAddress(cluster), ALPNProtocols: [...offered] });
      socket.destroy();
      assert.equal(socket.alpnProtocol, chosen);
    });
  }

  test('a connection whose protocols have no handler is closed without an alert', async () => {
    await assert.rejects(dialTls({ ...joinRoute(cluster), ALPNProtocols: ['gopher'] }), { code: 'ECONNRESET' });
  });

  test('a connection is routed by the first protocol with a handler, whichever protocol is chosen', async () => {
    const routes: readonly { offered: readonly string[]; route: string }[] = [
      { offered: ['teleport-proxy-grpc', 'h2', 'http/1.1'], route: 'join-service' },
      { offered: ['h2', 'teleport-proxy-grpc'], route: 'web' },
      { offered: ['gopher', 'teleport-reversetunnel', 'http/1.1'], route: 'reverse-tunnel' },
      { offered: [], route: 'web' },
    ];
    for (const { offered, route } of routes) {
      cluster.records.clear();
      const socket = await dialTls({ ...webAddress(cluster), ALPNProtocols: [...offered] });
      const [record] = cluster.records.of('connection');
      // the Proxy's side of the handshake may end after the client's
      for (const end = Date.now() + 10_000; record?.fields.route === undefined && Date.now() < end;) {
        await setTimeout(5);
      }
      socket.destroy();
      assert.equal(record?.fields.route, route, offered.join(', '));
    }
  });

  test('it speaks HTTP/2 with a client that offers nothing else', async () => {
    const socket = await dialTls({ ...webAddress(cluster), ALPNProtocols: ['h2'] });
    const session = connectHttp2('https://localhost', { createConnection: () => socket });
    try {
      const stream = session.request({ ':path': '/webapi/find' });
      const document = Ping.parse(JSON.parse(await text(stream)));
      assert.equal(document.cluster_name, cluster.info.cluster);
    } finally {
      session.destroy();
    }
  });

  test('a connection for the Auth Service of an unknown cluster is closed', async () => {
    const label = Buffer.from('elsewhere.example.com').toString('hex');
    const route = { ...webAddress(cluster), ALPNProtocols: [`teleport-auth@${label}.teleport.cluster.local`, 'h2'] };
    await assert.rejects(dialTls(route), { code: 'ECONNRESET' });
    assert.match(cluster.records.all.at(-1)?.outcome ?? '', /refused: .*no Auth server known/);
  });

  test('every request is recorded with the name and the protocols that the client offered', async () => {
    cluster.records.clear();
    await requestWeb(cluster, 'GET', '/webapi/ping');
    assert.deepEqual(cluster.records.kinds, ['ping']);
    const [record] = cluster.records.of('ping');
    assert.equal(record?.serverName, 'localhost');
    assert.deepEqual(record.fields, { method: 'GET', path: '/webapi/ping' });
  });
});

test('a v15 Proxy reports no suites and no later fields', async () => {
  await withCluster({ teleport: '15.3.7' }, async (cluster) => {
    const document = Ping.parse(JSON.parse((await requestWeb(cluster, 'GET', '/webapi/ping')).body));
    assert.equal(document.server_version, '15.3.7');
    assert.equal(document.auth.signature_algorithm_suite, undefined);
    assert.equal('edition' in document, false);
    assert.equal('auto_update' in document, false);
  });
});

for (const { teleport, join, chosen } of [
  { teleport: '16.4.0', join: joinLegacy, chosen: false },
  { teleport: '18.6.0', join: joinByService, chosen: 'h2' },
] as const) {
  test(`v${teleport} answers the SSH transport with ${String(chosen)} and a certificate for the Proxy's names`, async () => {
    await withCluster({ teleport }, async (cluster) => {
      const bot = await join(cluster);
      const route = { ...webAddress(cluster), ...bot, ALPNProtocols: ['teleport-proxy-ssh-grpc', 'h2'] };
      for (const servername of ['localhost', 'teleport.cluster.local', 'a.teleport.cluster.local']) {
        const socket = await dialTls({ ...route, servername });
        const subject = socket.getPeerX509Certificate()?.subject.split('\n') ?? [];
        socket.destroy();
        assert.equal(socket.alpnProtocol, chosen);
        assert.ok(subject.includes('O=Proxy'));
        assert.ok(subject.includes(`1.3.9999.1.7=${cluster.info.cluster}`));
      }
    });
  });
}
