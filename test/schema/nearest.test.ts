import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closestMatch } from '../../src/schema/values.ts';

const KNOWN = ['proxy_server', 'auth_server', 'onboarding', 'outputs', 'roles', 'renewal_interval'];

const MEANT: readonly (readonly [string, string | undefined])[] = [
  ['proxy_servr', 'proxy_server'],
  ['proxyServer', 'proxy_server'],
  ['Proxy-Server', 'proxy_server'],
  ['porxy_server', 'proxy_server'],
  ['rols', 'roles'],
  ['output', 'outputs'],
  ['renewal-interval', 'renewal_interval'],
  ['x', undefined],
  ['', undefined],
  ['kubernetes', undefined],
];

test('a mistyped word is taken for the nearest known one, unless it is far from all', () => {
  for (const [word, expected] of MEANT) assert.equal(closestMatch(word, KNOWN), expected, word);
  assert.equal(closestMatch('anything', []), undefined);
});
