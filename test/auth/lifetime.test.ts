import assert from 'node:assert/strict';
import test from 'node:test';
import { lengthenedLifetime, shortenedLifetime } from '../../src/auth/issue.ts';

const ASKED_MS = Date.UTC(2026, 5, 1, 1);

test('a lifetime that is a minute short gets no notice', () => {
  assert.equal(shortenedLifetime(ASKED_MS, ASKED_MS - 60_000, 'a limit'), undefined);
  assert.equal(shortenedLifetime(ASKED_MS, ASKED_MS + 1, 'a limit'), undefined);
});

test('a shorter lifetime is reported with both end times and the limit', () => {
  assert.equal(
    shortenedLifetime(ASKED_MS, ASKED_MS - 61_000, 'a limit'),
    'the cluster shortened the lifetime: requested until 2026-06-01T01:00:00Z, granted until 2026-06-01T00:58:59Z (a limit)',
  );
});

test('a longer lifetime from another program is reported, unless clock skew explains it', () => {
  assert.equal(lengthenedLifetime(ASKED_MS, ASKED_MS + 300_000), undefined);
  assert.equal(
    lengthenedLifetime(ASKED_MS, Infinity),
    'the lifetime is longer than requested: requested until 2026-06-01T01:00:00Z, granted until 9999-12-31T23:59:59Z',
  );
});
