import assert from 'node:assert/strict';
import test from 'node:test';
import { table } from '../../src/cli/print.ts';

test('columns are as wide as their longest cells, and lines end where their text does', () => {
  assert.deepEqual(
    table([
      ['a', 'bb', 'c'],
      ['aaa', '', 'cc'],
      ['a', 'b'],
    ]),
    ['a    bb  c', 'aaa      cc', 'a    b'],
  );
});

test('nothing makes no lines', () => {
  assert.deepEqual(table([]), []);
});
