import assert from 'node:assert/strict';
import test from 'node:test';
import { SignJWT } from 'jose';
import { checkJwtSvid } from '../../src/auth/svid.ts';
import { MachineIdError } from '../../src/errors.ts';

const DOMAIN = 'root.example.com';
const ID = `spiffe://${DOMAIN}/ci/deploy`;
const NOW_MS = Date.UTC(2026, 5, 1);
const EXPECTED = { audiences: ['a', 'b'], trustDomain: DOMAIN, askedMs: NOW_MS + 3_600_000, nowMs: NOW_MS };
const CLAIMS = { sub: ID, aud: ['b', 'a'], exp: NOW_MS / 1000 + 3600 };

function jwtOf(claims: Record<string, unknown>): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.alloc(32));
}

test('a JWT SVID that matches the request is accepted', async () => {
  const jwt = await jwtOf(CLAIMS);
  const svid = checkJwtSvid({ jwt, spiffeId: ID }, EXPECTED);
  assert.equal(svid.jwt.reveal(), jwt);
  assert.equal(svid.spiffeId, ID);
  assert.equal(svid.expiresAtMs, NOW_MS + 3_600_000);
});

test('one audience may be a text, and one that is requested twice counts once', async () => {
  const jwt = await jwtOf({ ...CLAIMS, aud: 'a' });
  assert.doesNotThrow(() => checkJwtSvid({ jwt, spiffeId: ID }, { ...EXPECTED, audiences: ['a', 'a'] }));
});

const REFUSED: readonly (readonly [string, Record<string, unknown>, RegExp])[] = [
  ['of another name', { sub: `${ID}/b` }, /names "spiffe:/],
  ['for another audience too', { aud: ['a', 'b', 'c'] }, /audiences a, b, c, requested a, b/],
  ['without one of the audiences', { aud: ['a'] }, /audiences a, requested a, b/],
  [
    'that lives longer than requested',
    { exp: NOW_MS / 1000 + 7200 },
    /until 2026-06-01T02:00:00Z, longer than requested/,
  ],
  ['that practically never ends', { exp: 1e15 }, /until 9999-12-31T23:59:59Z, longer than requested/],
  ['that has not begun', { nbf: NOW_MS / 1000 + 600 }, /valid from 2026-06-01T00:10:00Z.* 600 seconds earlier/],
  ['that has ended', { exp: NOW_MS / 1000 }, /expired at 2026-06-01T00:00:00Z/],
];

for (const [what, claims, says] of REFUSED) {
  test(`a JWT SVID ${what} is not accepted`, async () => {
    const jwt = await jwtOf({ ...CLAIMS, ...claims });
    assert.throws(() => checkJwtSvid({ jwt, spiffeId: ID }, EXPECTED), { code: 'CERTIFICATE_MISMATCH', message: says });
  });
}

test('a JWT SVID of another domain is not accepted', async () => {
  const spiffeId = 'spiffe://leaf.example.com/ci/deploy';
  const jwt = await jwtOf({ ...CLAIMS, sub: spiffeId });
  assert.throws(() => checkJwtSvid({ jwt, spiffeId }, EXPECTED), { code: 'CERTIFICATE_MISMATCH' });
});

test('an invalid JWT, or one without a claim, is rejected, and no part of it is printed', async () => {
  const complete = await jwtOf(CLAIMS);
  const texts = [
    '',
    'a.b',
    'a.b.c',
    `${complete}\n`,
    `${complete}.d`,
    await jwtOf({ sub: ID }),
    await jwtOf({ ...CLAIMS, exp: 'x' }),
    await jwtOf({ ...CLAIMS, exp: 1e308 }),
  ];
  for (const jwt of texts) {
    assert.throws(
      () => checkJwtSvid({ jwt, spiffeId: ID }, EXPECTED),
      (error) => {
        assert.ok(error instanceof MachineIdError);
        assert.equal(error.code, 'RESPONSE_INVALID');
        assert.equal(error.cause, undefined);
        assert.ok(jwt.length < 10 || !error.message.includes(jwt.slice(0, 10)));
        return true;
      },
    );
  }
});

test('a JWT SVID that begins a little later than now is taken with a notice', async () => {
  const jwt = await jwtOf({ ...CLAIMS, nbf: NOW_MS / 1000 + 65 });
  assert.match(checkJwtSvid({ jwt, spiffeId: ID }, EXPECTED).clockNotice ?? '', /clock is at least 65 seconds behind/);
});
