import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { decodeJwt, type JWTPayload } from 'jose';
import { createKey } from '../crypto/keys.ts';
import { CONTEXT_ID, ORGANIZATION_ID, PROJECT_ID } from '../data/data.ts';
import { mintToken, type MintOptions } from './mint.ts';

describe('a minted OIDC token', () => {
  let key: Awaited<ReturnType<typeof createKey>>;
  before(async () => {
    key = await createKey('rsa');
  });
  const claims = async (options: MintOptions = {}): Promise<JWTPayload> => decodeJwt(await mintToken(key, options));

  test('has the claims of a CircleCI job, for an hour', async () => {
    const token = await claims();
    assert.equal(token.iss, `https://oidc.circleci.com/org/${ORGANIZATION_ID}`);
    assert.equal(token.aud, ORGANIZATION_ID);
    assert.match(token.sub ?? '', new RegExp(`^org/${ORGANIZATION_ID}/project/${PROJECT_ID}/user/[0-9a-f-]{36}$`));
    assert.equal(token['oidc.circleci.com/project-id'], PROJECT_ID);
    assert.deepEqual(token['oidc.circleci.com/context-ids'], [CONTEXT_ID]);
    assert.equal(token['oidc.circleci.com/ssh-rerun'], false);
    assert.equal((token.exp ?? 0) - (token.iat ?? 0), 3600);
  });

  test('contains its origin in the subject, in the second form', async () => {
    assert.match(
      (await claims({ form: 'v2' })).sub ?? '',
      /\/vcs-origin\/github\.com\/.+\/vcs-ref\/refs\/heads\/main$/,
    );
  });

  test('can be expired or not valid yet', async () => {
    const nowSeconds = Date.now() / 1000;
    assert.ok(((await claims({ expired: true })).exp ?? Infinity) < nowSeconds);
    assert.ok(((await claims({ expired: true, ttlSeconds: 60 })).exp ?? Infinity) < nowSeconds);
    assert.ok(((await claims({ notYetValid: true })).nbf ?? 0) > nowSeconds);
  });

  test('can have another issuer and another audience', async () => {
    const token = await claims({ issuer: 'https://ci.example.com/org/x', audience: ['a', 'b'] });
    assert.equal(token.iss, 'https://ci.example.com/org/x');
    assert.deepEqual(token.aud, ['a', 'b']);
  });
});
