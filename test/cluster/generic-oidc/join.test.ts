import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { startCluster, type Cluster } from '../cluster.ts';
import { authRoute, joinByService, joinMessages, joinRoute, postJoin, legacyBody } from '../auth/raw-bot.ts';
import { createKey } from '../crypto/keys.ts';
import { BOT_NAME, CONTEXT_ID, ORGANIZATION_ID } from '../data/data.ts';
import { fromCertificate } from '../data/identity.ts';
import { tctlCreate } from '../data/tctl.ts';
import type { MintOptions } from '../issuer/mint.ts';
import { RawClient } from '../proxy/raw-client.ts';
import { withCluster } from '../temporary-cluster.ts';
import { temporaryDirectory } from '../temporary-directory.ts';

const CLOUD = `https://oidc.circleci.com/org/${ORGANIZATION_ID}`;
const AUDIENCE = 'example.teleport.sh/deploy';
const FIELDS = {
  'oidc.circleci.com/vcs-ref': 'refs/heads/main',
  'oidc.circleci.com/ssh-rerun': false,
};
const IN_CONTEXT = `contains_any(set(claims["oidc.circleci.com/context-ids"]), set("${CONTEXT_ID}"))`;

/** The document of a token, in JSON. */
function token(name: string, generic: object = {}, spec: object = {}): string {
  return JSON.stringify({
    kind: 'token',
    version: 'v2',
    metadata: { name },
    spec: {
      roles: ['Bot'],
      join_method: 'generic_oidc',
      bot_name: BOT_NAME,
      generic_oidc: { issuer: CLOUD, audience: AUDIENCE, must_match_fields: FIELDS, ...generic },
      ...spec,
    },
  });
}

const expression = (text: string): object => ({ must_match_fields: null, allow_any: [{ expression: text }] });

const TOKENS = [
  token('deploy'),
  token('context', { allow_any: [{ expression: IN_CONTEXT }] }),
  token('syntax', expression('claims.sub ==')),
  token('nil', expression('claims["absent"] == "x"')),
  token('unmodelled', expression('strings.split(set("a"), "b").contains("a")')),
  token('node', {}, { roles: ['Node'], bot_name: '' }),
  token('unreachable', { issuer: 'https://localhost:1/org/x' }),
  token('elsewhere', { issuer: 'https://ci.example.com/org/x' }),
];

const DAY_SECONDS = 24 * 60 * 60;
const now = (): number => Math.floor(Date.now() / 1000);

interface Attempt {
  readonly token?: string;
  readonly mint?: MintOptions;
  readonly idToken?: string;
  /** False leaves it to the server. */
  readonly method?: string | false;
  readonly role?: string;
}

async function messages(cluster: Cluster, attempt: Attempt): Promise<object[]> {
  const name = attempt.token ?? 'deploy';
  const idToken = attempt.idToken ?? (await cluster.mint({ audience: AUDIENCE, ...attempt.mint }));
  const [, second = {}] = await joinMessages(cluster, { token: name, idToken, key: await createKey('ec') });
  const method = attempt.method === false ? {} : { join_method: attempt.method ?? 'generic_oidc' };
  return [{ client_init: { ...method, token_name: name, system_role: attempt.role ?? 'Bot' } }, second];
}

async function attempt(cluster: Cluster, options: Attempt, route = joinRoute(cluster)): Promise<object[]> {
  const client = await RawClient.open(route);
  try {
    return await client.converse('teleport.join.v1.JoinService', 'Join', await messages(cluster, options));
  } finally {
    await client.close();
  }
}

const MASKED = { code: status.PERMISSION_DENIED, details: 'unable to join via generic_oidc' };

/** Also checks that the client gets nothing but the mask. */
async function reasonOf(cluster: Cluster, options: Attempt): Promise<string> {
  cluster.log.clear();
  await assert.rejects(attempt(cluster, options), MASKED);
  const [entry, ...others] = cluster.log.all;
  assert.deepEqual(others, []);
  assert.equal(entry?.level, 'WARN');
  assert.equal(entry.message, 'denying generic_oidc join attempt');
  return entry.error;
}

