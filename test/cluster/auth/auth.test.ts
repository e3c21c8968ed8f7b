import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { z } from 'zod';
import { createKey, keyPem, publicKeyDer } from '../crypto/keys.ts';
import { accessRequest, callAuth, inSeconds, generateUserCerts } from './raw-auth.ts';
import { authRoute, joinByService, joinLegacy, type RawBot } from './raw-bot.ts';
import { RawClient, dialTls } from '../proxy/raw-client.ts';
import { startCluster, type Cluster } from '../cluster.ts';
import { signCertificate } from '../crypto/leaf-certificate.ts';
import { encodeName, OID } from '../crypto/subject-name.ts';
import { withCluster } from '../temporary-cluster.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import { certificatePem, createTlsAuthority } from '../crypto/x509.ts';

const TRUST_SERVICE = 'teleport.trust.v1.TrustService';
const HEARTBEAT_SERVICE = 'teleport.machineid.v1.BotInstanceService';

const Ping = z.object({
  remote_addr: z.string(),
  server_features: z.object({
    kubernetes: z.boolean(),
    saml: z.boolean(),
    entitlements: z.record(z.string(), z.object({ enabled: z.boolean() })),
  }),
});
const Selector = z.object({ values: z.record(z.string(), z.object({ values: z.array(z.string()) })) }).nullable();
const Strings = z.array(z.string());
const Role = z.object({
  metadata: z.object({ namespace: z.string() }),
  spec: z.object({
    options: z.object({ max_session_ttl: z.number() }),
    allow: z.object({
      logins: Strings,
      node_labels: Selector,
      app_labels: Selector,
      kubernetes_labels: Selector,
      db_labels: Selector,
      workload_identity_labels: Selector,
      kubernetes_groups: Strings,
      kubernetes_users: Strings,
      db_users: Strings,
      impersonate: z.object({ roles: Strings }).nullable(),
    }),
  }),
});

const CaList = z.object({
  cert_authorities_v2: z.array(
    z.object({
      spec: z.object({
        type: z.string(),
        cluster_name: z.string(),
        active_keys: z.object({
          ssh: z.array(z.object({ public_key: z.instanceof(Buffer) })),
          tls: z.array(z.object({ cert: z.instanceof(Buffer) })),
          jwt: z.array(z.object({ public_key: z.instanceof(Buffer) })),
        }),
      }),
    }),
  ),
});

