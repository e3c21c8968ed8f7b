/** A cluster of which clients reach Auth alone, as a client of public libraries meets it. */
import assert from 'node:assert/strict';
import { createPublicKey, X509Certificate } from 'node:crypto';
import { describe, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { z } from 'zod';
import { createKey } from '../crypto/keys.ts';
import {
  CertsAnswer,
  hostAddress,
  joinByService,
  joinLegacy,
  legacyBody,
  requestAt,
  type RawBot,
  type TlsIdentity,
  type WebReply,
} from './raw-bot.ts';
import { sshLine } from './raw-auth.ts';
import type { Cluster } from '../cluster.ts';
import { dialTls, RawClient } from '../proxy/raw-client.ts';
import { withCluster } from '../temporary-cluster.ts';

const Authority = z.object({ tls_ca: z.instanceof(Buffer) });
const Pong = z.object({ cluster_name: z.string(), server_version: z.string(), proxy_public_addr: z.string() });
const JSON_HEADERS = { headers: { 'Content-Type': 'application/json' } };

/** Verified by the authority that Auth itself tells, as a client with a pin does. */
async function hostAuthority(cluster: Cluster): Promise<string> {
  const unverified = { ...hostAddress(cluster.info.auth, undefined), rejectUnauthorized: false };
  const client = await RawClient.open({ ...unverified, ALPNProtocols: ['h2'] });
  try {
    return Authority.parse(await client.unary('proto.AuthService', 'GetClusterCACert', {})).tls_ca.toString();
  } finally {
    await client.close();
  }
}

async function call(
  cluster: Cluster,
  { ca, cert, key }: TlsIdentity,
  [service, method]: readonly [string, string],
  request: object,
): Promise<object> {
  const identity = cert === undefined ? {} : { cert, key };
  const route = { ...hostAddress(cluster.info.auth, ca), ...identity, ALPNProtocols: ['h2'] };
  const client = await RawClient.open(route);
  try {
    return await client.unary(service, method, request);
  } finally {
    await client.close();
  }
}

function post(cluster: Cluster, ca: string, body: object, path = '/v2/tokens/register'): Promise<WebReply> {
  const content = { body: JSON.stringify(body), ...JSON_HEADERS };
  return requestAt(hostAddress(cluster.info.auth, ca), 'POST', path, content);
}

async function assertAdmitted(cluster: Cluster, bot: RawBot): Promise<void> {
  const role = await call(cluster, bot, ['proto.AuthService', 'GetRole'], { name: 'bot-ci' });
  assert.ok('spec' in role);
}

async function registration(cluster: Cluster, token: string): Promise<object> {
  const publicKey = createPublicKey(await createKey('rsa'));
  return {
    role: 'Bot',
    token,
    id_token: await cluster.mint(),
    public_tls_key: Buffer.from(publicKey.export({ type: 'spki', format: 'pem' })),
    public_ssh_key: Buffer.from(sshLine(publicKey)),
  };
}

test('without a Proxy, Auth answers Ping and GetClusterCACert, and reports the Proxy as configured', async () => {
  for (const proxyPublicAddr of ['', 'proxy.example.com:443']) {
    await withCluster({ authOnly: true, proxyPublicAddr }, async (cluster) => {
      assert.equal(cluster.info.proxy, '');
      const ca = await hostAuthority(cluster);
      const pong = Pong.parse(await call(cluster, { ca }, ['proto.AuthService', 'Ping'], {}));
      assert.deepEqual(pong, {
        cluster_name: cluster.info.cluster,
        server_version: cluster.info.teleport,
        proxy_public_addr: proxyPublicAddr,
      });
    });
  }
});

test('Auth closes connections by the ALPN values of the Proxy', async () => {
  await withCluster({ authOnly: true }, async (cluster) => {
    const ca = await hostAuthority(cluster);
    const address = hostAddress(cluster.info.auth, ca);
    for (const ALPNProtocols of [['teleport-proxy-grpc'], ['teleport-reversetunnel'], ['spdy/3']]) {
      await assert.rejects(dialTls({ ...address, ALPNProtocols }), {
        code: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL',
      });
    }
    for (const [ALPNProtocols, chosen] of [
      [['h2'], 'h2'],
      [['http/1.1'], 'http/1.1'],
      [['http/1.1', 'h2'], 'h2'],
      [[], false],
    ] as const) {
      const socket = await dialTls({ ...address, ALPNProtocols: [...ALPNProtocols] });
      socket.destroy();
      assert.equal(socket.alpnProtocol, chosen);
    }
  });
});

for (const teleport of ['15.3.7', '16.4.0', '17.7.1']) {
  describe(`Auth of v${teleport}`, () => {
    test('registers by HTTP at any version of the path, and by no other path', async () => {
      await withCluster({ teleport, authOnly: true }, async (cluster) => {
        const ca = await hostAuthority(cluster);
        await assertAdmitted(cluster, await joinLegacy(cluster, {}, (body) => post(cluster, ca, body)));
        assert.deepEqual(cluster.records.of('legacy-join')[0]?.listener, 'auth');
        const body = await legacyBody(cluster, { key: await createKey('rsa') });
        assert.equal((await post(cluster, ca, body, '/v1/tokens/register')).status, 200);
        assert.equal((await post(cluster, ca, body, '/v1/webapi/host/credentials')).status, 404);
      });
    });

    test('refuses by HTTP what it refuses at the Proxy', async () => {
      await withCluster({ teleport, authOnly: true }, async (cluster) => {
        const ca = await hostAuthority(cluster);
        const unknown = await legacyBody(cluster, { token: 'nothing', key: await createKey('rsa') });
        const denied = await post(cluster, ca, unknown);
        assert.equal(denied.status, 403);
        assert.match(denied.body, /can not join the cluster with role \\"Bot\\", token expired or not found/);
        const form = await requestAt(hostAddress(cluster.info.auth, ca), 'POST', '/v2/tokens/register', {
          body: 'a=b',
        });
        assert.equal(form.status, 400);
        assert.match(form.body, /invalid request/);
      });
    });
  });
}

test('RegisterUsingToken is at Auth from v17 on', async () => {
  for (const [teleport, served] of [
    ['16.4.0', false],
    ['17.7.1', true],
    ['18.4.0', true],
    ['18.6.0', true],
  ] as const) {
    await withCluster({ teleport, authOnly: true }, async (cluster) => {
      const ca = await hostAuthority(cluster);
      const method = ['proto.JoinService', 'RegisterUsingToken'] as const;
      const register = async (token: string): Promise<object> =>
        call(cluster, { ca }, method, await registration(cluster, token));
      if (served) {
        const certs = CertsAnswer.parse(await register(cluster.info.joinToken));
        assert.match(new X509Certificate(certs.tls).subject, /CN=bot-ci/);
        await assert.rejects(register('nothing'), { code: status.PERMISSION_DENIED });
      } else {
        await assert.rejects(register(cluster.info.joinToken), { code: status.UNIMPLEMENTED });
      }
    });
  }
});

test('from v18 on Auth does not register by HTTP', async () => {
  for (const teleport of ['18.4.0', '19.0.0']) {
    await withCluster({ teleport, authOnly: true }, async (cluster) => {
      const ca = await hostAuthority(cluster);
      const body = await legacyBody(cluster, { key: await createKey('rsa') });
      assert.equal((await post(cluster, ca, body)).status, 404);
    });
  }
});

test('the join service is at Auth, and knows CircleCI from v18.5 on', async () => {
  for (const [teleport, outcome] of [
    ['17.7.1', status.UNIMPLEMENTED],
    ['18.4.0', status.UNIMPLEMENTED],
    ['18.5.1', 'joined'],
    ['19.0.0', 'joined'],
  ] as const) {
    await withCluster({ teleport, authOnly: true }, async (cluster) => {
      const ca = await hostAuthority(cluster);
      const route = { ...hostAddress(cluster.info.auth, ca), ALPNProtocols: ['h2'] };
      const joined = joinByService(cluster, {}, route);
      if (outcome === 'joined') {
        await assertAdmitted(cluster, await joined);
        const denied = joinByService(cluster, { token: 'nothing' }, route);
        await assert.rejects(denied, { code: status.PERMISSION_DENIED });
      } else {
        await assert.rejects(joined, { code: outcome });
      }
    });
  }
});
