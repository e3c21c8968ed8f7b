import assert from 'node:assert/strict';
import test from 'node:test';
import { keepRenewed, nextRenewalMs } from '../../src/job/renewal.ts';
import { MachineIdError, type Transient } from '../../src/errors.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

function failure(message: string, transient?: Transient): MachineIdError {
  return new MachineIdError('JOIN_DENIED', message, { hint: 'Fix it.', transient });
}

interface Scene {
  /** Called for each attempt, counted from 1; returns the new lifetime. */
  readonly renew: (attempt: number, nowMs: number) => number;
  /** When the job ends. */
  readonly endsMs?: number;
}

/** Everything that happens, with the minutes since the start, until the keeper ends. */
async function timeline({ endsMs = 5 * HOUR_MS, renew }: Scene) {
  const ended = new Error('the job has ended');
  const controller = new AbortController();
  const told: string[] = [];
  let nowMs = 0;
  let attempts = 0;
  const minute = (timeMs: number) => Math.round((timeMs / MINUTE_MS) * 100) / 100;
  const sleep = (durationMs: number, signal?: AbortSignal) => {
    assert.ok(durationMs > 0 && durationMs <= 30_000);
    nowMs += durationMs;
    if (nowMs >= endsMs) controller.abort(ended);
    return signal?.aborted === true ? Promise.reject(ended) : Promise.resolve();
  };
  const end = await keepRenewed({
    expiresAtMs: HOUR_MS,
    clock: { nowMs: () => nowMs, sleep },
    signal: controller.signal,
    renew: () => {
      attempts += 1;
      return new Promise((resolve) => {
        resolve(nowMs + renew(attempts, nowMs));
      });
    },
    events: {
      renewed: ({ nextAtMs }) => {
        told.push(`${minute(nowMs)}: renewed, next at ${minute(nextAtMs)}`);
        return Promise.resolve();
      },
      failed: ({ message }, { expiresAtMs }) => {
        told.push(`${minute(nowMs)}: ${message}, until ${minute(expiresAtMs)}`);
        return Promise.resolve();
      },
    },
  }).catch((error: unknown) => `${minute(nowMs)}: ${String(error)}`);
  return [...told, end];
}

function refuse(message: string, transient?: Transient): never {
  throw failure(message, transient);
}

test('credentials are renewed after two thirds of their lifetime, until the job ends', async () => {
  assert.deepEqual(await timeline({ renew: () => HOUR_MS, endsMs: 2 * HOUR_MS }), [
    '40: renewed, next at 80',
    '80: renewed, next at 120',
    '120: Error: the job has ended',
  ]);
});

test('the actual lifetime counts, which a cluster may have shortened meanwhile', async () => {
  const lifetimesMs = [30 * MINUTE_MS, 15 * MINUTE_MS];
  const [first, second] = await timeline({
    renew: (attempt) => lifetimesMs[attempt - 1] ?? HOUR_MS,
    endsMs: 80 * MINUTE_MS,
  });
  assert.deepEqual([first, second], ['40: renewed, next at 60', '60: renewed, next at 70']);
});

test('a failure is tried again with growing pauses, and the next success ends it', async () => {
  const renew = (attempt: number) => (attempt <= 3 ? refuse('denied') : HOUR_MS);
  assert.deepEqual((await timeline({ renew, endsMs: HOUR_MS })).slice(0, 4), [
    '40: denied, until 60',
    '40.25: denied, until 60',
    '40.75: denied, until 60',
    '41.75: renewed, next at 81.75',
  ]);
});

test('a final failure ends the renewals when the credentials have expired, and not before', async () => {
  const events = await timeline({ renew: () => refuse('denied') });
  assert.equal(events.at(-2), '57.75: denied, until 60');
  assert.equal(events.at(-1), '60: MachineIdError: denied');
  assert.equal(events.length, 9);
});

test('a temporary failure is tried again even after that, every five minutes', async () => {
  const renew = (attempt: number) => (attempt < 12 ? refuse('unreachable', {}) : HOUR_MS);
  const events = await timeline({ renew, endsMs: 100 * MINUTE_MS });
  assert.deepEqual(events.slice(-4), [
    '65: unreachable, until 60',
    '70: unreachable, until 60',
    '75: renewed, next at 115',
    '100: Error: the job has ended',
  ]);
});

test('a cluster that grants no more time is asked with growing pauses', async () => {
  const renew = (_attempt: number, nowMs: number) => 100 * MINUTE_MS - nowMs;
  const events = await timeline({ renew, endsMs: 120 * MINUTE_MS });
  const minutes = events.map((event) => event.split(':', 1)[0]);
  const afterwards = ['101.26', '105.26', '110.26', '115.26', '120.26'];
  assert.deepEqual(minutes, ['40', '80', '93.33', '97.78', '99.26', ...afterwards]);
});

test('credentials that have expired already are renewed at once', () => {
  assert.equal(nextRenewalMs(HOUR_MS, HOUR_MS / 2), HOUR_MS);
});
