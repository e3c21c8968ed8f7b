/** The Proxy without TLS routing, as a client of public libraries meets it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import type { ConnectionOptions } from 'node:tls';
import { after, before, describe, test } from 'node:test';
import { z } from 'zod';
import { authRoute, hostAddress, joinLegacy, requestAt, requestWeb, webAddress, type RawBot } from '../auth/raw-bot.ts';
import { startCluster, type Cluster } from '../cluster.ts';
import { dialTls, RawClient } from './raw-client.ts';
import { pingByTransport, TRANSPORT_SERVICE, transportRoute } from './raw-transport.ts';
import { RawUpgrade, webSocket } from './raw-upgrade.ts';
import { withCluster } from '../temporary-cluster.ts';
import { temporaryDirectory } from '../temporary-directory.ts';

const Ping = z.object({
  proxy: z.object({
    kube: z.object({ enabled: z.boolean(), listen_addr: z.string(), public_addr: z.string().optional() }),
    ssh: z.object({
      listen_addr: z.string(),
      tunnel_listen_addr: z.string(),
      web_listen_addr: z.string(),
      public_addr: z.string(),
      ssh_public_addr: z.string().optional(),
      ssh_tunnel_public_addr: z.string().optional(),
      dial_timeout: z.number().optional(),
    }),
    db: z.strictObject({ postgres_listen_addr: z.string(), postgres_public_addr: z.string().optional() }),
    tls_routing_enabled: z.boolean(),
  }),
});

async function pingOf(cluster: Cluster): Promise<z.infer<typeof Ping>['proxy']> {
  return Ping.parse(JSON.parse((await requestWeb(cluster, 'GET', '/webapi/ping')).body)).proxy;
}

const portOf = (address: string): string => address.replace(/^.*:/, '');

for (const [teleport, alpn] of [
  ['15.3.7', false],
  ['16.4.0', false],
  ['17.7.1', 'h2'],
  ['18.6.0', 'h2'],
] as const) {
  describe(`a v${teleport} Proxy without TLS routing`, () => {
    const directory = temporaryDirectory();
    let cluster: Cluster;
    let bot: RawBot;
    before(async () => {
      cluster = await startCluster({ dir: directory.path, teleport, front: 'separate' });
      bot = await joinLegacy(cluster);
    });
    after(async () => {
      await cluster.close();
      directory.remove();
    });

    test('reports a port for each of its services', async () => {
      const { db, kube, ssh, tls_routing_enabled: tlsRouting } = await pingOf(cluster);
      const { info } = cluster;
      assert.equal(tlsRouting, false);
      assert.equal(ssh.public_addr, info.proxy);
      assert.equal(ssh.ssh_public_addr, undefined);
      const reported = [ssh.web_listen_addr, ssh.listen_addr, ssh.tunnel_listen_addr, kube.listen_addr].map(portOf);
      assert.deepEqual(reported, [info.proxy, info.ssh, info.tunnel, info.kube].map(portOf));
      assert.equal(new Set(reported).size, 4);
      assert.equal(portOf(db.postgres_listen_addr), portOf(info.postgres));
    });

    test(`serves the transport service on the SSH port, with the ALPN answer ${String(alpn)}`, async () => {
      const socket = await dialTls(transportRoute(cluster, bot));
      socket.destroy();
      assert.equal(socket.alpnProtocol, alpn);
      const proxy = await RawClient.open(transportRoute(cluster, bot));
      try {
        assert.deepEqual(await proxy.unary(TRANSPORT_SERVICE, 'GetClusterDetails', {}), {
          details: { fips_enabled: false },
        });
        assert.equal(await pingByTransport(proxy, bot, cluster.info.cluster), cluster.info.cluster);
      } finally {
        await proxy.close();
      }
      assert.ok(
        cluster.records.of('connection').some(({ fields }) => fields.port === 'ssh' && fields.route === 'nodes'),
      );
    });

    test('serves it on the web port too, also inside a connection upgrade', async () => {
      const route = { ...transportRoute(cluster, bot), port: webAddress(cluster).port };
      const { stream } = await RawUpgrade.open(cluster, webSocket('alpn-ping'));
      for (const options of [route, { ...route, socket: stream }]) {
        const proxy = await RawClient.open(options);
        try {
          assert.equal(await pingByTransport(proxy, bot, cluster.info.cluster), cluster.info.cluster);
        } finally {
          await proxy.close();
        }
      }
    });

    test('routes teleport-auth@ on the web port to Auth', async () => {
      const client = await RawClient.open(authRoute(cluster, bot));
      try {
        const role = await client.unary('proto.AuthService', 'GetRole', { name: 'bot-ci' });
        assert.ok('metadata' in role);
      } finally {
        await client.close();
      }
    });

    test('refuses on the SSH port a client without a certificate, and speaks no more SSH than its name', async () => {
      const { ca } = bot;
      const route = { ...hostAddress(cluster.info.ssh, ca), ALPNProtocols: ['teleport-proxy-ssh-grpc', 'h2'] };
      const socket = await dialTls(route);
      await once(socket.resume(), 'close');
      const record = cluster.records.of('connection').findLast(({ fields }) => fields.port === 'ssh');
      assert.match(record?.outcome ?? '', /^refused: .*a client certificate is required/);
      const { host, port } = route;
      const ssh = connect({ host, port });
      ssh.write('SSH-2.0-test\r\n');
      assert.equal(await text(ssh), 'SSH-2.0-Teleport\r\n');
    });

    test('serves no web pages on the SSH port', async () => {
      const request = requestAt(hostAddress(cluster.info.ssh, bot.ca), 'GET', '/webapi/ping');
      await assert.rejects(request);
    });
  });
}

test('a Proxy that does not route teleport-auth@ answers such a client as a web server', async () => {
  await withCluster({ front: 'separate', webRoutesAuth: false }, async (cluster) => {
    const bot = await joinLegacy(cluster);
    const route = authRoute(cluster, bot);
    await assert.rejects(dialTls(route), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
    const find = async (client: ConnectionOptions): Promise<string> => {
      const socket = await dialTls({ ...client, ca: webAddress(cluster).ca, servername: 'localhost' });
      assert.equal(socket.alpnProtocol, 'h2');
      const session = connectHttp2('https://localhost', { createConnection: () => socket });
      try {
        return await text(session.request({ ':path': '/webapi/find' }));
      } finally {
        session.destroy();
      }
    };
    const found = await find({ ...route, cert: undefined, key: undefined });
    assert.equal(Ping.parse(JSON.parse(found)).proxy.tls_routing_enabled, false);
    // with a certificate, every request is for the application in it
    assert.equal(await find(route), 'invalid session\n');
    const proxy = await RawClient.open(transportRoute(cluster, bot));
    try {
      assert.equal(await pingByTransport(proxy, bot, ''), cluster.info.cluster);
    } finally {
      await proxy.close();
    }
  });
});

test('ping reports the public addresses, which need not be where the Proxy was reached', async () => {
  const publicAddresses = { ssh: 'ssh.example.com:3023', tunnel: 'tunnel.example.com', kube: 'kube.example.com:3026' };
  const options = { front: 'separate', publicAddress: 'proxy.example.com:443', publicAddresses } as const;
  await withCluster(options, async (cluster) => {
    const { kube, ssh } = await pingOf(cluster);
    assert.equal(ssh.public_addr, 'proxy.example.com:443');
    assert.equal(ssh.ssh_public_addr, 'ssh.example.com:3023');
    assert.equal(ssh.ssh_tunnel_public_addr, 'tunnel.example.com');
    assert.equal(kube.public_addr, 'kube.example.com:3026');
    const web = await dialTls({ ...webAddress(cluster), servername: 'proxy.example.com' });
    web.destroy();
    const bot = await joinLegacy(cluster);
    for (const servername of ['ssh.example.com', 'localhost']) {
      const socket = await dialTls({ ...transportRoute(cluster, bot), servername });
      socket.destroy();
    }
    await assert.rejects(dialTls({ ...transportRoute(cluster, bot), servername: 'elsewhere.example.com' }), {
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
  });
});

function portsOf({ info: { auth, kube, postgres, proxy, ssh, tunnel } }: Cluster): readonly number[] {
  return [proxy, ssh, tunnel, kube, postgres, auth].map((address) => Number(portOf(address)));
}

async function isOpen(host: string, port: number): Promise<boolean> {
  const socket = connect({ host, port });
  try {
    await once(socket, 'connect');
    return true;
  } catch (error) {
    assert.equal(error instanceof Error && 'code' in error ? error.code : error, 'ECONNREFUSED');
    return false;
  } finally {
    socket.destroy();
  }
}

/** Another program may listen there on a port with the same number, but not on one of each cluster. */
const CLUSTERS = 3;

