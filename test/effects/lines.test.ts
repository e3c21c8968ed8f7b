import assert from 'node:assert/strict';
import test from 'node:test';
import { createLines } from '../../src/effects/programs.ts';

function linesOf(...portions: readonly string[]): readonly string[] {
  const found: string[] = [];
  const lines = createLines((line) => found.push(line));
  for (const portion of portions) lines.push(portion);
  lines.end();
  return found;
}

test('lines are the same however the text is cut', () => {
  const text = 'one\n\ntwo\r\nthree';
  for (let at = 0; at <= text.length; at += 1) {
    assert.deepEqual(linesOf(text.slice(0, at), text.slice(at)), ['one', '', 'two', 'three']);
  }
});

test('text without a line break is passed on at the end, and nothing if there is none', () => {
  assert.deepEqual(linesOf('a', 'b'), ['ab']);
  assert.deepEqual(linesOf('a\n'), ['a']);
  assert.deepEqual(linesOf(), []);
});

test('a line without end is not kept', () => {
  const portion = 'x'.repeat(700_000);
  assert.deepEqual(
    linesOf(portion, portion, portion).map(({ length }) => length),
    [1_400_000, 700_000],
  );
});
