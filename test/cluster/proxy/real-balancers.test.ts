/** The cluster behind load balancers that know nothing of Teleport, as a client of public libraries meets them. */
import assert from 'node:assert/strict';
import { after, before, describe, test, type TestContext } from 'node:test';
import type { ConnectionOptions } from 'node:tls';
import { z } from 'zod';
import { authRoute, joinLegacy, joinRoute, type RawBot } from '../auth/raw-bot.ts';
import { startCluster, type Cluster } from '../cluster.ts';
import { startHaproxy } from '../../e2e/haproxy.ts';
import { startNginxProxy } from '../../e2e/nginx.ts';
import type { TlsTerminator } from '../../e2e/tls-terminator.ts';
import { missing } from '../../programs.ts';
import { dialTls, RawClient } from './raw-client.ts';
import { RawUpgrade, webSocket } from './raw-upgrade.ts';
import { temporaryDirectory } from '../temporary-directory.ts';

const DETECTION = ['teleport-reversetunnel'];
const Pong = z.object({ server_version: z.string() });

interface Balancer {
  readonly what: string;
  readonly program: string;
  readonly start: (t: TestContext, behind: string) => Promise<TlsTerminator>;
  /** The outcome of the test for ALPN: the protocol chosen, or the error. */
  readonly detection: false | { readonly code: string };
}

const REFUSED = { code: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL' };

const BALANCERS: readonly Balancer[] = [
  ...[true, false].map((http2) => ({
    what: `nginx, ${http2 ? 'with HTTP/2' : 'HTTP/1.1 alone'}`,
    program: 'nginx',
    start: (t: TestContext, behind: string) => startNginxProxy(t, { behind, http2, upgrades: true }),
    detection: REFUSED,
  })),
  ...[[], ['h2', 'http/1.1']].map((alpn) => ({
    what: `HAProxy, with the ALPN protocols [${alpn.join(', ')}]`,
    program: 'haproxy',
    start: (t: TestContext, behind: string) => startHaproxy(t, { behind, alpn }),
    detection: false as const,
  })),
];

describe('behind a real load balancer', () => {
  const directory = temporaryDirectory();
  let cluster: Cluster;
  let bot: RawBot;
  before(async () => {
    cluster = await startCluster({ dir: directory.path, upgradePingIntervalMs: 50 });
    bot = await joinLegacy(cluster);
  });
  after(async () => {
    await cluster.close();
    directory.remove();
  });

  for (const { detection, program, start, what } of BALANCERS) {
    describe(what, { skip: missing(program) ?? false }, () => {
      const reach = async (t: TestContext): Promise<ConnectionOptions> => {
        const { address, certificate } = await start(t, cluster.info.proxy);
        return { host: '127.0.0.1', port: Number(address.split(':')[1]), servername: 'localhost', ca: certificate };
      };

      test('drops ALPN', async (t) => {
        const dialled = dialTls({ ...(await reach(t)), ALPNProtocols: DETECTION });
        if (detection === false) {
          const socket = await dialled;
          socket.destroy();
          assert.equal(socket.alpnProtocol, false);
        } else {
          await assert.rejects(dialled, detection);
        }
      });

      test('carries an upgraded connection with pings to Auth and to the join service', async (t) => {
        const address = await reach(t);
        const toAuth = await RawUpgrade.open(cluster, webSocket('alpn-ping'), address);
        const auth = await RawClient.open({ ...authRoute(cluster, bot), socket: toAuth.stream });
        const toJoin = await RawUpgrade.open(cluster, webSocket('alpn'), address);
        const join = await RawClient.open({ ...joinRoute(cluster), ca: bot.ca, socket: toJoin.stream });
        try {
          assert.equal(
            Pong.parse(await auth.unary('proto.AuthService', 'Ping', {})).server_version,
            cluster.info.teleport,
          );
          const message = { client_init: { token_name: 'nothing', system_role: 'Bot' } };
          const answers = join.converse('teleport.join.v1.JoinService', 'Join', [message]);
          await assert.rejects(answers, /token expired or not found/);
        } finally {
          await auth.close();
          await join.close();
        }
      });

      test('does not lead to Auth without an upgrade', async (t) => {
        const { ALPNProtocols } = authRoute(cluster, bot);
        const address = { ...(await reach(t)), ALPNProtocols, servername: 'teleport.cluster.local', ca: bot.ca };
        await assert.rejects(dialTls(address));
      });
    });
  }
});

test('nginx does not pass on upgrades by itself', { skip: missing('nginx') ?? false }, async (t) => {
  const directory = temporaryDirectory();
  const cluster = await startCluster({ dir: directory.path });
  t.after(async () => {
    await cluster.close();
    directory.remove();
  });
  const { address, certificate } = await startNginxProxy(t, { behind: cluster.info.proxy, http2: false });
  const port = Number(address.split(':')[1]);
  const route = { host: '127.0.0.1', port, servername: 'localhost', ca: certificate };
  await assert.rejects(RawUpgrade.open(cluster, webSocket('alpn'), route), /^Error: HTTP\/1\.1 400 Bad Request/);
});
