import assert from 'node:assert/strict';
import test from 'node:test';
import { formatAddress, parseAddress } from '../../src/net/address.ts';

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
