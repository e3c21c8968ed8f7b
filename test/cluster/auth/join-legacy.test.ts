import assert from 'node:assert/strict';
import { createPublicKey, X509Certificate, type KeyObject } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import type { ConnectionOptions } from 'node:tls';
import { status } from '@grpc/grpc-js';
import { z } from 'zod';
import { inSeconds, sshLine } from './raw-auth.ts';
import { authRoute, CertsAnswer, joinLegacy, joinRoute, legacyBody, postJoin } from './raw-bot.ts';
import { RawClient } from '../proxy/raw-client.ts';
import { createKey } from '../crypto/keys.ts';
import { startCluster, type Cluster } from '../cluster.ts';
import { fromCertificate } from '../data/identity.ts';
import { withCluster } from '../temporary-cluster.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import { ownAuthority } from '../world.ts';
import { certificatePem } from '../crypto/x509.ts';

const ErrorBody = z.object({ error: z.object({ message: z.string().optional() }), message: z.string().optional() });

describe('the legacy join of a v15 cluster', () => {
  const directory = temporaryDirectory();
  let cluster: Cluster;
  let key: KeyObject;
  before(async () => {
    [cluster, key] = await Promise.all([startCluster({ dir: directory.path, teleport: '15.3.7' }), createKey('rsa')]);
  });
  after(async () => {
    await cluster.close();
    directory.remove();
  });

  test('a CircleCI job gets RSA-signed certificates for its RSA key, valid for an hour', async () => {
    const certificate = new X509Certificate((await joinLegacy(cluster, { key })).cert);
    assert.ok(certificate.publicKey.equals(createPublicKey(key)));
    assert.equal(fromCertificate(certificate.raw).userName, 'bot-ci');
    const leftMs = Date.parse(certificate.validTo) - Date.now();
    assert.ok(leftMs > 59 * 60_000 && leftMs <= 60 * 60_000, `${String(leftMs)} ms left`);
  });

  test('a longer lifetime is granted up to 24 hours', async () => {
    const expires = new Date(Date.now() + 48 * 3_600_000).toISOString();
    const reply = await postJoin(cluster, { ...(await legacyBody(cluster, { key })), expires });
    const { tls } = z.object({ tls: z.string() }).parse(JSON.parse(reply.body));
    const leftMs = Date.parse(new X509Certificate(Buffer.from(tls, 'base64')).validTo) - Date.now();
    assert.ok(leftMs > 23 * 3_600_000 && leftMs <= 24 * 3_600_000, `${String(leftMs)} ms left`);
  });

  const refusals: readonly {
    readonly name: string;
    readonly body: () => Promise<object> | object;
    readonly status: number;
    readonly text: RegExp;
  }[] = [
    {
      name: 'an unknown join token',
      body: () => legacyBody(cluster, { key, token: 'nowhere' }),
      status: 403,
      text: /^"" can not join the cluster with role "Bot", token expired or not found$/,
    },
    {
      name: 'an expired join token',
      body: () => legacyBody(cluster, { key, token: 'expired-token' }),
      status: 403,
      text: /token expired or not found$/,
    },
    {
      name: 'a join token for another role',
      body: () => legacyBody(cluster, { key, token: 'node-token' }),
      status: 400,
      text: /the token does not allow "Bot" role/,
    },
    {
      name: 'a join token of another OIDC method, without saying so',
      body: () => legacyBody(cluster, { key, token: 'github-bot' }),
      status: 403,
      text: /issued by a different provider, expected "https:\/\/token\.actions\.githubusercontent\.com"/,
    },
    {
      name: 'a join token of a method with its own endpoint',
      body: () => legacyBody(cluster, { key, token: 'iam-bot' }),
      status: 403,
      text: /only valid for the iam join method/,
    },
    {
      name: 'another project',
      body: async () => legacyBody(cluster, { key, idToken: await cluster.mint({ project: 'other' }) }),
      status: 403,
      text: /did not match any allow rules/,
    },
    {
      name: 'another context',
      body: async () => legacyBody(cluster, { key, idToken: await cluster.mint({ contexts: ['other'] }) }),
      status: 403,
      text: /did not match any allow rules/,
    },
    {
      name: 'an expired OIDC token',
      body: async () => legacyBody(cluster, { key, idToken: await cluster.mint({ expired: true }) }),
      status: 500,
      text: /oidc: token is expired \(Token Expiry: /,
    },
    {
      name: 'another audience',
      body: async () => legacyBody(cluster, { key, idToken: await cluster.mint({ audience: 'other' }) }),
      status: 500,
      text: /oidc: expected audience ".*" got \["other"\]/,
    },
    {
      name: 'no OIDC token',
      body: async () => ({ ...(await legacyBody(cluster, { key })), id_token: undefined }),
      status: 400,
      text: /^IDToken not provided for "circleci" join request$/,
    },
    {
      name: 'a key that is no base64 of Go',
      body: async () => ({ ...(await legacyBody(cluster, { key })), public_tls_key: 'LS0t_LS0' }),
      status: 400,
      text: /illegal base64 data/,
    },
  ];
  for (const { name, body, status, text } of refusals) {
    test(`it refuses ${name}`, async () => {
      const reply = await postJoin(cluster, await body());
      const { error, message } = ErrorBody.parse(JSON.parse(reply.body));
      assert.equal(reply.status, status);
      assert.match(message ?? '', text);
      // an error without a kind has its text next to an empty error
      assert.equal(error.message, status === 500 ? undefined : message);
    });
  }

  test('each certificate is for the key that was sent for it', async () => {
    const other = await createKey('ec');
    const { public_ssh_key: otherKey } = z
      .object({ public_ssh_key: z.string() })
      .parse(await legacyBody(cluster, { key: other }));
    const reply = await postJoin(cluster, { ...(await legacyBody(cluster, { key })), public_ssh_key: otherKey });
    assert.equal(reply.status, 200, reply.body);
    const { ssh, tls } = z.object({ ssh: z.string(), tls: z.string() }).parse(JSON.parse(reply.body));
    assert.ok(new X509Certificate(Buffer.from(tls, 'base64')).publicKey.equals(createPublicKey(key)));
    assert.match(Buffer.from(ssh, 'base64').toString(), /^ecdsa-sha2-nistp256-cert-v01@openssh\.com /);
  });

  test('a body of another content type is refused', async () => {
    const reply = await postJoin(cluster, {}, { 'Content-Type': 'text/plain' });
    assert.equal(reply.status, 400);
    assert.match(reply.body, /"message": "invalid request"/);
  });
});

test('a v18 cluster still serves the legacy join, with the newer texts', async () => {
  await withCluster({ teleport: '18.5.1' }, async (cluster) => {
    const key = await createKey('ec');
    assert.ok((await joinLegacy(cluster, { key })).cert);
    const idToken = await cluster.mint({ expired: true });
    const reply = await postJoin(cluster, await legacyBody(cluster, { key, idToken }));
    assert.match(reply.body, /token has expired/);
  });
});

describe('RegisterUsingToken', () => {
  const directory = temporaryDirectory();
  let cluster: Cluster;
  let key: KeyObject;
  before(async () => {
    [cluster, key] = await Promise.all([startCluster({ dir: directory.path, teleport: '17.5.0' }), createKey('ec')]);
  });
  after(async () => {
    await cluster.close();
    directory.remove();
  });

  const register = async (route: ConnectionOptions, changes: object = {}): Promise<object> => {
    const client = await RawClient.open(route);
    const publicKey = createPublicKey(key);
    const request = {
      role: 'Bot',
      token: cluster.info.joinToken,
      id_token: await cluster.mint(),
      public_tls_key: Buffer.from(publicKey.export({ type: 'spki', format: 'pem' })),
      public_ssh_key: Buffer.from(sshLine(publicKey)),
      expires: inSeconds(600),
      ...changes,
    };
    try {
      return await client.unary('proto.JoinService', 'RegisterUsingToken', request);
    } finally {
      await client.close();
    }
  };

  for (const { name, route } of [
    { name: 'the Proxy', route: () => joinRoute(cluster) },
    { name: 'Auth, without a certificate', route: () => authRoute(cluster, { ca: hostAuthority(cluster) }) },
  ]) {
    test(`at ${name}, a bot gets its certificates`, async () => {
      const { ssh, tls, tls_ca_certs: authorities } = CertsAnswer.parse(await register(route()));
      const certificate = new X509Certificate(tls);
      assert.equal(fromCertificate(certificate.raw).userName, 'bot-ci');
      assert.ok(Date.parse(certificate.validTo) - Date.now() <= 600_000);
      assert.match(ssh.toString(), /^ecdsa-sha2-nistp256-cert-v01@openssh\.com /);
      assert.equal(authorities.length, 2);
    });
  }

  for (const [name, changes, code, text] of [
    ['an unknown join token', { token: 'nowhere' }, status.PERMISSION_DENIED, /token expired or not found$/],
    ['another role', { role: 'Node' }, status.INVALID_ARGUMENT, /does not allow "Node" role$/],
    ['no token', { token: '' }, status.INVALID_ARGUMENT, /^missing parameter Token$/],
    ['no key', { public_tls_key: Buffer.alloc(0) }, status.INVALID_ARGUMENT, /^missing parameter PublicTLSKey$/],
    ['no OIDC token', { id_token: '' }, status.INVALID_ARGUMENT, /^IDToken not provided for/],
  ] as const) {
    test(`it refuses ${name} like the registration endpoint`, async () => {
      await assert.rejects(register(joinRoute(cluster), changes), { code, details: text });
    });
  }
});

for (const [name, options] of [
  ['a v16 cluster', { teleport: '16.5.0' }],
  ['a cluster that has given up the registration endpoint', { teleport: '19.0.0', registrationEndpoint: false }],
] as const) {
  test(`${name} does not have RegisterUsingToken`, async () => {
    await withCluster(options, async (cluster) => {
      const client = await RawClient.open(joinRoute(cluster));
      try {
        const answer = client.unary('proto.JoinService', 'RegisterUsingToken', {});
        await assert.rejects(answer, { code: status.UNIMPLEMENTED });
      } finally {
        await client.close();
      }
    });
  });
}

test('a cluster without the registration endpoint responds as for any unknown path, also as a pre-release', async () => {
  const options = { teleport: '19.0.0-alpha.1', registrationEndpoint: false };
  await withCluster(options, async (cluster) => {
    const reply = await postJoin(cluster, await legacyBody(cluster, { key: await createKey('ec') }));
    assert.equal(reply.status, 404);
    assert.deepEqual(JSON.parse(reply.body), {
      error: { message: 'path not found' },
      fields: { proxyVersion: { major: 19, minor: 0, patch: 0, preRelease: 'alpha.1', string: '19.0.0-alpha.1' } },
    });
    assert.deepEqual(cluster.records.kinds, ['unknown-route']);
  });
});

/** PEM. */
function hostAuthority(cluster: Cluster): string {
  return certificatePem(ownAuthority(cluster.world, 'host').tls.certificate);
}
