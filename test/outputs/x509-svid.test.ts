import assert from 'node:assert/strict';
import test from 'node:test';
import { pkcs8Pem } from '../../src/crypto/keys.ts';
import { x509SvidFiles } from '../../src/outputs/x509-svid.ts';
import { golden, goldenNames } from './golden.ts';
import { identity } from './identity-input.ts';

const block = (text: string) => `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`;
const svid = { spiffeId: 'spiffe://a/b', certificatesPem: [block('leaf'), block('issuer')], expiresAtMs: 0 };
const input = { keyPair: identity.keyPair, svid, bundlePem: [block('active'), block('next')] };
const files = x509SvidFiles({ ...input, revocationList: Buffer.alloc(100, 7) });

test('an SVID has its files in the order in which tbot writes them', () => {
  const names = files.map(({ name }) => name);
  assert.deepEqual(names, ['svid_key.pem', 'svid.pem', 'svid_bundle.pem', 'svid_crl.pem']);
  assert.deepEqual(goldenNames('x509-svid'), names.toSorted());
});

for (const { name, contents } of files) {
  test(`the file ${name} of an SVID is its golden`, () => {
    assert.equal(contents, golden('x509-svid', name).replace('<private key>\n', pkcs8Pem(identity.keyPair).reveal()));
  });
}

test('without revocations there is no file of them', () => {
  for (const revocationList of [undefined, Buffer.alloc(0)]) {
    assert.equal(x509SvidFiles({ ...input, revocationList }).length, 3);
  }
});
