import assert from 'node:assert/strict';
import test from 'node:test';
import { CLOCK_TOLERANCE_MS, clockNotice, utcTime, validityProblem } from '../../src/crypto/validity.ts';

test('a time is shown in UTC to the second', () => {
  assert.equal(utcTime(0), '1970-01-01T00:00:00Z');
  assert.equal(utcTime(Date.UTC(2026, 10, 23, 10, 0, 0, 999)), '2026-11-23T10:00:00Z');
  assert.equal(utcTime(-1000), '1969-12-31T23:59:59Z');
});

test('a time that four digits of a year do not hold is shown as the last or first one that they do', () => {
  for (const timeMs of [8.64e15, Number(2n ** 64n - 1n) * 1000, Infinity, Date.UTC(10_000, 0, 1)]) {
    assert.equal(utcTime(timeMs), '9999-12-31T23:59:59Z');
  }
  for (const timeMs of [-8.64e15, -Infinity, Date.UTC(-1, 0, 1)]) assert.equal(utcTime(timeMs), '0000-01-01T00:00:00Z');
  assert.equal(utcTime(Number.NaN), 'an unknown time');
});

const NOW_MS = Date.UTC(2026, 5, 1);
const HOUR_MS = 60 * 60 * 1000;
const TIMES = { askedMs: NOW_MS + HOUR_MS, nowMs: NOW_MS };

test('credentials are accepted that are valid now, within the tolerance, and no longer than requested', () => {
  for (const [beginsAtMs, endsAtMs] of [
    [NOW_MS - 60_000, NOW_MS + HOUR_MS],
    [0, NOW_MS + 1],
    [NOW_MS + CLOCK_TOLERANCE_MS, NOW_MS + HOUR_MS + CLOCK_TOLERANCE_MS],
  ] as const) {
    assert.equal(validityProblem('it', { beginsAtMs, endsAtMs }, TIMES), undefined);
  }
});

test('other credentials are not accepted', () => {
  for (const [beginsAtMs, endsAtMs, fault] of [
    [0, NOW_MS, /^it expired at 2026-06-01T00:00:00Z, and it is 2026-06-01T00:00:00Z$/],
    [0, Number.NaN, /^it expired at an unknown time/],
    [Number.NaN, NOW_MS + 1, /^it is valid from an unknown time/],
    [
      NOW_MS + CLOCK_TOLERANCE_MS + 1000,
      NOW_MS + HOUR_MS,
      /^it is valid from 2026-06-01T00:05:01Z, .* 301 seconds earlier$/,
    ],
    [0, NOW_MS + HOUR_MS + CLOCK_TOLERANCE_MS + 1000, /^it is valid until 2026-06-01T01:05:01Z, longer than requested/],
    [0, Infinity, /^it is valid until 9999-12-31T23:59:59Z, longer than requested: until 2026-06-01T01:00:00Z$/],
  ] as const) {
    assert.match(validityProblem('it', { beginsAtMs, endsAtMs }, TIMES) ?? '', fault);
  }
});

test('a clock is called behind by what begins in its future', () => {
  assert.equal(clockNotice(NOW_MS, NOW_MS), undefined);
  assert.equal(clockNotice(NOW_MS + 900, NOW_MS), "this machine's clock is at least 1 second behind: set it with NTP");
});
