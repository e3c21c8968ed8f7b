import assert from 'node:assert/strict';
import { createPublicKey, X509Certificate, type KeyObject } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { createKey, keyPem } from '../crypto/keys.ts';
import { accessRequest, callAuth, generateUserCerts, inSeconds, sshLine } from './raw-auth.ts';
import { joinByService, joinLegacy, type RawBot } from './raw-bot.ts';
import { startCluster, type Cluster } from '../cluster.ts';
import { fromCertificate } from '../data/identity.ts';
import { withCluster } from '../temporary-cluster.ts';
import { temporaryDirectory } from '../temporary-directory.ts';

const MINUTE_MS = 60_000;

describe('GenerateUserCerts of a v18 cluster', () => {
  const directory = temporaryDirectory();
  let cluster: Cluster;
  let bot: RawBot;
  let key: KeyObject;
  before(async () => {
    cluster = await startCluster({ dir: directory.path, extraLogins: ['somebody'] });
    bot = await joinByService(cluster);
    key = await createKey('ec');
  });
  after(async () => {
    await cluster.close();
    directory.remove();
  });
  const ask = (
    changes: object,
  ): Promise<{ ssh: Buffer; tls: Buffer; tls_ca_certs: Buffer[]; ssh_ca_certs: Buffer[] }> =>
    generateUserCerts(cluster, bot, { ...accessRequest(key), ...changes });

  test('an impersonated identity has the roles, their logins and the bot behind it, and may not reissue', async () => {
    const { tls } = await ask({});
    const certificate = new X509Certificate(tls);
    const identity = fromCertificate(certificate.raw);

    assert.ok(certificate.publicKey.equals(createPublicKey(key)));
    assert.deepEqual(identity.roles, ['access']);
    assert.deepEqual([...identity.principals].sort(), ['-teleport-internal-join', 'ci', 'root', 'somebody']);
    assert.equal(identity.userName, 'bot-ci');
    assert.equal(identity.impersonator, 'bot-ci');
    assert.equal(identity.disallowReissue, true);
    assert.equal(identity.botInstanceId, fromCertificate(new X509Certificate(bot.cert).raw).botInstanceId);
    assert.equal(identity.routeToCluster, cluster.info.cluster);
  });

  test('the response contains the user authority and not the host authority', async () => {
    const { tls, tls_ca_certs: authorities, ssh_ca_certs: sshAuthorities } = await ask({});
    assert.equal(authorities.length, 1);
    assert.equal(sshAuthorities.length, 1);
    const authority = new X509Certificate(authorities[0] ?? '');
    assert.ok(new X509Certificate(tls).verify(authority.publicKey));
  });

  test('the identity has the Kubernetes users and groups of its roles, and is routed to a cluster on request', async () => {
    const unrouted = fromCertificate(new X509Certificate((await ask({})).tls).raw);
    assert.deepEqual(unrouted.kubernetes, { users: ['ci'], groups: ['viewers', 'developers'], cluster: undefined });
    const { tls } = await ask({ kubernetes_cluster: 'dev' });
    assert.equal(fromCertificate(new X509Certificate(tls).raw).kubernetes.cluster, 'dev');
  });

  test('an unknown Kubernetes cluster is refused, unless it may belong to a leaf', async () => {
    await assert.rejects(ask({ kubernetes_cluster: 'nowhere' }), { code: status.INVALID_ARGUMENT });
    const { tls } = await ask({ kubernetes_cluster: 'nowhere', route_to_cluster: 'leaf.example.com' });
    assert.equal(fromCertificate(new X509Certificate(tls).raw).kubernetes.cluster, 'nowhere');
  });

  test('an identity can be routed to a leaf cluster', async () => {
    const { tls } = await ask({ route_to_cluster: 'leaf.example.com' });
    assert.equal(fromCertificate(new X509Certificate(tls).raw).routeToCluster, 'leaf.example.com');
  });

  test('with allow_reissue, the identity can reissue certificates but not request roles', async () => {
    const { tls } = await ask({ reissuable_role_impersonation: true });
    assert.equal(fromCertificate(new X509Certificate(tls).raw).disallowReissue, false);
    const output = { cert: tls.toString(), key: keyPem(key), ca: bot.ca };
    const again = await generateUserCerts(cluster, output, {
      ...accessRequest(key),
      role_requests: [],
      use_role_requests: false,
    });
    assert.deepEqual(fromCertificate(new X509Certificate(again.tls).raw).roles, ['access']);
    await assert.rejects(generateUserCerts(cluster, output, accessRequest(key)), {
      details: 'access denied: impersonated roles can not request other roles',
    });
  });

  test('an identity that may not reissue is refused', async () => {
    const { tls } = await ask({});
    const output = { cert: tls.toString(), key: keyPem(key), ca: bot.ca };
    await assert.rejects(generateUserCerts(cluster, output, accessRequest(key)), {
      code: status.PERMISSION_DENIED,
      details: 'access denied: identity is not allowed to reissue certificates',
    });
  });

  test('a lifetime of more than 24 hours is shortened to 24 hours', async () => {
    const { tls } = await ask({ expires: inSeconds(30 * 3600) });
    assertExpiresIn(tls, 24 * 60 * MINUTE_MS);
  });

  test('a role with a short maximum session shortens the lifetime', async () => {
    const shortBot = await joinByService(cluster, { token: 'short-lived-bot' });
    const request = { ...accessRequest(key), username: 'bot-short-lived', role_requests: ['brief'] };
    assertExpiresIn((await generateUserCerts(cluster, shortBot, request)).tls, 10 * MINUTE_MS);
  });

  test('without a key, its certificate is not issued', async () => {
    assert.equal((await ask({ ssh_public_key: undefined })).ssh.length, 0);
    assert.equal((await ask({ tls_public_key: undefined })).tls.length, 0);
  });

  test('the single key of older clients is not read', async () => {
    const answer = await ask({
      public_key: Buffer.from(sshLine(createPublicKey(key))),
      ssh_public_key: undefined,
      tls_public_key: undefined,
    });
    assert.equal(answer.ssh.length + answer.tls.length, 0);
  });

  const refusals: readonly { name: string; changes: () => object; code: status; text: RegExp }[] = [
    {
      name: 'an expiry in the past',
      changes: () => ({ expires: inSeconds(-60) }),
      code: status.PERMISSION_DENIED,
      text: /client credentials have expired/,
    },
    {
      name: 'roles for another user',
      changes: () => ({ username: 'bot-other' }),
      code: status.PERMISSION_DENIED,
      text: /and added role requests\. This is not supported\./,
    },
    {
      name: 'role impersonation without roles',
      changes: () => ({ role_requests: [] }),
      code: status.INVALID_ARGUMENT,
      text: /^at least one role request is required$/,
    },
    {
      name: 'a role that does not exist',
      changes: () => ({ role_requests: ['access', 'nothing'] }),
      code: status.NOT_FOUND,
      text: /role nothing is not found/,
    },
    {
      name: 'a role that the bot may not impersonate',
      changes: () => ({ role_requests: ['access', 'admin'] }),
      code: status.PERMISSION_DENIED,
      text: /^user "bot-ci" has requested role impersonation for \["access" "admin"\]$/,
    },
    {
      name: 'an unknown usage',
      changes: () => ({ usage: 77 }),
      code: status.INVALID_ARGUMENT,
      text: /unsupported cert usage 77/,
    },
    {
      name: 'a route to an unknown cluster',
      changes: () => ({ route_to_cluster: 'elsewhere.example.com' }),
      code: status.NOT_FOUND,
      text: /remote cluster "elsewhere\.example\.com" is not found/,
    },
    {
      name: 'bytes that are no key',
      changes: () => ({ ssh_public_key: Buffer.from('ssh-rsa AAAA') }),
      code: status.INVALID_ARGUMENT,
      text: /failed to parse the SSH public key/,
    },
  ];
  for (const { name, changes, code, text } of refusals) {
    test(`it refuses ${name}`, async () => {
      await assert.rejects(ask(changes()), { code, details: text });
    });
  }

  test('the record contains the request', async () => {
    cluster.records.clear();
    await ask({ role_requests: ['deployer'] });
    const [record] = cluster.records.of('rpc:/proto.AuthService/GenerateUserCerts');
    assert.deepEqual(record?.fields.roles, ['deployer']);
    assert.deepEqual(record.fields.keys, { one: false, ssh: true, tls: true });
    assert.equal(record.outcome, 'ok');
    assert.equal(record.serverName, 'teleport.cluster.local');
  });
});

