import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { authRoute, joinByService, joinRoute, requestWeb, webAddress, type RawBot } from '../auth/raw-bot.ts';
import { RawClient, dialTls } from './raw-client.ts';
import { RawUpgrade, SAMPLE_KEY, clientFrame, webSocket } from './raw-upgrade.ts';
import { startCluster, type Cluster } from '../cluster.ts';
import { withCluster } from '../temporary-cluster.ts';
import { temporaryDirectory } from '../temporary-directory.ts';

const PING_INTERVAL_MS = 40;
const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };
const Pong = z.object({ server_version: z.string() });

const legacy = (type: string): Record<string, string> => ({
  Connection: 'Upgrade',
  Upgrade: type,
  'X-Teleport-Upgrade': type,
});

describe('the connection upgrade', () => {
  const directory = temporaryDirectory();
  let cluster: Cluster;
  let bot: RawBot;
  before(async () => {
    cluster = await startCluster({ dir: directory.path, upgradePingIntervalMs: PING_INTERVAL_MS });
    bot = await joinByService(cluster);
  });
  after(async () => {
    await cluster.close();
    directory.remove();
  });

  const upgrade = (headers: Record<string, string>): Promise<RawUpgrade> => RawUpgrade.open(cluster, headers);

  const pingAuth = async (inner: RawUpgrade): Promise<string> => {
    const client = await RawClient.open({ ...authRoute(cluster, bot), socket: inner.stream });
    try {
      return Pong.parse(await client.unary('proto.AuthService', 'Ping', {})).server_version;
    } finally {
      await client.close();
    }
  };

  test('answers the handshake of RFC 6455 with the requested subprotocol', async () => {
    const { head, socket } = await upgrade(webSocket('alpn'));
    socket.destroy();
    const accept = createHash('sha1').update(`${SAMPLE_KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    assert.deepEqual(head.split('\r\n'), [
      'HTTP/1.1 101 Switching Protocols',
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Accept: ${accept}`,
      'Sec-WebSocket-Protocol: alpn',
    ]);
  });

  for (const headers of [webSocket('alpn'), webSocket('alpn-ping'), legacy('alpn'), legacy('alpn-ping')]) {
    const name = `${headers.Upgrade ?? ''} ${headers['Sec-WebSocket-Protocol'] ?? ''}`;
    test(`leads to Auth by ${name}`, async () => {
      const inner = await upgrade(headers);
      assert.equal(await pingAuth(inner), cluster.info.teleport);
      assert.equal(cluster.records.of('connection-upgrade').at(-1)?.fields.upgrade, headers.Upgrade);
    });
  }

  test('prefers WebSocket if the older form is requested too, as clients of 15.1 to 17.3 do', async () => {
    const inner = await upgrade({ ...webSocket('alpn'), 'X-Teleport-Upgrade': 'alpn' });
    assert.match(inner.head, /^Upgrade: websocket\r$/m);
    inner.socket.destroy();
  });

  test('presents the host certificate inside, instead of the web certificate', async () => {
    const { ca } = bot;
    for (const ALPNProtocols of [['http/1.1'], ['teleport-proxy-grpc', 'h2'], ['teleport-reversetunnel']]) {
      const { stream } = await upgrade(webSocket('alpn'));
      const inner: TLSSocket = await dialTls({ socket: stream, servername: 'localhost', ca, ALPNProtocols });
      const shown = inner.getPeerX509Certificate();
      inner.destroy();
      assert.match(shown?.subjectAltName ?? '', /DNS:teleport\.cluster\.local/);
      assert.equal(shown?.verify(new X509Certificate(ca).publicKey), true);
    }
  });

  test('connects to the join service, as for clients behind a load balancer', async () => {
    const { stream } = await upgrade(webSocket('alpn'));
    const client = await RawClient.open({ ...joinRoute(cluster), ca: bot.ca, socket: stream });
    try {
      const message = { client_init: { token_name: 'nothing', system_role: 'Bot' } };
      const answers = client.converse('teleport.join.v1.JoinService', 'Join', [message]);
      await assert.rejects(answers, /token expired or not found/);
    } finally {
      await client.close();
    }
    assert.equal(cluster.records.of('connection').at(-1)?.fields.upgraded, true);
  });

  test('pings with frames for "alpn-ping", and never with "alpn"', async () => {
    const [pinged, silent] = [await upgrade(webSocket('alpn-ping')), await upgrade(webSocket('alpn'))];
    while (pinged.frames.length < 2) {
      await delay(PING_INTERVAL_MS);
    }
    assert.ok(
      pinged.frames.every(({ opcode, payload }) => opcode === OPCODE.ping && payload.toString() === 'teleport'),
    );
    assert.deepEqual(silent.frames, []);
    pinged.socket.destroy();
    silent.socket.destroy();
  });

  test('drops continuation and text frames and answers no pings', async () => {
    const inner = await upgrade(webSocket('alpn'));
    for (const opcode of [OPCODE.continuation, OPCODE.text, OPCODE.ping, OPCODE.pong]) {
      inner.socket.write(clientFrame(opcode, Buffer.from('never seen')));
    }
    assert.equal(await pingAuth(inner), cluster.info.teleport);
    assert.deepEqual([...new Set(inner.frames.map(({ opcode }) => opcode))], [OPCODE.binary]);
  });

  test('drops the contents of a continuation frame, so that a fragmented handshake never ends', async () => {
    const inner = await upgrade(webSocket('alpn'));
    inner.fragment = true;
    await assert.rejects(
      Promise.race([dialTls({ socket: inner.stream, servername: 'localhost', ca: bot.ca }), delay(300).then(giveUp)]),
      /no handshake/,
    );
    inner.socket.destroy();
  });

  test('unmasks frames with their key', async () => {
    const inner = await upgrade(webSocket('alpn'));
    inner.mask = Buffer.from([0x12, 0x34, 0x56, 0x78]);
    assert.equal(await pingAuth(inner), cluster.info.teleport);
  });

  test('ends with a close frame of the client', async () => {
    const inner = await upgrade(webSocket('alpn'));
    inner.socket.write(clientFrame(OPCODE.close, Buffer.alloc(0)));
    await inner.closed;
  });

  for (const protocol of ['', 'mqtt']) {
    test(`accepts the subprotocol "${protocol}" with 101 and closes`, async () => {
      const inner = await upgrade(webSocket(protocol));
      assert.match(inner.head, /^HTTP\/1\.1 101 /);
      assert.doesNotMatch(inner.head, /Sec-WebSocket-Protocol/);
      await inner.closed;
    });
  }

  test('is refused in an unknown form, and if a load balancer has removed the headers', async () => {
    await assert.rejects(upgrade(legacy('gopher')), /404 Not Found[^]*unsupported upgrade types: \[gopher gopher\]/);
    await assert.rejects(upgrade({ ...webSocket('alpn'), 'Sec-WebSocket-Version': '8' }), /400 Bad Request/);
    assert.equal((await requestWeb(cluster, 'GET', '/webapi/connectionupgrade')).status, 400);
  });

  test('works only at its own path', async () => {
    const socket = await dialTls(webAddress(cluster));
    socket.write('GET /webapi/ping HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    const [first] = await Promise.all([new Promise<Buffer>((resolve) => socket.once('data', resolve))]);
    socket.destroy();
    assert.match(first.toString(), /^HTTP\/1\.1 404 Not Found\r\n/);
  });
});

test('a v19 cluster has only the WebSocket form, accepts continuation frames, answers pings and sends a close frame', async () => {
  await withCluster({ teleport: '19.0.0' }, async (cluster) => {
    await assert.rejects(
      RawUpgrade.open(cluster, legacy('alpn')),
      /404 Not Found[^]*unsupported upgrade types: \[alpn\]/,
    );
    const bot = await joinByService(cluster);
    const inner = await RawUpgrade.open(cluster, { ...webSocket('alpn-ping'), 'X-Teleport-Upgrade': 'alpn-ping' });
    inner.fragment = true;
    inner.socket.write(clientFrame(OPCODE.ping, Buffer.from('are you there')));
    const secure = await dialTls({ ...authRoute(cluster, bot), socket: inner.stream });
    secure.write('this is not HTTP/2');
    await inner.closed;
    const opcodes = inner.frames.map(({ opcode }) => opcode);
    assert.deepEqual(
      [...new Set(opcodes)].toSorted((a, b) => a - b),
      [OPCODE.binary, OPCODE.close, OPCODE.pong],
    );
    assert.equal(opcodes.at(-1), OPCODE.close);
  });
});

function giveUp(): never {
  throw new Error('no handshake');
}
