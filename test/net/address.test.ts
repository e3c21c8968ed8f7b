import assert from 'node:assert/strict';
import test from 'node:test';
import { formatAddress, parseAddress, parseHttpsUrl } from '../../src/net/address.ts';

const READ: [string, string | undefined][] = [
  ['example.com:3080', 'example.com:3080'],
  ['example.com', 'example.com:443'],
  ['10.1.2.3:443', '10.1.2.3:443'],
  ['[::1]:3080', '[::1]:3080'],
  ['[::1]', '[::1]:443'],
  ['::1', undefined],
  ['[::]:3080', '[::]:3080'],
  ['https://example.com', undefined],
  ['example.com:3080/web', undefined],
  ['example.com:0', undefined],
  ['example.com:65536', undefined],
  ['example.com:', undefined],
  ['exa mple.com', undefined],
  ['[nonsense]:1', undefined],
  ['', undefined],
];

for (const [text, expected] of READ) {
  test(`the address ${JSON.stringify(text)} is read as ${expected ?? 'no address'}`, () => {
    const address = parseAddress(text, 443);
    assert.equal(address === undefined ? undefined : formatAddress(address), expected);
  });
}

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
