import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { missing, runProgram } from '../../programs.ts';
import { accessRequest, generateUserCerts, sshLine } from '../auth/raw-auth.ts';
import { joinByService, joinLegacy, requestWeb, webAddress, type RawBot } from '../auth/raw-bot.ts';
import { RawClient, dialTls } from './raw-client.ts';
import { RawTunnel, type TunnelLogin } from './raw-tunnel.ts';
import { startCluster, type Cluster } from '../cluster.ts';
import { createKey, keyPem } from '../crypto/keys.ts';
import { signSshCertificate, type SshCertificateFields } from '../crypto/ssh-certificate.ts';
import { encodeSshPublicKey, parseAuthorizedKey, toAuthorizedKey } from '../crypto/ssh-public-key.ts';
import { withCluster } from '../temporary-cluster.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import { ownAuthority } from '../world.ts';

const Pong = z.object({ server_version: z.string() });

interface Access extends TunnelLogin {
  readonly bot: RawBot;
}

/** The identity of a bot with its role `access`. */
async function accessOf(cluster: Cluster, bot: RawBot): Promise<Access> {
  const key = await createKey('ec');
  const issued = await generateUserCerts(cluster, bot, accessRequest(key));
  const certificate = parseAuthorizedKey(issued.ssh.toString());
  return { user: 'ci', certificate, key: keyPem(key), bot: { ...bot, cert: issued.tls.toString(), key: keyPem(key) } };
}

async function overTcp(port: number): Promise<Duplex> {
  const socket = connectTcp({ port, host: '127.0.0.1' });
  await once(socket, 'connect');
  return socket;
}

const overTls = (cluster: Cluster, alpn: readonly string[]): Promise<Duplex> =>
  dialTls({ ...webAddress(cluster), ALPNProtocols: [...alpn] });

/** The version that Auth reports at the other end of a channel. */
async function pingOver(channel: Duplex, bot: RawBot): Promise<string> {
  const { ca, cert, key } = bot;
  const route = { socket: channel, servername: 'teleport.cluster.local', ALPNProtocols: ['h2'], ca, cert, key };
  const client = await RawClient.open(route);
  try {
    return Pong.parse(await client.unary('proto.AuthService', 'Ping', {})).server_version;
  } finally {
    await client.close();
  }
}

