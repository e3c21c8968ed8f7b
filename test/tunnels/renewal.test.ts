import assert from 'node:assert/strict';
import test from 'node:test';
import { MachineIdError } from '../../src/errors.ts';
import { keepRenewed } from '../../src/tunnels/renewal.ts';
import { fakeClock, type FakeClock } from '../effects/fake-clock.ts';

const MINUTE_MS = 60_000;

interface Kept {
  readonly clock: FakeClock;
  readonly lines: readonly string[];
  /** Minutes after the start at which something was issued. */
  readonly issuedAtMinutes: readonly number[];
  readonly renewed: Awaited<ReturnType<typeof keepRenewed<{ expiresAtMs: number }>>>;
  readonly end: () => void;
}

/** @param outcomes how many minutes each one lives, or why there is none; afterwards the renewal ends */
async function kept(outcomes: readonly (number | string)[]): Promise<Kept> {
  const clock = fakeClock();
  const startMs = clock.nowMs();
  const controller = new AbortController();
  const lines: string[] = [];
  const issuedAtMinutes: number[] = [];
  const rest = [...outcomes];
  const note = (line: string) => {
    lines.push(line);
  };
  const issue = () => {
    const next = rest.shift();
    if (next === undefined) {
      controller.abort(new Error('the test has ended'));
      return Promise.reject(new Error('the test has ended'));
    }
    if (typeof next === 'string')
      return Promise.reject(new MachineIdError('AUTH_UNREACHABLE', next, { hint: 'Wait.' }));
    issuedAtMinutes.push((clock.nowMs() - startMs) / MINUTE_MS);
    return Promise.resolve({ expiresAtMs: clock.nowMs() + next * MINUTE_MS });
  };
  const { signal } = controller;
  const renewed = await keepRenewed(issue, { what: 'the certificate', clock, log: { info: note, warn: note }, signal });
  const end = () => {
    controller.abort(new Error('the test has ended'));
  };
  return { clock, lines, issuedAtMinutes, renewed, end };
}

async function ended(): Promise<void> {
  for (let turn = 0; turn < 2000; turn += 1) await Promise.resolve();
}

test('a certificate is renewed after two thirds of its lifetime, whatever was requested', async () => {
  const { issuedAtMinutes } = await kept([60, 30, 60]);
  await ended();
  assert.deepEqual(issuedAtMinutes, [0, 40, 60]);
});

test('a cluster that grants no more time is asked with growing pauses', async () => {
  const untilMinute60 = [60, 20, 6.66, 2.2, 0.7];
  const { issuedAtMinutes } = await kept([...untilMinute60, 60, 60]);
  await ended();
  assert.deepEqual(issuedAtMinutes.map(Math.round), [0, 40, 53, 58, 59, 60, 100]);
});

test('a failed renewal is tried again, and each failure says until when connections still work', async () => {
  const { issuedAtMinutes, lines } = await kept([60, 'no Proxy', 'no Proxy', 60]);
  await ended();
  assert.deepEqual(issuedAtMinutes, [0, 40.75]);
  assert.deepEqual(lines, [
    'the certificate cannot be renewed, and new connections work until 2026-01-01T01:00:00Z (1200 seconds): no Proxy',
    'the certificate cannot be renewed, and new connections work until 2026-01-01T01:00:00Z (1185 seconds): no Proxy',
    'the certificate was renewed: it expires at 2026-01-01T01:40:45Z',
  ]);
});

test('an expired one is not used, and the error says why it was not renewed', async () => {
  const { lines, renewed } = await kept([1, ...Array.from({ length: 6 }, () => 'no Proxy')]);
  await ended();
  assert.match(lines.at(-1) ?? '', /new connections fail since 2026-01-01T00:01:00Z: no Proxy$/);
  assert.throws(() => renewed.current(), {
    code: 'TUNNEL_UNAVAILABLE',
    message: 'the certificate expired at 2026-01-01T00:01:00Z: no Proxy',
    hint: 'Wait.',
  });
  assert.equal(renewed.failure()?.message, 'no Proxy');
});

test('without a first one, there is nothing to keep', async () => {
  await assert.rejects(kept(['no such database']), { code: 'AUTH_UNREACHABLE' });
});
