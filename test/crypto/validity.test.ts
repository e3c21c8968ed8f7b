import assert from 'node:assert/strict';
import test from 'node:test';
import { utcTime } from '../../src/crypto/validity.ts';

test('a time is shown in UTC to the second', () => {
  assert.equal(utcTime(0), '1970-01-01T00:00:00Z');
  assert.equal(utcTime(Date.UTC(2026, 10, 23, 10, 0, 0, 999)), '2026-11-23T10:00:00Z');
  assert.equal(utcTime(-1000), '1969-12-31T23:59:59Z');
});

test('a time that no calendar of JavaScript holds is shown as a number', () => {
  assert.equal(utcTime(8.64e15), '+275760-09-13T00:00:00Z');
  assert.equal(utcTime(Number(2n ** 64n - 1n) * 1000), '1.8446744073709552e+22');
  assert.equal(utcTime(Number.NaN), 'NaN');
});