describe('the reverse tunnel', () => {
  const directory = temporaryDirectory();
  let cluster: Cluster;
  let access: Access;
  before(async () => {
    cluster = await startCluster({ dir: directory.path });
    access = await accessOf(cluster, await joinByService(cluster));
  });
  after(async () => {
    await cluster.close();
    directory.remove();
  });

  const withTunnel = async (stream: Duplex, login: TunnelLogin, use: (tunnel: RawTunnel) => Promise<void>) => {
    const tunnel = await RawTunnel.open(stream, login);
    try {
      await use(tunnel);
    } finally {
      tunnel.close();
    }
  };

  const ways: readonly { readonly name: string; readonly dial: () => Promise<Duplex> }[] = [
    { name: 'its protocol', dial: () => overTls(cluster, ['teleport-reversetunnel']) },
    {
      name: 'both its protocols',
      dial: () => overTls(cluster, ['teleport-reversetunnelv2', 'teleport-reversetunnel']),
    },
    { name: 'plain SSH on the web port', dial: () => overTcp(webAddress(cluster).port) },
  ];
  for (const { dial, name } of ways) {
    test(`connects to Auth with ${name}`, async () => {
      await withTunnel(await dial(), access, async (tunnel) => {
        assert.equal(await pingOver(await tunnel.dial(), access.bot), cluster.info.teleport);
      });
      const record = cluster.records.of('reverse-tunnel').at(-1);
      while (record?.outcome === 'pending') {
        await delay(10);
      }
      assert.equal(record?.outcome, 'ok');
      assert.deepEqual(record.fields, { login: 'ci', user: 'bot-ci', address: '@remote-auth-server' });
    });
  }

  test('presents a certificate of the host authority for the name that clients dial', async () => {
    await withTunnel(await overTls(cluster, ['teleport-reversetunnel']), access, ({ host }) => {
      const { sshKey } = ownAuthority(cluster.world, 'host');
      assert.equal(host.identification, 'SSH-2.0-Teleport');
      assert.equal(host.certificate.kind, 'host');
      assert.ok(host.certificate.principals.includes('localhost'));
      assert.equal(host.certificate.extensions.get('x-teleport-role'), 'Proxy');
      assert.deepEqual(host.certificate.authority, sshKey && encodeSshPublicKey(sshKey));
      return Promise.resolve();
    });
  });

  test('accepts a plain address, as earlier clients send it, and any address for Auth', async () => {
    for (const payload of ['@remote-auth-server', '{"address":"10.0.0.1:22"}']) {
      await withTunnel(await overTcp(webAddress(cluster).port), access, async (tunnel) => {
        assert.equal(await pingOver(await tunnel.dial({ payload }), access.bot), cluster.info.teleport);
      });
    }
  });

  test('carries more bytes than the window of its channel allows', async () => {
    await withTunnel(await overTcp(webAddress(cluster).port), access, async (tunnel) => {
      const { ca, cert, key } = access.bot;
      const channel = await tunnel.dial();
      const route = { socket: channel, servername: 'teleport.cluster.local', ALPNProtocols: ['h2'], ca, cert, key };
      const client = await RawClient.open(route);
      try {
        const name = 'x'.repeat(3 * 1024 * 1024);
        await assert.rejects(client.unary('proto.AuthService', 'GetRole', { name }), /access denied/);
      } finally {
        await client.close();
      }
    });
  });

  test('opens no session, reports that the port is wrong, and rejects unknown requests', async () => {
    await withTunnel(await overTcp(webAddress(cluster).port), access, async (tunnel) => {
      assert.equal(await tunnel.ping(), true);
      await assert.rejects(tunnel.dial({ channelType: 'session' }), /Are you connecting to the right port\?/);
      await assert.rejects(tunnel.dial({ channelType: 'x11' }), /received unknown channel request x11/);
    });
  });

  const minuteAgo = new Date(Date.now() - 60_000);
  const inAnHour = new Date(Date.now() + 3_600_000);
  const sound = {
    kind: 'user',
    keyId: 'bot-ci',
    principals: ['ci'],
    notBefore: minuteAgo,
    notAfter: inAnHour,
    extensions: { 'teleport-roles': '{"version":"v1","roles":["access"]}' },
  } as const;
  const refusals: readonly {
    readonly name: string;
    readonly change: Partial<SshCertificateFields>;
    readonly authority?: 'host';
    readonly user?: string;
    readonly reason: RegExp;
  }[] = [
    { name: 'a login that is not in it', change: {}, user: 'root', reason: /principal "root" not in the set/ },
    { name: 'its time not yet come', change: { notBefore: inAnHour }, reason: /cert is not yet valid/ },
    { name: 'its time over', change: { notAfter: minuteAgo }, reason: /cert has expired/ },
    { name: 'another authority', change: {}, authority: 'host', reason: /no matching CA keys/ },
    { name: 'no roles', change: { extensions: {} }, reason: /certificate missing roles/ },
    { name: 'the kind of a host', change: { kind: 'host' }, reason: /host certificate/ },
    {
      name: 'a route to another cluster',
      change: { extensions: { ...sound.extensions, 'teleport-route-to-cluster': 'leaf.example.com' } },
      reason: /cannot route from "example.teleport.test" to "leaf.example.com"/,
    },
  ];
  for (const { authority = 'user', change, name, reason, user = 'ci' } of refusals) {
    test(`rejects a certificate with ${name}`, async () => {
      const key = await createKey('ec');
      const { sshKey } = ownAuthority(cluster.world, authority);
      assert.ok(sshKey);
      const certificate = signSshCertificate({ ...sound, publicKey: key, ...change }, sshKey);
      const login = { user, certificate, key: keyPem(key) };
      cluster.records.clear();
      await assert.rejects(RawTunnel.open(await overTcp(webAddress(cluster).port), login), /does not admit/);
      assert.match(String(cluster.records.of('reverse-tunnel')[0]?.fields.refused), reason);
    });
  }

  test('rejects a certificate with another key', async () => {
    const login = { ...access, key: keyPem(await createKey('ec')) };
    await assert.rejects(RawTunnel.open(await overTcp(webAddress(cluster).port), login), /does not admit/);
  });

  test(
    'OpenSSH trusts its host certificate, logs in with a certificate and gets the message about the wrong port',
    { skip: missing('ssh') },
    async () => {
      const { sshKey } = ownAuthority(cluster.world, 'host');
      assert.ok(sshKey);
      const file = (name: string, text: string): string => {
        const path = join(directory.path, name);
        writeFileSync(path, text, { mode: 0o600 });
        return path;
      };
      const key = createPrivateKey(access.key).export({ type: 'sec1', format: 'pem' }).toString();
      const options = [
        `IdentityFile=${file('id', key)}`,
        `CertificateFile=${file('id-cert.pub', toAuthorizedKey(access.certificate))}`,
        `UserKnownHostsFile=${file('known_hosts', `@cert-authority * ${sshLine(sshKey)}`)}`,
        'StrictHostKeyChecking=yes',
        'IdentitiesOnly=yes',
        'BatchMode=yes',
        // makes OpenSSH exchange keys again before it requests the session
        'RekeyLimit=1K',
      ];
      const { port } = webAddress(cluster);
      const args = ['-F', 'none', ...options.flatMap((one) => ['-o', one]), '-p', String(port), 'ci@localhost', 'true'];
      const { exitCode, stderr } = await runProgram('ssh', args);
      assert.equal(exitCode, 255);
      assert.match(stderr, /Cannot open new SSH session on reverse tunnel/);
    },
  );
});

test('a v15 cluster has the tunnel with RSA keys, and on a separate port without TLS routing', async () => {
  await withCluster({ teleport: '15.3.7', tlsRouting: false }, async (cluster) => {
    const Settings = z.object({ proxy: z.object({ ssh: z.object({ tunnel_listen_addr: z.string() }) }) });
    const { proxy } = Settings.parse(JSON.parse((await requestWeb(cluster, 'GET', '/webapi/find')).body));
    const port = Number(proxy.ssh.tunnel_listen_addr.split(':')[1]);
    assert.notEqual(port, webAddress(cluster).port);
    const bot = await joinLegacy(cluster);
    const key = await createKey('rsa');
    const { ssh_public_key: publicKey, ...request } = accessRequest(key);
    const issued = await generateUserCerts(cluster, bot, { ...request, public_key: publicKey });
    const login = { user: 'root', certificate: parseAuthorizedKey(issued.ssh.toString()), key: keyPem(key) };
    const tunnel = await RawTunnel.open(await overTcp(port), login);
    try {
      assert.equal(tunnel.host.certificate.publicKey.asymmetricKeyType, 'rsa');
      const identity = { ...bot, cert: issued.tls.toString(), key: keyPem(key) };
      assert.equal(await pingOver(await tunnel.dial(), identity), '15.3.7');
    } finally {
      tunnel.close();
    }
  });
});