describe('the Auth listener, reached through the Proxy', () => {
  const directory = temporaryDirectory();
  let cluster: Cluster;
  let bot: RawBot;
  before(async () => {
    cluster = await startCluster({ dir: directory.path });
    bot = await joinByService(cluster);
  });
  after(async () => {
    await cluster.close();
    directory.remove();
  });

  test('its certificate is signed by the pinned host authority and contains the API domain', async () => {
    const socket = await dialTls(authRoute(cluster, bot));
    const certificate = socket.getPeerX509Certificate();
    socket.destroy();
    assert.equal(socket.alpnProtocol, 'h2');
    assert.equal(certificate?.verify(new X509Certificate(bot.ca).publicKey), true);
    assert.match(certificate.subjectAltName ?? '', /DNS:teleport\.cluster\.local/);
    const spki = new X509Certificate(bot.ca).publicKey.export({ type: 'spki', format: 'der' });
    assert.equal(cluster.info.caPin, `sha256:${createHash('sha256').update(spki).digest('hex')}`);
  });

  test('a client without a certificate can only ping and read the host authority', async () => {
    const nobody = { ca: bot.ca };
    const answer = await callAuth(cluster, nobody, 'Ping', {});
    assert.equal(z.object({ server_version: z.string() }).parse(answer).server_version, cluster.info.teleport);
    const { tls_ca: authority } = z
      .object({ tls_ca: z.instanceof(Buffer) })
      .parse(await callAuth(cluster, nobody, 'GetClusterCACert', {}));
    assert.equal(new X509Certificate(authority).fingerprint256, new X509Certificate(bot.ca).fingerprint256);
    await assert.rejects(callAuth(cluster, nobody, 'GetRole', { name: 'bot-ci' }), {
      code: status.PERMISSION_DENIED,
    });
  });

  test('it refuses a certificate that comes with its authority', async () => {
    const chain = { ...bot, cert: `${bot.cert}\n${bot.userAuthority}` };
    await assert.rejects(callAuth(cluster, chain, 'Ping', {}), {
      code: status.PERMISSION_DENIED,
      details: 'access denied: intermediaries are not supported',
    });
  });

  test('it refuses a certificate that is restricted to a usage', async () => {
    const key = await createKey('ec');
    const { tls } = await generateUserCerts(cluster, bot, { ...accessRequest(key), usage: 2 });
    const restricted = { cert: tls.toString(), key: keyPem(key), ca: bot.ca };
    await assert.rejects(callAuth(cluster, restricted, 'Ping', {}), {
      code: status.PERMISSION_DENIED,
      details: 'access denied: invalid client certificate',
    });
  });

  test('it closes the connection for a certificate of an unknown authority', async () => {
    const name = encodeName([{ oid: OID.commonName, values: ['bot-ci'] }]);
    const key = await createKey('ec');
    const stranger = createTlsAuthority(name, publicKeyDer(key), key);
    const certificate = signCertificate(stranger, {
      subject: name,
      publicKey: publicKeyDer(key),
      notBefore: new Date(),
      notAfter: new Date(Date.now() + 60_000),
    });
    const foreign = { cert: certificatePem(certificate), key: keyPem(key), ca: bot.ca };
    await assert.rejects(callAuth(cluster, foreign, 'Ping', {}), { code: status.UNAVAILABLE });
    assert.match(cluster.records.all.at(-1)?.outcome ?? '', /refused: .*client certificate/);
  });

  test('it accepts any server name', async () => {
    const anyName = { servername: 'auth.example.com', checkServerIdentity: () => undefined };
    const socket = await dialTls({ ...authRoute(cluster, bot), ...anyName });
    assert.equal(socket.alpnProtocol, 'h2');
    socket.destroy();
  });

  test('the encoded name of a cluster decides whose certificates are accepted', async () => {
    const named = (name: string): string => `${Buffer.from(name).toString('hex')}.teleport.cluster.local`;
    for (const servername of [named(cluster.info.cluster), named('unknown.example.com')]) {
      const client = await RawClient.open({ ...authRoute(cluster, bot), servername });
      await client.unary('proto.AuthService', 'GetRole', { name: 'bot-ci' });
      await client.close();
    }
    const client = await RawClient.open({ ...authRoute(cluster, bot), servername: named('leaf.example.com') });
    await assert.rejects(client.unary('proto.AuthService', 'GetRole', { name: 'bot-ci' }), {
      code: status.UNAVAILABLE,
    });
    await client.close();
    assert.match(cluster.records.all.at(-1)?.outcome ?? '', /refused: .*client certificate/);
  });

  test("Ping returns the features and the client's address, and every response the version", async () => {
    const client = await RawClient.open(authRoute(cluster, bot));
    try {
      const answer = Ping.parse(await client.unary('proto.AuthService', 'Ping', {}));
      assert.match(answer.remote_addr, /^(::ffff:)?127\.0\.0\.1:\d+$/);
      assert.equal(answer.server_features.kubernetes, true);
      assert.equal(answer.server_features.saml, false);
      assert.deepEqual(answer.server_features.entitlements.K8s, { enabled: true });
      assert.deepEqual(await client.headers('proto.AuthService', 'GetRole', { name: 'bot-ci' }, 'version'), ['18.5.1']);
      assert.deepEqual(await client.headers('proto.AuthService', 'GetRole', { name: 'x' }, 'version'), ['18.5.1']);
    } finally {
      await client.close();
    }
  });

  test('it refuses a protocol other than h2 and http/1.1, and prefers h2', async () => {
    const [first = ''] = authProtocols(cluster, bot);
    await assert.rejects(dialTls({ ...authRoute(cluster, bot), ALPNProtocols: [first] }), {
      code: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL',
    });
    const socket = await dialTls({ ...authRoute(cluster, bot), ALPNProtocols: [first, 'http/1.1', 'h2'] });
    socket.destroy();
    assert.equal(socket.alpnProtocol, 'h2');
  });

  test('a bot reads its own role with the roles it may impersonate, and no other role', async () => {
    const { spec } = Role.parse(await callAuth(cluster, bot, 'GetRole', { name: 'bot-ci' }));
    assert.deepEqual(spec.allow.impersonate?.roles, ['access', 'deployer']);
    await assert.rejects(callAuth(cluster, bot, 'GetRole', { name: 'access' }), { code: status.PERMISSION_DENIED });
  });

  test('a role has its logins, labels, users and groups', async () => {
    const key = await createKey('ec');
    const { tls } = await generateUserCerts(cluster, bot, accessRequest(key));
    const holder = { cert: tls.toString(), key: keyPem(key), ca: bot.ca };
    const { metadata, spec } = Role.parse(await callAuth(cluster, holder, 'GetRole', { name: 'access' }));
    assert.equal(metadata.namespace, 'default');
    const { allow } = spec;
    assert.deepEqual(allow.logins, ['root', 'ci']);
    assert.deepEqual(allow.kubernetes_groups, ['developers', 'viewers']);
    assert.deepEqual(allow.kubernetes_users, ['ci']);
    assert.deepEqual(allow.db_users, ['*']);
    for (const labels of [allow.node_labels, allow.app_labels, allow.kubernetes_labels, allow.db_labels]) {
      assert.deepEqual(labels?.values, { env: { values: ['dev', 'staging', 'prod'] } });
    }
    assert.deepEqual(allow.workload_identity_labels?.values, { team: { values: ['ci'] } });
    assert.equal(spec.options.max_session_ttl, 30 * 3600 * 1e9);
  });

  test('the authorities of a type come from the cluster and its leaves, without private keys', async () => {
    for (const type of ['host', 'user', 'db']) {
      const request = { type, include_key: false };
      const answer = await callAuth(cluster, bot, 'GetCertAuthorities', request, { service: TRUST_SERVICE });
      const { cert_authorities_v2: authorities } = CaList.parse(answer);
      assert.deepEqual(
        authorities.map(({ spec }) => spec.cluster_name),
        [cluster.info.cluster, 'leaf.example.com'],
      );
      assert.deepEqual(
        authorities.map(({ spec }) => spec.active_keys.ssh.length),
        type === 'db' ? [0, 0] : [1, 1],
      );
    }
  });

  test('each type of authority has the keys for what it signs', async () => {
    const sides: Record<string, readonly number[]> = {};
    for (const type of ['host', 'db_client', 'openssh', 'jwt', 'spiffe', 'saml_idp', 'oidc_idp', 'okta', 'awsra']) {
      const answer = await callAuth(cluster, bot, 'GetCertAuthorities', { type }, { service: TRUST_SERVICE });
      const [own] = CaList.parse(answer).cert_authorities_v2;
      const { jwt = [], ssh = [], tls = [] } = own?.spec.active_keys ?? {};
      sides[type] = [ssh.length, tls.length, jwt.length];
    }
    assert.deepEqual(sides, {
      host: [1, 1, 0],
      db_client: [0, 1, 0],
      openssh: [1, 0, 0],
      jwt: [0, 0, 1],
      spiffe: [0, 1, 1],
      saml_idp: [0, 1, 0],
      oidc_idp: [0, 0, 1],
      okta: [0, 0, 1],
      awsra: [0, 1, 0],
    });
  });

  test('an authority that is requested twice is the same one', async () => {
    const ask = async (): Promise<object> =>
      callAuth(cluster, bot, 'GetCertAuthorities', { type: 'okta' }, { service: TRUST_SERVICE });
    assert.deepEqual(await ask(), await ask());
  });

  const refusedAuthorities: readonly { name: string; request: object; code: status; details: RegExp }[] = [
    {
      name: 'private keys',
      request: { type: 'host', include_key: true },
      code: status.PERMISSION_DENIED,
      details: /^access denied/,
    },
    {
      name: 'an unknown type',
      request: { type: 'blockchain' },
      code: status.INVALID_ARGUMENT,
      details: /^"blockchain" authority type is not supported$/,
    },
  ];
  for (const { name, request, code, details } of refusedAuthorities) {
    test(`it refuses to list authorities with ${name}`, async () => {
      await assert.rejects(callAuth(cluster, bot, 'GetCertAuthorities', request, { service: TRUST_SERVICE }), {
        code,
        details,
      });
    });
  }

  test('one authority can be requested by its cluster', async () => {
    const service = TRUST_SERVICE;
    const answer = await callAuth(
      cluster,
      bot,
      'GetCertAuthority',
      { type: 'db', domain: 'leaf.example.com' },
      { service },
    );
    assert.match(JSON.stringify(answer), /"cluster_name":"leaf\.example\.com"/);
    await assert.rejects(callAuth(cluster, bot, 'GetCertAuthority', { type: 'db', domain: 'x' }, { service }), {
      code: status.NOT_FOUND,
    });
  });

  const versions: readonly { version: string; served: boolean }[] = [
    { version: '18.5.1', served: true },
    { version: '17.0.0', served: true },
    { version: '16.9.9', served: false },
    { version: 'newest', served: false },
  ];
  for (const { version, served } of versions) {
    test(`a client that reports version ${version} is ${served ? 'served' : 'refused'}`, async () => {
      const call = callAuth(cluster, bot, 'Ping', {}, { metadata: { version } });
      await (served ? call : assert.rejects(call, { details: 'client version is unsupported' }));
    });
  }

  test('a heartbeat is recorded, and an empty request is refused', async () => {
    const heartbeat = { recorded_at: inSeconds(0), hostname: 'job', one_shot: true };
    await callAuth(cluster, bot, 'SubmitHeartbeat', { heartbeat }, { service: HEARTBEAT_SERVICE });
    const [record] = cluster.records.of(`rpc:/${HEARTBEAT_SERVICE}/SubmitHeartbeat`);
    assert.match(JSON.stringify(record?.fields), /"hostname":"job"/);
    await assert.rejects(callAuth(cluster, bot, 'SubmitHeartbeat', {}, { service: HEARTBEAT_SERVICE }), {
      code: status.INVALID_ARGUMENT,
      details: 'heartbeat: must be non-nil',
    });
  });
});

test('a version that is older than an authority type does not support it', async () => {
  await withCluster({ teleport: '15.3.7' }, async (cluster) => {
    const bot = await joinLegacy(cluster);
    await assert.rejects(callAuth(cluster, bot, 'GetCertAuthorities', { type: 'okta' }, { service: TRUST_SERVICE }), {
      details: '"okta" authority type is not supported',
    });
  });
});

test('the connection is closed for an expired certificate', async () => {
  await withCluster({ faults: { joinCertificates: 'expired' } }, async (cluster) => {
    const bot = await joinByService(cluster);
    await assert.rejects(callAuth(cluster, bot, 'Ping', {}), { code: status.UNAVAILABLE });
    assert.match(cluster.records.all.at(-1)?.outcome ?? '', /CERT_HAS_EXPIRED/);
  });
});

function authProtocols(cluster: Cluster, bot: RawBot): string[] {
  return z.array(z.string()).parse(authRoute(cluster, bot).ALPNProtocols);
}