for (const teleport of ['18.11.0', '19.0.0']) {
  describe(`joining ${teleport} with generic_oidc`, () => {
    const directory = temporaryDirectory();
    let cluster: Cluster;
    before(async () => {
      cluster = await startCluster({ dir: directory.path, teleport, tokens: TOKENS });
    });
    after(async () => {
      await cluster.close();
      directory.remove();
    });

    test('a job that the rules admit gets a certificate, whether the client names the method or not', async () => {
      for (const method of ['generic_oidc', false] as const) {
        const answers = await attempt(cluster, { method });
        assert.deepEqual(answers[0], {
          init: { join_method: 'generic_oidc', signature_algorithm_suite: 'balanced-v1' },
          payload: 'init',
        });
        assert.equal(answers.length, 2);
      }
      assert.deepEqual(cluster.log.all, []);
    });

    test('the certificate contains the claims', async () => {
      const idToken = await cluster.mint({ audience: AUDIENCE });
      const bot = await joinByService(cluster, { token: 'deploy', idToken, method: 'generic_oidc' });
      const { joinAttributes = '', roles } = fromCertificate(new X509Certificate(bot.cert).raw);
      assert.deepEqual(roles, ['bot-ci']);
      assert.match(joinAttributes, /"join_method":"generic_oidc"/);
      assert.match(joinAttributes, /"oidc\.circleci\.com\/vcs-ref":"refs\/heads\/main"/);
    });

    test('both forms of the token, audiences in a list of one, and further entries of the list by azp are admitted', async () => {
      await attempt(cluster, { mint: { form: 'v2' } });
      await attempt(cluster, { mint: { audience: [AUDIENCE] } });
      await attempt(cluster, { mint: { audience: ['x', AUDIENCE], claims: { azp: 'anything' } } });
      await attempt(cluster, { token: 'context' });
    });

    const unmasked: readonly (readonly [string, Attempt, status, string])[] = [
      ['an unknown token', { token: 'nowhere' }, status.PERMISSION_DENIED, 'token expired or not found'],
      [
        'a token of another method',
        { token: 'circleci-bot' },
        status.INVALID_ARGUMENT,
        'client requested join method generic_oidc, provision token only supports method circleci',
      ],
      [
        'a client of another method, before its role',
        { method: 'circleci', role: 'Node' },
        status.INVALID_ARGUMENT,
        'client requested join method circleci, provision token only supports method generic_oidc',
      ],
      [
        'a token for another role',
        { token: 'node' },
        status.INVALID_ARGUMENT,
        'can not join the cluster, the token does not allow role Bot',
      ],
    ];
    for (const [name, options, code, details] of unmasked) {
      test(`it refuses ${name} before the JWT, with the reason`, async () => {
        await assert.rejects(attempt(cluster, options), { code, details });
      });
    }

    const masked: readonly (readonly [string, () => Attempt, RegExp])[] = [
      [
        'another branch',
        () => ({ mint: { vcsRef: 'refs/heads/x' } }),
        /must be "refs\/heads\/main" but got refs\/heads\/x$/,
      ],
      ['a rerun with SSH', () => ({ mint: { sshRerun: true } }), /ssh-rerun must be false but got true$/],
      [
        'a custom webhook',
        () => ({ mint: { withoutVcs: true } }),
        /claims missing expected key: oidc\.circleci\.com\/vcs-ref$/,
      ],
      [
        'another context',
        () => ({ token: 'context', mint: { contexts: ['x'] } }),
        /claims matched no allow_any rules$/,
      ],
      [
        'contexts that are null',
        () => ({ token: 'context', mint: { claims: { 'oidc.circleci.com/context-ids': null } } }),
        /allow_any\[0\]: [^]*unsupported set element type, got: <nil>$/,
      ],
      [
        'a syntax error in an expression',
        () => ({ token: 'syntax' }),
        /allow_any\[0\]: evaluating allow expression[^]*expected operand, found 'EOF'$/,
      ],
      [
        'an expression that the cluster does not model',
        () => ({ token: 'unmodelled' }),
        /^the embedded cluster does not model the function strings\.split/,
      ],
      [
        'another audience',
        () => ({ mint: { audience: 'x' } }),
        /^validating via oidc\n\tvalidating OIDC token\n\t\tverifying token\n\t\t\taudience is not valid: Audience must contain client_id "example/,
      ],
      ['no audience', () => ({ mint: { claims: { aud: null } } }), /audience is not valid/],
      ['several audiences without azp', () => ({ mint: { audience: [AUDIENCE, 'x'] } }), /authorized party is not set/],
      [
        'another issuer',
        () => ({ mint: { issuer: `${CLOUD}x` } }),
        /issuer does not match: Expected: https:\/\/oidc\.circleci\.com\/org\/[^ ]+, got: /,
      ],
      ['the root issuer', () => ({ mint: { issuer: 'https://oidc.circleci.com' } }), /issuer does not match/],
      ['an expired JWT', () => ({ mint: { expired: true } }), /token has expired$/],
      ['a JWT that expires within the second', () => ({ mint: { claims: { exp: now() + 1 } } }), /token has expired$/],
      ['a JWT without exp', () => ({ mint: { claims: { exp: null } } }), /token has expired$/],
      [
        'a JWT issued in ten seconds',
        () => ({ mint: { claims: { iat: now() + 10 } } }),
        /issuedAt of token is in the future$/,
      ],
      ['a JWT without iat', () => ({ mint: { claims: { iat: null } } }), /issuedAt of token is missing$/],
      ['a JWT without sub', () => ({ mint: { claims: { sub: null } } }), /subject missing$/],
      ['a nonce', () => ({ mint: { claims: { nonce: 'n' } } }), /nonce does not match/],
      ['a JWT without kid', () => ({ mint: { keyId: false } }), /invalid signature \(.*kid/],
      ["another issuer's key", () => ({ mint: { server: true, issuer: CLOUD } }), /invalid signature \(.*kid/],
      ['what is no JWT', () => ({ idToken: 'hello' }), /parsing of request failed/],
      [
        'an unreachable issuer',
        () => ({ token: 'unreachable' }),
        /OpenID Provider Configuration Discovery has failed\n.*ECONNREFUSED/,
      ],
      [
        'an issuer outside this machine',
        () => ({ token: 'elsewhere' }),
        /Discovery has failed\n.*lookup ci\.example\.com: no such host/,
      ],
    ];
    for (const [name, options, reason] of masked) {
      test(`it refuses ${name}, with the reason in its log alone`, async () => {
        assert.match(await reasonOf(cluster, options()), reason);
      });
    }

    test('a changed signature is refused', async () => {
      const idToken = (await cluster.mint({ audience: AUDIENCE })).replace(/\.[^.]+$/, `.${'A'.repeat(342)}`);
      assert.match(await reasonOf(cluster, { idToken }), /invalid signature/);
    });

    test('nbf is not read, and iat may be a second ahead', async () => {
      await attempt(cluster, { mint: { claims: { nbf: now() + DAY_SECONDS } } });
      await attempt(cluster, { mint: { claims: { iat: now() + 1 } } });
    });

    test('without a JWT it is refused with the reason', async () => {
      await assert.rejects(attempt(cluster, { idToken: '' }), {
        code: status.PERMISSION_DENIED,
        details: 'IDToken is required',
      });
    });

    test('a nil in an expression ends the Auth Service: the Proxy loses it, and its own clients the connection', async () => {
      cluster.log.clear();
      await assert.rejects(attempt(cluster, { token: 'nil' }), {
        code: status.UNAVAILABLE,
        details: 'error reading from server: EOF',
      });
      const bot = await joinByService(cluster);
      await assert.rejects(attempt(cluster, { token: 'nil' }, authRoute(cluster, { ca: bot.ca })), {
        code: status.UNAVAILABLE,
      });
      assert.deepEqual(
        cluster.log.all.map(({ error, level }) => [level, error]),
        Array(2).fill(['ERROR', 'runtime error: invalid memory address or nil pointer dereference']),
      );
    });

    test('the registration endpoint has no handler for the method', async () => {
      const idToken = await cluster.mint({ audience: AUDIENCE });
      const reply = await postJoin(
        cluster,
        await legacyBody(cluster, { token: 'deploy', idToken, key: await createKey('ec') }),
      );
      assert.equal(reply.status, 400);
      assert.match(reply.body, /unrecognized token join method/);
    });

    test('a client that reports too old a version is refused before anything else', async () => {
      const client = await RawClient.open(joinRoute(cluster));
      const old = { version: '16.0.0' };
      await assert.rejects(
        client.converse('teleport.join.v1.JoinService', 'Join', await messages(cluster, { token: 'nowhere' }), old),
        {
          code: status.PERMISSION_DENIED,
          details: /^client version is unsupported, minimum supported version is \d+\.0\.0$/,
        },
      );
      await client.close();
    });
  });
}

describe('a CircleCI Server', () => {
  const directory = temporaryDirectory();
  let cluster: Cluster;
  let jwks: string;
  const admitted: MintOptions = { server: true };
  before(async () => {
    cluster = await startCluster({ dir: directory.path, teleport: '19.0.0' });
    const { serverCa, serverIssuer: issuer, serverIssuerLocal: local, serverJwks } = cluster.info;
    const ca = readFileSync(serverCa, 'utf8');
    jwks = readFileSync(serverJwks, 'utf8');
    const create = (name: string, generic: object): void => {
      tctlCreate(cluster.resources, token(name, generic));
    };
    create('ca', { issuer, tls_ca: ca });
    create('no-ca', { issuer });
    create('other-ca', { issuer: CLOUD, tls_ca: ca });
    create('no-pem', { issuer, tls_ca: 'hello' });
    create('local', { issuer: local, tls_ca: ca });
    create('plain', { issuer: local.replace('https', 'http'), insecure_allow_http_issuer: true });
    create('static', { issuer, static_jwks: jwks });
    create('static-elsewhere', { issuer: 'https://ci.example.com/org/x', static_jwks: jwks });
    create('static-broken', { issuer, static_jwks: '{' });
    create('static-empty', { issuer, static_jwks: '{"keys":[{"kty":"RSA","use":"enc"}]}' });
    create('static-other', { issuer, static_jwks: jwks.replace('embedded-circleci-server', 'x') });
  });
  after(async () => {
    await cluster.close();
    directory.remove();
  });

  test('is trusted by the authority in tls_ca', async () => {
    cluster.records.clear();
    await attempt(cluster, { token: 'ca', mint: admitted });
    await attempt(cluster, { token: 'ca', mint: admitted });
    assert.deepEqual([cluster.records.of('discovery').length, cluster.records.of('jwks').length], [1, 1]);
  });

  test('can also be named by the address that every program reaches, over http as well if that is allowed', async () => {
    const issuer = cluster.info.serverIssuerLocal;
    await attempt(cluster, { token: 'local', mint: { ...admitted, issuer } });
    await attempt(cluster, { token: 'plain', mint: { ...admitted, issuer: issuer.replace('https', 'http') } });
  });

  test('is admitted by static_jwks without any request', async () => {
    cluster.records.clear();
    await attempt(cluster, { token: 'static', mint: admitted });
    await attempt(cluster, {
      token: 'static-elsewhere',
      mint: { ...admitted, issuer: 'https://ci.example.com/org/x' },
    });
    assert.deepEqual([cluster.records.of('discovery').length, cluster.records.of('jwks').length], [0, 0]);
  });

  test('with static_jwks, several audiences and a nonce pass, and clocks may differ by ten seconds', async () => {
    await attempt(cluster, { token: 'static', mint: { ...admitted, audience: ['x', AUDIENCE] } });
    await attempt(cluster, { token: 'static', mint: { ...admitted, claims: { nonce: 'n' } } });
    await attempt(cluster, { token: 'static', mint: { ...admitted, claims: { exp: now() - 5, iat: now() + 5 } } });
  });

  const masked: readonly (readonly [string, () => Attempt, RegExp])[] = [
    ['no tls_ca', () => ({ token: 'no-ca', mint: admitted }), /Discovery has failed\n.*(?:certificate|UNABLE_TO)/],
    [
      'the cloud with the private authority, which replaces the public ones',
      () => ({ token: 'other-ca' }),
      /Discovery has failed\n.*certificate/,
    ],
    [
      'a tls_ca that is no certificate',
      () => ({ token: 'no-pem', mint: admitted }),
      /no valid certificates in `tls_ca`$/,
    ],
    ['a JWT of the cloud', () => ({ token: 'ca' }), /issuer does not match/],
    [
      'static_jwks that is not JSON',
      () => ({ token: 'static-broken', mint: admitted }),
      /^validating via static_jwks\n\tparsing provided jwks/,
    ],
    [
      'static_jwks without a key for signatures',
      () => ({ token: 'static-empty', mint: admitted }),
      /contains no keys with a usable signature algorithm$/,
    ],
    [
      'static_jwks without the key',
      () => ({ token: 'static-other', mint: admitted }),
      /validating jwt signature\n.*kid not found/,
    ],
    ['a JWT without kid', () => ({ token: 'static', mint: { ...admitted, keyId: false } }), /kid not found/],
    [
      'static_jwks and another issuer',
      () => ({ token: 'static', mint: { ...admitted, issuer: 'https://x' } }),
      /invalid issuer claim \(iss\)$/,
    ],
    [
      'static_jwks and another audience',
      () => ({ token: 'static', mint: { ...admitted, audience: 'x' } }),
      /invalid audience claim \(aud\)$/,
    ],
    [
      'static_jwks and a JWT expired for more than ten seconds',
      () => ({ token: 'static', mint: { ...admitted, claims: { exp: now() - 12 } } }),
      /token is expired \(exp\)$/,
    ],
    [
      'static_jwks and a JWT issued in a minute',
      () => ({ token: 'static', mint: { ...admitted, claims: { iat: now() + 60 } } }),
      /token issued in the future \(iat\)$/,
    ],
    [
      'static_jwks and a JWT not valid yet',
      () => ({ token: 'static', mint: { ...admitted, claims: { nbf: now() + 60 } } }),
      /token not valid yet \(nbf\)$/,
    ],
    [
      'static_jwks and a JWT without exp',
      () => ({ token: 'static', mint: { ...admitted, claims: { exp: null } } }),
      /must have an `exp` claim$/,
    ],
    [
      'static_jwks and another branch',
      () => ({ token: 'static', mint: { ...admitted, vcsRef: 'x' } }),
      /^validating generic_oidc rules[^]*vcs-ref must be/,
    ],
  ];
  for (const [name, options, reason] of masked) {
    test(`is refused with ${name}`, async () => {
      assert.match(await reasonOf(cluster, options()), reason);
    });
  }
});

test('before 18.11, a client that requests the method gets the method of the token, or that it is not found', async () => {
  await withCluster({ teleport: '18.6.0' }, async (cluster) => {
    await assert.rejects(attempt(cluster, { token: 'nowhere' }), { code: status.PERMISSION_DENIED });
    await assert.rejects(attempt(cluster, { token: 'circleci-bot' }), {
      code: status.INVALID_ARGUMENT,
      details: /provision token only supports method circleci/,
    });
  });
});

test('after a downgrade, the token that is left over is of a method that is not implemented', async () => {
  await withCluster({ teleport: '18.6.0' }, async (cluster) => {
    tctlCreate(cluster.resources, token('deploy'));
    await assert.rejects(attempt(cluster, {}), {
      code: status.UNIMPLEMENTED,
      details: 'join method generic_oidc is not implemented',
    });
  });
});

test('v17 has no join service', async () => {
  await withCluster({ teleport: '17.7.1' }, async (cluster) => {
    await assert.rejects(attempt(cluster, {}), { code: status.UNIMPLEMENTED });
  });
});

test('a cluster does not start with a token that Teleport refuses', async () => {
  const directory = temporaryDirectory();
  await assert.rejects(startCluster({ dir: directory.path, teleport: '18.10.0', tokens: TOKENS }), {
    message: 'unknown join method "generic_oidc"',
  });
  directory.remove();
});
