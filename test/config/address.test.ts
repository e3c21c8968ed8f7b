import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readGivenAddress } from '../../src/config/choose.ts';
import { formatAddress } from '../../src/net/address.ts';

const VALID: readonly (readonly [string, string, boolean])[] = [
  ['teleport.example.com:443', 'teleport.example.com:443', true],
  ['teleport.example.com', 'teleport.example.com:443', false],
  ['localhost:3080', 'localhost:3080', true],
  ['10.0.0.1:1', '10.0.0.1:1', true],
  ['[::1]:3080', '[::1]:3080', true],
  ['[fe80::1]', '[fe80::1]:443', false],
  ['my_proxy.internal.:65535', 'my_proxy.internal.:65535', true],
];

const INVALID: readonly (readonly [string, RegExp])[] = [
  ['https://teleport.example.com', /without a scheme; write teleport\.example\.com:443$/],
  ['https://teleport.example.com:3080/web', /without a scheme; write teleport\.example\.com:3080$/],
  ['teleport.example.com:443/web', /host:port; write teleport\.example\.com:443$/],
  ['user@teleport.example.com:443', /host:port; write teleport\.example\.com:443$/],
  [' teleport.example.com:443', /host:port; write teleport\.example\.com:443$/],
  ['::1', /in brackets; write \[::1\]:443$/],
  ['[example.com]:443', /not an address/],
  ['teleport.example.com:0', /not an address/],
  ['teleport.example.com:65536', /not an address/],
  ['teleport.example.com:https', /not an address/],
  ['teleport.example.com:', /not an address/],
  ['two words', /not an address/],
  ['-x:443', /not an address/],
  ['', /not an address/],
];

test('an address is a host with a port, which is 443 when it is left out', () => {
  for (const [text, expected, portGiven] of VALID) {
    const address = readGivenAddress(text);
    assert.ok(typeof address !== 'string', text);
    assert.equal(formatAddress(address), expected);
    assert.equal(address.portGiven, portGiven, text);
    assert.ok(!address.host.startsWith('['), text);
  }
});

test('an invalid address is rejected, with a correction where there is one', () => {
  for (const [text, expected] of INVALID) {
    const refusal = readGivenAddress(text);
    assert.ok(typeof refusal === 'string', text);
    assert.match(refusal, expected, text);
  }
});
