import assert from 'node:assert/strict';
import test from 'node:test';
import { inspect } from 'node:util';
import { createMask, Secret } from '../../src/effects/secret.ts';

test('a secret shows itself only when it is revealed', () => {
  const secret = new Secret('top-secret');
  assert.equal(secret.reveal(), 'top-secret');
  const shown = [
    secret.toString(),
    JSON.stringify({ secret }),
    inspect(secret, { showHidden: true }),
    inspect({ a: [secret] }),
  ];
  for (const text of shown) assert.ok(!text.includes('top-secret'), text);
});

test('a mask hides every known secret in whatever is printed', () => {
  const mask = createMask();
  mask.hide('eyJhbGciOi');
  mask.hide('short');
  assert.equal(mask.apply('a eyJhbGciOi and eyJhbGciOi, short'), 'a [masked] and [masked], short');
});
