import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { z } from 'zod';
import { accessRequest, callAuth, generateUserCerts } from './raw-auth.ts';
import { authRoute, joinByService, joinLegacy, type RawBot } from './raw-bot.ts';
import { RawClient } from '../proxy/raw-client.ts';
import { startCluster, type Cluster } from '../cluster.ts';
import { createKey, keyPem } from '../crypto/keys.ts';
import { withCluster } from '../temporary-cluster.ts';
import { temporaryDirectory } from '../temporary-directory.ts';

const USERS_SERVICE = 'teleport.users.v1.UsersService';
const CONFIG_SERVICE = 'teleport.clusterconfig.v1.ClusterConfigService';
const PRESENCE_SERVICE = 'teleport.presence.v1.PresenceService';

const Named = z.object({ metadata: z.object({ name: z.string(), labels: z.record(z.string(), z.string()) }) });
const User = Named.extend({ spec: z.object({ roles: z.array(z.string()) }) });
const RemoteClusters = z.object({
  remote_clusters: z.array(Named.extend({ status: z.object({ connection: z.string() }) })),
  next_page_token: z.string(),
});

describe('calls for facts about the client itself and the cluster', () => {
  const directory = temporaryDirectory();
  let cluster: Cluster;
  let bot: RawBot;
  let access: RawBot;
  let deployer: RawBot;
  before(async () => {
    cluster = await startCluster({ dir: directory.path });
    bot = await joinByService(cluster);
    [access, deployer] = await Promise.all([withRole('access'), withRole('deployer')]);
  });
  after(async () => {
    await cluster.close();
    directory.remove();
  });

  const withRole = async (role: string): Promise<RawBot> => {
    const key = await createKey('ec');
    const { tls } = await generateUserCerts(cluster, bot, { ...accessRequest(key), role_requests: [role] });
    return { ...bot, cert: tls.toString(), key: keyPem(key) };
  };

  test("GetCurrentUser and GetUser return the certificate's user with the certificate's roles", async () => {
    const older = User.parse(await callAuth(cluster, access, 'GetCurrentUser', {}));
    assert.equal(older.metadata.name, 'bot-ci');
    assert.deepEqual(older.spec.roles, ['access']);
    assert.equal(older.metadata.labels['teleport.internal/bot'], 'ci');
    for (const request of [{ current_user: true }, { name: 'bot-ci' }]) {
      const answer = await callAuth(cluster, access, 'GetUser', request, { service: USERS_SERVICE });
      assert.deepEqual(z.object({ user: User }).parse(answer).user, older);
    }
  });

  test("GetUser returns only the caller's own user, without secrets", async () => {
    for (const request of [{ name: 'alice' }, { name: 'bot-ci', with_secrets: true }, {}]) {
      await assert.rejects(callAuth(cluster, access, 'GetUser', request, { service: USERS_SERVICE }), {
        code: status.PERMISSION_DENIED,
      });
    }
  });

  test('GetCurrentUserRoles streams each role of the certificate, then ends', async () => {
    const client = await RawClient.open(authRoute(cluster, deployer));
    try {
      const roles = await client.list('proto.AuthService', 'GetCurrentUserRoles', {});
      assert.deepEqual(
        roles.map((role) => Named.parse(role).metadata.name),
        ['deployer'],
      );
    } finally {
      await client.close();
    }
  });

  test('GetDomainName returns the name of the cluster to every client', async () => {
    const answer = await callAuth(cluster, { ca: bot.ca }, 'GetDomainName', {});
    assert.deepEqual(answer, { domain_name: cluster.info.cluster });
  });

  const Preference = z.object({
    kind: z.string(),
    spec: z.object({ type: z.string(), signature_algorithm_suite: z.number() }),
  });
  for (const options of [{}, { service: CONFIG_SERVICE }]) {
    test(`GetAuthPreference of ${options.service ?? 'the older service'} returns how users log in`, async () => {
      const { kind, spec } = Preference.parse(await callAuth(cluster, bot, 'GetAuthPreference', {}, options));
      assert.deepEqual(
        { kind, ...spec },
        { kind: 'cluster_auth_preference', type: 'local', signature_algorithm_suite: 2 },
      );
    });

    test(`GetClusterNetworkingConfig of ${options.service ?? 'the older service'} requires a role with a rule`, async () => {
      const answer = await callAuth(cluster, access, 'GetClusterNetworkingConfig', {}, options);
      const { spec } = z.object({ spec: z.object({ proxy_listener_mode: z.number() }) }).parse(answer);
      assert.equal(spec.proxy_listener_mode, 1);
      await assert.rejects(callAuth(cluster, deployer, 'GetClusterNetworkingConfig', {}, options), {
        code: status.PERMISSION_DENIED,
        details: 'access denied to perform action "read" on "cluster_networking_config"',
      });
    });
  }

  test('ListRemoteClusters and GetRemoteCluster return the leaf clusters', async () => {
    const options = { service: PRESENCE_SERVICE };
    const answer = await callAuth(cluster, access, 'ListRemoteClusters', { page_size: 1 }, options);
    const { next_page_token: next, remote_clusters: found } = RemoteClusters.parse(answer);
    assert.deepEqual(
      found.map(({ metadata, status: { connection } }) => [metadata.name, connection]),
      [['leaf.example.com', 'online']],
    );
    assert.equal(next, '');
    const one = await callAuth(cluster, access, 'GetRemoteCluster', { name: 'leaf.example.com' }, options);
    assert.equal(Named.parse(one).metadata.name, 'leaf.example.com');
    await assert.rejects(callAuth(cluster, access, 'GetRemoteCluster', {}, options), { code: status.INVALID_ARGUMENT });
    const unknown = callAuth(cluster, access, 'GetRemoteCluster', { name: 'elsewhere' }, options);
    await assert.rejects(unknown, { code: status.NOT_FOUND });
  });

  test('the other calls need a client certificate', async () => {
    for (const method of ['GetCurrentUser', 'GetAuthPreference', 'GetClusterNetworkingConfig']) {
      await assert.rejects(callAuth(cluster, { ca: bot.ca }, method, {}), { code: status.PERMISSION_DENIED });
    }
  });
});

test('a v15 cluster has only the older forms', async () => {
  await withCluster({ teleport: '15.3.7' }, async (cluster) => {
    const bot = await joinLegacy(cluster);
    assert.equal(User.parse(await callAuth(cluster, bot, 'GetCurrentUser', {})).metadata.name, 'bot-ci');
    for (const [service, method] of [
      [CONFIG_SERVICE, 'GetAuthPreference'],
      [PRESENCE_SERVICE, 'ListRemoteClusters'],
    ] as const) {
      await assert.rejects(callAuth(cluster, bot, method, {}, { service }), { code: status.UNIMPLEMENTED });
    }
  });
});
