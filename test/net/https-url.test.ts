import assert from 'node:assert/strict';
import test from 'node:test';
import { parseHttpsUrl } from '../../src/net/address.ts';

const cases: readonly (readonly [text: string, href: string | undefined])[] = [
  ['https://a.example.com/b?c', 'https://a.example.com/b?c'],
  ['https://%41:%2F@a', 'https://%41:%2F@a/'],
  ['/d', 'https://base.example.com/d'],
  ['//other/d', 'https://other/d'],
  ['http://a', undefined],
  ['data:,x', undefined],
  ['https://', undefined],
  ['https://%zz@a', undefined],
  // Halves of one character, in the user and in the password.
  ['https://%c3:%a4@a', undefined],
];

for (const [text, href] of cases) {
  test(`${text} is ${href === undefined ? 'no address' : 'an address'} of https`, () => {
    assert.equal(parseHttpsUrl(text, new URL('https://base.example.com/c'))?.href, href);
  });
}
