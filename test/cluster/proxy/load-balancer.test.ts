import assert from 'node:assert/strict';
import { connect as connectHttp2 } from 'node:http2';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { after, describe, test } from 'node:test';
import { z } from 'zod';
import { authRoute, joinLegacy, joinRoute, requestWeb, webAddress, type RawBot } from '../auth/raw-bot.ts';
import { startCluster, type Cluster, type ClusterOptions } from '../cluster.ts';
import type { BalancerKind } from './load-balancer.ts';
import { dialTls, RawClient } from './raw-client.ts';
import { RawUpgrade, webSocket } from './raw-upgrade.ts';
import { temporaryDirectory } from '../temporary-directory.ts';

const DETECTION = ['teleport-reversetunnel'];
const Pong = z.object({ server_version: z.string() });
const Ping = z.object({ proxy: z.object({ ssh: z.object({ public_addr: z.string() }) }) });

const directory = temporaryDirectory();
after(() => {
  directory.remove();
});

async function behind(
  front: BalancerKind,
  check: (cluster: Cluster) => Promise<void>,
  options: Omit<ClusterOptions, 'dir'> = {},
): Promise<void> {
  const cluster = await startCluster({ dir: directory.path, front, ...options });
  try {
    await check(cluster);
  } finally {
    await cluster.close();
  }
}

async function chosen(cluster: Cluster, ALPNProtocols: readonly string[]): Promise<string | false | null> {
  const socket = await dialTls({ ...webAddress(cluster), ALPNProtocols: [...ALPNProtocols] });
  socket.destroy();
  return socket.alpnProtocol;
}

async function pingThrough(cluster: Cluster, bot: RawBot): Promise<string> {
  const inner = await RawUpgrade.open(cluster, webSocket('alpn-ping'));
  const client = await RawClient.open({ ...authRoute(cluster, bot), socket: inner.stream });
  try {
    return Pong.parse(await client.unary('proto.AuthService', 'Ping', {})).server_version;
  } finally {
    await client.close();
  }
}

describe('the answer of a load balancer to ALPN', () => {
  test('"l7" chooses no protocol', async () => {
    await behind('l7', async (cluster) => {
      for (const offered of [DETECTION, ['h2', 'http/1.1'], []]) {
        assert.equal(await chosen(cluster, offered), false);
      }
    });
  });

  test('"l7-alert" refuses a client that does not offer http/1.1 with no_application_protocol', async () => {
    await behind('l7-alert', async (cluster) => {
      await assert.rejects(chosen(cluster, DETECTION), { code: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL' });
      assert.equal(await chosen(cluster, ['h2', 'http/1.1']), 'http/1.1');
      assert.equal(await chosen(cluster, []), false);
      assert.match(cluster.records.all.find(({ listener }) => listener === 'front')?.outcome ?? '', /^refused: /);
    });
  });

  test('"l7-unoffered" chooses http/1.1 though it was not offered', async () => {
    await behind('l7-unoffered', async (cluster) => {
      await assert.rejects(chosen(cluster, DETECTION), { code: 'ERR_SSL_BAD_EXTENSION' });
      assert.equal(await chosen(cluster, ['http/1.1']), 'http/1.1');
      assert.equal(await chosen(cluster, []), false);
    });
  });

  test('"l7-h2" chooses h2 or http/1.1 if they are offered, and else no protocol', async () => {
    await behind('l7-h2', async (cluster) => {
      assert.equal(await chosen(cluster, DETECTION), false);
      assert.equal(await chosen(cluster, ['teleport-proxy-grpc', 'h2']), 'h2');
      assert.equal(await chosen(cluster, ['http/1.1']), 'http/1.1');
    });
  });
});

for (const front of ['l7', 'l7-alert', 'l7-unoffered', 'l7-h2'] as const) {
  describe(`a load balancer "${front}"`, () => {
    test('carries HTTP and connection upgrades to the Proxy, by the web certificate', async () => {
      await behind(front, async (cluster) => {
        const ping = Ping.parse(JSON.parse((await requestWeb(cluster, 'GET', '/webapi/ping')).body));
        assert.equal(ping.proxy.ssh.public_addr, cluster.info.proxy);
        const bot = await joinLegacy(cluster);
        assert.equal(await pingThrough(cluster, bot), cluster.info.teleport);
        const request = cluster.records.of('connection-upgrade')[0];
        assert.equal(request?.fields.upgrade, 'websocket');
      });
    });

    test('shows its own certificate instead of the one of Auth', async () => {
      await behind(front, async (cluster) => {
        const bot = await joinLegacy(cluster);
        await assert.rejects(dialTls(authRoute(cluster, bot)));
        assert.equal(cluster.records.kinds.filter((kind) => kind.startsWith('rpc:')).length, 0);
      });
    });
  });
}

test('"l7-h2" answers gRPC with 464 and other requests of HTTP/2 as the Proxy does', async () => {
  await behind('l7-h2', async (cluster) => {
    const socket = await dialTls({ ...webAddress(cluster), ALPNProtocols: ['h2'] });
    const session = connectHttp2('https://localhost', { createConnection: () => socket });
    try {
      const stream = session.request({ ':path': '/webapi/find' });
      assert.equal(Ping.parse(JSON.parse(await text(stream))).proxy.ssh.public_addr, cluster.info.proxy);
    } finally {
      session.destroy();
    }
    const client = await RawClient.open(joinRoute(cluster));
    try {
      const message = { client_init: { token_name: 'nothing', system_role: 'Bot' } };
      await assert.rejects(client.converse('teleport.join.v1.JoinService', 'Join', [message]), /464/);
    } finally {
      await client.close();
    }
    assert.deepEqual(cluster.records.of('join-service'), []);
  });
});

test('"l7-no-upgrade" removes the header Upgrade, so that the Proxy answers 400', async () => {
  await behind('l7-no-upgrade', async (cluster) => {
    await assert.rejects(RawUpgrade.open(cluster, webSocket('alpn')), /^Error: HTTP\/1\.1 400 Bad Request/);
  });
});

test('a load balancer closes a connection that is idle, and none that is pinged', async () => {
  const check = async (cluster: Cluster): Promise<void> => {
    const idle = await RawUpgrade.open(cluster, webSocket('alpn'));
    const pinged = await RawUpgrade.open(cluster, webSocket('alpn-ping'));
    let closed = false;
    pinged.closed.then(() => (closed = true)).catch(() => undefined);
    await idle.closed;
    await pause(300);
    assert.equal(closed, false);
    pinged.socket.destroy();
  };
  await behind('l7', check, { frontIdleMs: 500, upgradePingIntervalMs: 50 });
});
