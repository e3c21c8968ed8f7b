import assert from 'node:assert/strict';
import { createPublicKey, X509Certificate } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import type { ConnectionOptions } from 'node:tls';
import { status } from '@grpc/grpc-js';
import { z } from 'zod';
import { createKey } from '../crypto/keys.ts';
import { authRoute, joinByService, joinMessages, joinRoute, type JoinWish } from './raw-bot.ts';
import { RawClient } from '../proxy/raw-client.ts';
import { startCluster, type Cluster } from '../cluster.ts';
import { fromCertificate } from '../data/identity.ts';
import { withCluster } from '../temporary-cluster.ts';
import { temporaryDirectory } from '../temporary-directory.ts';

const JOIN_SERVICE = 'teleport.join.v1.JoinService';

describe('the join service of a v18 cluster', () => {
  const directory = temporaryDirectory();
  let cluster: Cluster;
  before(async () => {
    cluster = await startCluster({ dir: directory.path });
  });
  after(async () => {
    await cluster.close();
    directory.remove();
  });

  test('a CircleCI job gets a certificate for its own key, with the bot identity in its subject', async () => {
    const key = await createKey('ec');
    const certificate = new X509Certificate((await joinByService(cluster, { key })).cert);

    assert.ok(certificate.publicKey.equals(createPublicKey(key)));
    const identity = fromCertificate(certificate.raw);
    assert.equal(identity.userName, 'bot-ci');
    assert.deepEqual(identity.roles, ['bot-ci']);
    assert.match(identity.botInstanceId ?? '', /^[0-9a-f-]{36}$/);
    assert.match(identity.joinAttributes ?? '', /"join_token_name":"circleci-bot"/);
    assert.equal(identity.disallowReissue, false);
  });

  test('the record of a join contains the request without the token', async () => {
    cluster.records.clear();
    const idToken = await cluster.mint();
    await joinByService(cluster, { idToken });

    const [record] = cluster.records.of('join-service');
    assert.equal(record?.outcome, 'ok');
    assert.equal(record.fields.token, 'circleci-bot');
    assert.deepEqual(record.alpn, ['teleport-proxy-grpc', 'h2']);
    assert.equal(JSON.stringify(cluster.records.all).includes(idToken), false);
  });

  const refusals: readonly {
    readonly name: string;
    readonly wish: () => Promise<JoinWish>;
    readonly code: status;
    readonly text: RegExp;
  }[] = [
    {
      name: 'an unknown join token',
      wish: () => Promise.resolve({ token: 'nowhere' }),
      code: status.PERMISSION_DENIED,
      text: /^token expired or not found$/,
    },
    {
      name: 'an expired join token',
      wish: () => Promise.resolve({ token: 'expired-token' }),
      code: status.PERMISSION_DENIED,
      text: /^token expired or not found$/,
    },
    {
      name: 'a join token of another method',
      wish: () => Promise.resolve({ token: 'github-bot' }),
      code: status.INVALID_ARGUMENT,
      text: /requested join method circleci, provision token only supports method github/,
    },
    {
      name: 'a join token for another role',
      wish: () => Promise.resolve({ token: 'node-token' }),
      code: status.INVALID_ARGUMENT,
      text: /the token does not allow role Bot/,
    },
    {
      name: 'another project',
      wish: async () => ({ idToken: await cluster.mint({ project: 'ffffffff-0000-4000-8000-000000000000' }) }),
      code: status.PERMISSION_DENIED,
      text: /did not match any allow rules/,
    },
    {
      name: 'the right project in another context, since a rule needs both',
      wish: async () => ({ idToken: await cluster.mint({ contexts: [] }) }),
      code: status.PERMISSION_DENIED,
      text: /did not match any allow rules/,
    },
    {
      name: 'an expired OIDC token',
      wish: async () => ({ idToken: await cluster.mint({ expired: true }) }),
      code: status.UNKNOWN,
      text: /token has expired/,
    },
    {
      name: 'an OIDC token that is not valid yet',
      wish: async () => ({ idToken: await cluster.mint({ notYetValid: true }) }),
      code: status.UNKNOWN,
      text: /issuedAt of token is in the future/,
    },
    {
      name: 'another audience',
      wish: async () => ({ idToken: await cluster.mint({ audience: 'sts.amazonaws.com' }) }),
      code: status.UNKNOWN,
      text: /Audience must contain client_id/,
    },
    {
      name: 'several audiences without an authorized party',
      wish: async () => ({ idToken: await cluster.mint({ audience: [cluster.info.organizationId, 'other'] }) }),
      code: status.UNKNOWN,
      text: /authorized party is not set/,
    },
    {
      name: 'the issuer of a CircleCI server',
      wish: async () => ({ idToken: await cluster.mint({ issuer: 'https://circleci.example.com/org/x' }) }),
      code: status.UNKNOWN,
      text: /issuer does not match: Expected: https:\/\/oidc\.circleci\.com\/org\//,
    },
    {
      name: 'a token with a changed signature',
      wish: async () => ({ idToken: (await cluster.mint()).replace(/\.[^.]+$/, `.${'A'.repeat(342)}`) }),
      code: status.UNKNOWN,
      text: /invalid signature/,
    },
    {
      name: 'what is no JWT',
      wish: () => Promise.resolve({ idToken: 'hello' }),
      code: status.UNKNOWN,
      text: /parsing of request failed/,
    },
    {
      name: 'no OIDC token',
      wish: () => Promise.resolve({ idToken: '' }),
      code: status.PERMISSION_DENIED,
      text: /IDToken is required/,
    },
  ];
  for (const refusal of refusals) {
    test(`it refuses ${refusal.name}`, async () => {
      await assert.rejects(joinByService(cluster, await refusal.wish()), { code: refusal.code, details: refusal.text });
    });
  }

  test(
    'a client that ends its side after the first response gets its response at once',
    { timeout: 10_000 },
    async () => {
      const init = { token_name: cluster.info.joinToken, system_role: 'Bot' };
      await assert.rejects(converse(cluster, [{ client_init: init }]), { code: status.UNKNOWN, details: 'EOF' });
    },
  );

  test('a client that claims to be a Proxy is refused by Auth if it has a certificate, and ignored otherwise', async () => {
    const bot = await joinByService(cluster);
    const [first = {}, second = {}] = await joinMessages(cluster, { key: await createKey('ec') });
    const { client_init: init } = z.object({ client_init: z.object({}).loose() }).parse(first);
    for (const [claim, code] of [
      [{ forwarded_by_proxy: true }, status.INVALID_ARGUMENT],
      [{ proxy_supplied_parameters: { remote_addr: '192.0.2.1' } }, status.PERMISSION_DENIED],
    ] as const) {
      const messages = [{ client_init: { ...init, ...claim } }, second];
      await assert.rejects(converse(cluster, messages, authRoute(cluster, bot)), { code });
      assert.equal((await converse(cluster, messages)).length, 2);
      assert.equal((await converse(cluster, messages, authRoute(cluster, { ca: bot.ca }))).length, 2);
    }
  });

  test('a client that sends no method gets the method and the suite from the server', async () => {
    const answers = await converse(cluster, [
      { client_init: { token_name: cluster.info.joinToken, system_role: 'Bot' } },
      (await joinMessages(cluster, { key: await createKey('ec') }))[1] ?? {},
    ]);
    assert.deepEqual(answers[0], {
      init: { join_method: 'circleci', signature_algorithm_suite: 'balanced-v1' },
      payload: 'init',
    });
  });
});

test('a v18 cluster whose join service does not support CircleCI refuses after sending the method', async () => {
  await withCluster({ teleport: '18.2.4' }, async (cluster) => {
    await assert.rejects(joinByService(cluster), {
      code: status.UNIMPLEMENTED,
      details: 'join method circleci is not implemented',
    });
    assert.equal(cluster.records.of('join-service').length, 1);
  });
});

test('a v17 cluster accepts the ALPN name but has no join service', async () => {
  await withCluster({ teleport: '17.7.1' }, async (cluster) => {
    await assert.rejects(joinByService(cluster), { code: status.UNIMPLEMENTED });
    assert.deepEqual(cluster.records.of('join-service'), []);
  });
});

async function converse(
  cluster: Cluster,
  messages: readonly object[],
  route: ConnectionOptions = joinRoute(cluster),
): Promise<object[]> {
  const client = await RawClient.open(route);
  try {
    return await client.converse(JOIN_SERVICE, 'Join', messages);
  } finally {
    await client.close();
  }
}
