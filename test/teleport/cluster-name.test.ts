import assert from 'node:assert/strict';
import test from 'node:test';
import { authAlpn } from '../../src/teleport/names.ts';

test('the ALPN value of an Auth Service carries its cluster in hex', () => {
  assert.equal(authAlpn('example.com'), 'teleport-auth@6578616d706c652e636f6d.teleport.cluster.local');
});
