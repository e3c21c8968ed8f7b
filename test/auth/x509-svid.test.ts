import assert from 'node:assert/strict';
import test from 'node:test';
import { checkX509Svid, type X509SvidExpectation } from '../../src/auth/svid.ts';
import { generateKeyPair } from '../../src/crypto/keys.ts';
import { makeSigner, makeSvid, type SvidFields } from './svid-certificate.ts';

const DOMAIN = 'root.example.com';
const ID = `spiffe://${DOMAIN}/ci/deploy`;
const NOW_MS = Date.UTC(2026, 5, 1);
const HOUR_MS = 60 * 60 * 1000;
const FIELDS: SvidFields = {
  uris: [ID],
  notBefore: new Date(NOW_MS - HOUR_MS),
  notAfter: new Date(NOW_MS + HOUR_MS),
};
const TIMES = { askedMs: NOW_MS + HOUR_MS, nowMs: NOW_MS };
const [authority, stranger, another] = await Promise.all([
  makeSigner('authority'),
  makeSigner('stranger'),
  generateKeyPair('ecdsa-p256'),
]);

interface Case {
  readonly fields?: Partial<SvidFields>;
  readonly spiffeId?: string;
  readonly chain?: readonly Uint8Array[];
  readonly expected?: Partial<X509SvidExpectation>;
}

async function check({ fields = {}, spiffeId = ID, chain = [], expected = {} }: Case) {
  const { der, publicKey } = await makeSvid(authority, { ...FIELDS, ...fields });
  return checkX509Svid(
    { spiffeId, certificate: der, chain },
    { publicKey, trustDomain: DOMAIN, authoritiesPem: [stranger.pem, authority.pem], ...TIMES, ...expected },
  );
}

test('an SVID that matches the request is accepted, whichever authority of the domain signed it', async () => {
  const svid = await check({});
  assert.equal(svid.spiffeId, ID);
  assert.equal(svid.expiresAtMs, NOW_MS + HOUR_MS);
  assert.equal(svid.certificatesPem.length, 1);
});

test('the chain of an issuer of the owner follows the SVID', async () => {
  const { certificatesPem } = await check({ chain: [Buffer.from(authority.certificate.rawData)] });
  assert.equal(certificatesPem[1], authority.pem);
});

const REFUSED: readonly (readonly [string, Case, RegExp])[] = [
  ['for another key', { expected: { publicKey: another.publicKey } }, /another key/],
  ['without a name', { fields: { uris: [] } }, /names \[\], expected one SPIFFE ID/],
  ['with two names', { fields: { uris: [ID, `${ID}/b`] } }, /expected one SPIFFE ID/],
  ['with another name than the answer says', { spiffeId: `${ID}/b` }, /expected one SPIFFE ID/],
  ['of another domain', { expected: { trustDomain: 'leaf.example.com' } }, /of "leaf\.example\.com"/],
  ['named in a DNS name alone', { fields: { uris: [], dnsNames: ['x, URI:spiffe'] } }, /names \[\]/],
  ['signed by a stranger', { expected: { authoritiesPem: [stranger.pem] } }, /not signed by the SPIFFE authority/],
  ['with a chain that did not sign it', { chain: [Buffer.from(stranger.certificate.rawData)] }, /not signed/],
  ['that lives until 2049', { fields: { notAfter: new Date('2049-12-31T23:59:59Z') } }, /2049-12-31T23:59:59Z, longer/],
  ['that never ends', { fields: { notAfter: new Date('9999-12-31T23:59:59Z') } }, /9999-12-31T23:59:59Z, longer/],
  ['that has ended', { expected: { nowMs: NOW_MS + 2 * HOUR_MS } }, /expired at 2026-06-01T01:00:00Z/],
  ['that has not begun', { expected: { nowMs: NOW_MS - 2 * HOUR_MS } }, /valid from 2026-05-31T23:00:00Z/],
];

for (const [what, wrong, says] of REFUSED) {
  test(`an SVID ${what} is not accepted`, async () => {
    await assert.rejects(check(wrong), { code: 'CERTIFICATE_MISMATCH', message: says });
  });
}

test('an SVID that is not a certificate cannot be read', () => {
  const { publicKey } = another;
  const expected = { publicKey, trustDomain: DOMAIN, authoritiesPem: [], ...TIMES };
  for (const certificate of [Buffer.alloc(0), Buffer.from('x'), Buffer.from(authority.pem)]) {
    assert.throws(() => checkX509Svid({ spiffeId: ID, certificate, chain: [] }, expected), {
      code: 'RESPONSE_INVALID',
    });
  }
});

test('an SVID that begins a little later than now is taken with a notice', async () => {
  const { clockNotice } = await check({ fields: { notBefore: new Date(NOW_MS + 65_000) } });
  assert.match(clockNotice ?? '', /clock is at least 65 seconds behind/);
});
