import assert from 'node:assert/strict';
import test from 'node:test';
import { errorText } from '../../src/net/error-text.ts';
import { oneLine } from '../../src/net/network-error.ts';

const BODIES: [string, string, string | undefined][] = [
  ['the text of Teleport’s own errors', '{"error":{"message":"denied"},"message":"outer"}', 'denied'],
  ['the outer text when the inner one is missing', '{"error":{},"message":"outer"}', 'outer'],
  ['nothing from a page', '<html>502</html>', undefined],
  ['nothing from other JSON', '{"error":"text"}', undefined],
  ['nothing from an empty body', '', undefined],
];

for (const [name, body, expected] of BODIES) {
  test(`an error body gives ${name}`, () => {
    assert.equal(errorText(body), expected);
  });
}

test('a long text is cut', () => {
  assert.equal(oneLine('x'.repeat(600)).length, 501);
});
