import assert from 'node:assert/strict';
import { test } from 'node:test';
import { holds } from './conditions.ts';

const cases: readonly (readonly [condition: unknown, expected: boolean])[] = [
  [true, true],
  [false, false],
  [null, false],
  [0, false],
  [1, true],
  ['', false],
  ['false', true],
  [{ not: '' }, true],
  [{ and: [true, 'x', 1] }, true],
  [{ and: [true, ''] }, false],
  [{ or: [false, 'x'] }, true],
  [{ or: [false, 0] }, false],
  [{ equal: ['a', 'a', 'a'] }, true],
  [{ equal: ['a', 'b'] }, false],
  [{ equal: [1, '1'] }, false],
  [{ matches: { pattern: '^v\\d+$', value: 'v12' } }, true],
  [{ matches: { pattern: '^v\\d+$', value: 'main' } }, false],
  [{ not: { or: [false, { equal: [1, 1] }] } }, false],
];

for (const [condition, expected] of cases) {
  test(`the condition ${JSON.stringify(condition)} is ${expected}`, () => {
    assert.equal(holds(condition, 'here'), expected);
  });
}

test('a logic statement with two operators is refused', () => {
  assert.throws(() => holds({ and: [], or: [] }, 'here'), /exactly one of/);
});

test('an operator that CircleCI does not have is refused', () => {
  assert.throws(() => holds({ xor: [true] }, 'here'), /unknown operator/);
});
