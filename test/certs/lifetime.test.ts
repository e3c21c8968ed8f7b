import assert from 'node:assert/strict';
import test from 'node:test';
import { shortenedLifetime } from '../../src/certs/lifetime.ts';

const ASKED_MS = Date.UTC(2026, 5, 1, 1);

test('a lifetime that is a minute short is as asked', () => {
  assert.equal(shortenedLifetime(ASKED_MS, ASKED_MS - 60_000, 'a limit'), undefined);
  assert.equal(shortenedLifetime(ASKED_MS, ASKED_MS + 1, 'a limit'), undefined);
});

test('a shorter one is told with both ends and the limit', () => {
  assert.equal(
    shortenedLifetime(ASKED_MS, ASKED_MS - 61_000, 'a limit'),
    'the cluster shortened the lifetime: asked until 2026-06-01T01:00:00Z, given until 2026-06-01T00:58:59Z (a limit)',
  );
});