describe('the keys of GenerateUserCerts before v18', () => {
  const oneKey = (key: KeyObject): object => ({
    ...accessRequest(key),
    public_key: Buffer.from(sshLine(createPublicKey(key))),
    ssh_public_key: undefined,
    tls_public_key: undefined,
  });

  test('v15 reads only the single key', async () => {
    await withBot('15.3.7', async (cluster, bot) => {
      const key = await createKey('rsa');
      const { tls } = await generateUserCerts(cluster, bot, oneKey(key));
      assert.ok(new X509Certificate(tls).publicKey.equals(createPublicKey(key)));
      assert.equal(fromCertificate(new X509Certificate(tls).raw).botInstanceId, undefined);
      await assert.rejects(generateUserCerts(cluster, bot, accessRequest(key)), { code: status.INVALID_ARGUMENT });
    });
  });

  test('v17 reads one key or one for each certificate, and refuses both together', async () => {
    await withBot('17.7.1', async (cluster, bot) => {
      const key = await createKey('ec');
      assert.ok((await generateUserCerts(cluster, bot, oneKey(key))).ssh.length > 0);
      assert.ok((await generateUserCerts(cluster, bot, accessRequest(key))).ssh.length > 0);
      const both = { ...oneKey(key), ...accessRequest(key) };
      await assert.rejects(callAuth(cluster, bot, 'GenerateUserCerts', both), { code: status.INVALID_ARGUMENT });
    });
  });
});

/** The lifetime is counted from the request, so a little less than requested is left. */
function assertExpiresIn(certificate: Buffer, lifetimeMs: number): void {
  const leftMs = Date.parse(new X509Certificate(certificate).validTo) - Date.now();
  assert.ok(leftMs <= lifetimeMs && leftMs > lifetimeMs - MINUTE_MS, `${String(leftMs)} ms left`);
}

function withBot(teleport: string, check: (cluster: Cluster, bot: RawBot) => Promise<void>): Promise<void> {
  return withCluster({ teleport }, async (cluster) => check(cluster, await joinLegacy(cluster)));
}
