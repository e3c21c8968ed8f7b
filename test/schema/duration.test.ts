import assert from 'node:assert/strict';
import { test } from 'node:test';
import { durationAdvice, parseDuration } from '../../src/schema/values.ts';

const VALID: readonly (readonly [string, number])[] = [
  ['0', 0],
  ['0s', 0],
  ['-0', 0],
  ['1h', 3_600_000],
  ['1h30m', 5_400_000],
  ['90m', 5_400_000],
  ['1.5h', 5_400_000],
  ['.5s', 500],
  ['1.s', 1_000],
  ['20m', 1_200_000],
  ['250ms', 250],
  ['1us', 0.001],
  ['1µs', 0.001],
  ['1μs', 0.001],
  ['1000000ns', 1],
  ['-1h', -3_600_000],
  ['+5m', 300_000],
  ['1m1m', 120_000],
  ['2562047h', 2_562_047 * 3_600_000],
];

const INVALID: readonly string[] = [
  '',
  '90',
  '1e3',
  '1d',
  '1h 30m',
  ' 1h',
  '1h ',
  '1H',
  '1h-5m',
  'h',
  '.s',
  '-',
  '+-1h',
  '1h30',
  '1..5h',
  '2562048h',
  '99999999999999999999h',
  'forever',
];

test('a Go duration is read in milliseconds', () => {
  for (const [text, expectedMs] of VALID) assert.equal(Math.abs((parseDuration(text) ?? NaN) - expectedMs), 0, text);
});

test('what Go refuses as a duration is refused', () => {
  for (const text of INVALID) assert.equal(parseDuration(text), undefined, text);
});

test('the advice for what is not a duration names the units that may be meant', () => {
  for (const [text, advice] of [
    ['90', 'write 90m or 90s'],
    ['1.5', 'write 1.5m or 1.5s'],
    ['7d', 'write 168h, because there is no unit for days'],
    ['soon', 'write a number with its unit, such as 90s, 30m or 1h30m'],
    ['9'.repeat(100), 'write a number with its unit, such as 90s, 30m or 1h30m'],
  ] as const) {
    assert.equal(parseDuration(text), undefined);
    assert.equal(durationAdvice(text), advice);
  }
});
