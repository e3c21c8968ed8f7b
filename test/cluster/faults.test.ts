import assert from 'node:assert/strict';
import { createPublicKey, X509Certificate } from 'node:crypto';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { createKey } from './crypto/keys.ts';
import { accessRequest, callAuth, generateUserCerts } from './auth/raw-auth.ts';
import { authRoute, joinByService, requestWeb, webAddress, type RawBot } from './auth/raw-bot.ts';
import { dialTls } from './proxy/raw-client.ts';
import { startCluster, type Cluster } from './cluster.ts';
import type { CertificateFault, Faults } from './faults.ts';
import { fromCertificate } from './data/identity.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const GENERATE = 'rpc:/proto.AuthService/GenerateUserCerts';

/** Long enough for any response of this cluster. */
const SILENCE_MS = 150;

describe('a cluster that misbehaves', () => {
  const directory = temporaryDirectory();
  let cluster: Cluster;
  let bot: RawBot;
  before(async () => {
    cluster = await startCluster({ dir: directory.path });
    bot = await joinByService(cluster);
  });
  beforeEach(() => {
    const healthy: Faults = {
      replies: {},
      proxyConnections: undefined,
      authConnections: undefined,
      authCertificate: undefined,
    };
    Object.assign(cluster.faults, healthy);
  });
  after(async () => {
    await cluster.close();
    directory.remove();
  });
  const ping = (): ReturnType<typeof requestWeb> => requestWeb(cluster, 'GET', '/webapi/ping');

  test('truncates an HTTP response with a Content-Length', async () => {
    cluster.faults.replies = { ping: 'truncated' };
    await assert.rejects(ping(), { code: 'ECONNRESET' });
  });

  test('sends megabytes', async () => {
    cluster.faults.replies = { ping: 'oversized' };
    assert.equal((await ping()).body.length, 32 * 1024 * 1024);
  });

  test('responds with a page instead of JSON', async () => {
    cluster.faults.replies = { ping: 'not-json' };
    const reply = await ping();
    assert.equal(reply.status, 200);
    assert.match(reply.body, /^<html>/);
  });

  test('is unavailable, or resets the connection', async () => {
    cluster.faults.replies = { ping: 'unavailable' };
    assert.equal((await ping()).status, 503);
    cluster.faults.replies = { ping: 'reset' };
    await assert.rejects(ping(), { code: 'ECONNRESET' });
  });

  test('resets the join service, so that a client falls back', async () => {
    cluster.faults.replies = { 'join-service': 'reset' };
    await assert.rejects(joinByService(cluster), { code: status.UNAVAILABLE });
  });

  const rpcFaults = [
    { fault: 'truncated', code: status.INTERNAL },
    { fault: 'not-json', code: status.INTERNAL },
    { fault: 'oversized', code: status.RESOURCE_EXHAUSTED },
    { fault: 'reset', code: status.UNAVAILABLE },
    { fault: 'unavailable', code: status.UNAVAILABLE },
  ] as const;
  for (const { fault, code } of rpcFaults) {
    test(`answers an RPC with a response that is ${fault}`, async () => {
      cluster.faults.replies = { [GENERATE]: fault };
      const request = accessRequest(await createKey('ec'));
      await assert.rejects(callAuth(cluster, bot, 'GenerateUserCerts', request), { code });
      await callAuth(cluster, bot, 'Ping', {});
    });
  }

  const silences: readonly { name: string; faults: Partial<Faults>; call: () => Promise<unknown> }[] = [
    { name: 'after TCP at the Proxy', faults: { proxyConnections: 'silent-after-tcp' }, call: ping },
    { name: 'after TLS at the Proxy', faults: { proxyConnections: 'silent-after-tls' }, call: ping },
    { name: 'on a ping', faults: { replies: { ping: 'silent' } }, call: ping },
    {
      name: 'on the join service',
      faults: { replies: { 'join-service': 'silent' } },
      call: () => joinByService(cluster),
    },
    {
      name: 'after TCP at Auth',
      faults: { authConnections: 'silent-after-tcp' },
      call: () => callAuth(cluster, bot, 'Ping', {}),
    },
    {
      name: 'on an RPC',
      faults: { replies: { 'rpc:/proto.AuthService/Ping': 'silent' } },
      call: () => callAuth(cluster, bot, 'Ping', {}),
    },
  ];
  for (const { name, faults, call } of silences) {
    test(`is silent ${name}`, async () => {
      Object.assign(cluster.faults, faults);
      const answered = call().then(
        () => 'answered',
        () => 'failed',
      );
      assert.equal(await Promise.race([answered, delay(SILENCE_MS, 'silent')]), 'silent');
    });
  }

  const authCertificates = [
    { fault: 'of-other-authority', code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' },
    { fault: 'of-user-authority', code: 'SELF_SIGNED_CERT_IN_CHAIN' },
    { fault: 'expired', code: 'CERT_HAS_EXPIRED' },
    { fault: 'not-yet-valid', code: 'CERT_NOT_YET_VALID' },
  ] as const;
  for (const { fault, code } of authCertificates) {
    test(`presents an Auth certificate that is ${fault}`, async () => {
      cluster.faults.authCertificate = fault;
      await assert.rejects(dialTls(authRoute(cluster, bot)), { code });
      (await dialTls(webAddress(cluster))).destroy();
    });
  }
});

describe('a cluster that issues the wrong certificates', () => {
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
  const issue = async (fault: CertificateFault): Promise<{ certificate: X509Certificate; ownKey: boolean }> => {
    const key = await createKey('ec');
    cluster.faults.outputCertificates = fault;
    const { tls } = await generateUserCerts(cluster, bot, accessRequest(key));
    const certificate = new X509Certificate(tls);
    return { certificate, ownKey: certificate.publicKey.equals(createPublicKey(key)) };
  };

  test('certifies a key that was not requested', async () => {
    assert.equal((await issue('for-other-key')).ownKey, false);
    assert.equal((await issue('tls-for-other-key')).ownKey, false);
    assert.equal((await issue('ssh-for-other-key')).ownKey, true);
  });

  test('issues as another cluster, for another user, for other roles', async () => {
    assert.match((await issue('of-other-cluster')).certificate.issuer, /O=leaf\.example\.com/);
    assert.equal(fromCertificate((await issue('for-other-user')).certificate.raw).userName, 'bot-somebody-else');
    assert.deepEqual(fromCertificate((await issue('for-other-roles')).certificate.raw).roles, ['auditor']);
  });

  test('issues certificates that have expired or are not valid yet', async () => {
    assert.ok(Date.parse((await issue('expired')).certificate.validTo) < Date.now());
    assert.ok(Date.parse((await issue('not-yet-valid')).certificate.validFrom) > Date.now());
  });

  test('issues certificates with a shorter lifetime than requested', async () => {
    cluster.faults.outputCertificates = undefined;
    cluster.faults.maxTtlMs = 60_000;
    const { tls } = await generateUserCerts(cluster, bot, accessRequest(await createKey('ec')));
    assert.ok(Date.parse(new X509Certificate(tls).validTo) <= Date.now() + 60_000);
  });
});