for (const [listenHost, elsewhere] of [
  ['127.0.0.1', '::1'],
  ['::1', '127.0.0.1'],
] as const) {
  test(`listening on ${listenHost}, no port is reached on ${elsewhere}`, async () => {
    const open: number[] = [];
    for (let tries = 0; tries < CLUSTERS; tries += 1) {
      await withCluster({ front: 'separate', listenHost }, async (cluster) => {
        const found = await Promise.all(portsOf(cluster).map((port) => isOpen(elsewhere, port)));
        open.push(found.filter(Boolean).length);
      });
      if (open.includes(0)) return;
    }
    assert.fail(`reached ports of each cluster: ${open.join(', ')}`);
  });
}

for (const [listenHost, reached, reported] of [
  ['127.0.0.1', ['127.0.0.1'], '127.0.0.1'],
  ['::1', ['::1'], '[::1]'],
  ['both', ['127.0.0.1', '::1'], '[::]'],
] as const) {
  test(`listening on ${listenHost}, every port is reached there`, async () => {
    await withCluster({ front: 'separate', listenHost }, async (cluster) => {
      const { ssh } = cluster.info;
      for (const port of portsOf(cluster)) {
        for (const host of reached) assert.ok(await isOpen(host, port), `${host} ${port}`);
      }
      const [host] = reached;
      const web = { ...webAddress(cluster), host };
      const ping = Ping.parse(JSON.parse((await requestAt(web, 'GET', '/webapi/ping')).body)).proxy;
      assert.equal(ping.ssh.listen_addr, `${reported}:${portOf(ssh)}`);
      const bot = await joinLegacy(cluster, {}, (body) =>
        requestAt(web, 'POST', '/webapi/host/credentials', {
          body: JSON.stringify(body),
          headers: { 'Content-Type': 'application/json' },
        }),
      );
      for (const route of [authRoute(cluster, bot), { ...transportRoute(cluster, bot), servername: 'localhost' }]) {
        const socket = await dialTls({ ...route, host });
        socket.destroy();
      }
    });
  });
}
