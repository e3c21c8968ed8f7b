import assert from 'node:assert/strict';
import test from 'node:test';
import { isInTrustDomain } from '../../src/auth/svid.ts';

const IDS: readonly (readonly [string, boolean])[] = [
  ['spiffe://a.example.com/ci', true],
  ['spiffe://a.example.com/ci/deploy_1.x-2', true],
  ['spiffe://a.example.com', false],
  ['spiffe://a.example.com/', false],
  ['spiffe://a.example.com/ci/', false],
  ['spiffe://a.example.com//ci', false],
  ['spiffe://a.example.com/ci?x', false],
  ['spiffe://a.example.com/ci\n', false],
  ['spiffe://b.example.com/ci', false],
  ['spiffe://a.example.com.evil.org/ci', false],
  ['https://a.example.com/ci', false],
];

for (const [id, expected] of IDS) {
  test(`${JSON.stringify(id)} is ${expected ? 'a' : 'no'} SPIFFE ID of the domain a.example.com`, () => {
    assert.equal(isInTrustDomain(id, 'a.example.com'), expected);
  });
}
