import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  isTransientGrpcStatus,
  isTransientHttpStatus,
  RETRY_POLICY,
  type RetryOptions,
} from '../../src/effects/retry.ts';
import { MachineIdError, type Transient } from '../../src/errors.ts';
import { fakeClock } from './fake-clock.ts';
import { testRetries } from './retries.ts';

function failure(transient: Transient = {}) {
  return new MachineIdError('PROXY_UNREACHABLE', 'it is down', { hint: 'wait', transient });
}

const SILENCE = new MachineIdError('TIMEOUT', 'it is down', { hint: 'wait' });

/** Fails until `upAtMs`; each attempt takes `takesMs`. */
function downUntil(upAtMs: number, changes: Partial<RetryOptions> & { takesMs?: number; transient?: Transient } = {}) {
  const { takesMs = 0, transient = {}, ...options } = changes;
  const clock = fakeClock();
  const startMs = clock.elapsedMs();
  const limitsMs: number[] = [];
  const retries = testRetries({ clock, ...options });
  const attempt = () => {
    limitsMs.push(retries.attemptMs());
    clock.pass(takesMs);
    return clock.elapsedMs() - startMs >= upAtMs ? Promise.resolve('up') : Promise.reject(failure(transient));
  };
  return { clock, limitsMs, retries, done: () => retries.run(attempt), elapsedMs: () => clock.elapsedMs() - startMs };
}

test('pauses double up to the longest one, and each is logged with what failed and what happens next', async () => {
  const { clock, done, retries } = downUntil(20_000);
  assert.equal(await done(), 'up');
  assert.deepEqual(clock.waitsMs, [500, 1000, 2000, 4000, 8000, 8000]);
  assert.equal(retries.lines[0], 'it is down; trying again in 0.5 s (60 s left)');
  assert.equal(retries.lines.at(-1), 'it is down; trying again in 8 s (45 s left)');
});

for (const [draw, waitsMs] of [
  [0, [0, 0, 0]],
  [0.25, [125, 250, 500]],
  [0.999, [499.5, 999, 1998]],
] as const) {
  test(`a draw of ${draw} takes that part of each pause: full jitter`, async () => {
    const { clock, retries } = downUntil(0, { random: () => draw });
    let left = 3;
    await retries.run(() => (left-- > 0 ? Promise.reject(failure()) : Promise.resolve('up')));
    assert.deepEqual(clock.waitsMs, waitsMs);
  });
}

test('a Proxy that is down for two seconds, or for fifty, is waited for', async () => {
  for (const upAtMs of [2000, 50_000]) assert.equal(await downUntil(upAtMs, { random: () => 0.5 }).done(), 'up');
});

for (const deadlineMs of [500, 5000, 60_000, 600_000]) {
  test(`with a deadline of ${deadlineMs} ms the last try is shortly before it, and the failure says how often was tried`, async () => {
    const { done, elapsedMs, limitsMs } = downUntil(Infinity, { deadlineMs });
    await assert.rejects(done(), (error: unknown) => {
      assert.ok(error instanceof MachineIdError && error.transient === undefined);
      assert.match(
        error.message,
        new RegExp(
          `^it is down; gave up after ${limitsMs.length} tries in [\\d.]+ s \\(--deadline ${deadlineMs / 1000}\\)$`,
        ),
      );
      return true;
    });
    assert.equal(elapsedMs(), deadlineMs - Math.min(RETRY_POLICY.lastTryMs, deadlineMs / 5));
    assert.equal(limitsMs.at(-1), Math.min(5000, deadlineMs - elapsedMs()));
  });
}

for (const [draw, deadlineMs, lastMs] of [
  [0, 60_000, 55_000],
  [0.5, 60_000, 57_000],
  [1, 60_000, 59_000],
  [0, 15_000, 13_000],
  [0, 3000, 2200],
] as const) {
  test(`the last try before a deadline of ${deadlineMs} ms is at ${lastMs} ms if ${draw} is drawn for it`, async () => {
    const draws = [draw];
    const { done, elapsedMs } = downUntil(Infinity, { deadlineMs, random: () => draws.pop() ?? 1 });
    await assert.rejects(done(), /gave up after/);
    assert.equal(elapsedMs(), lastMs);
  });
}

test('no attempt may take longer than what is left once something has failed', async () => {
  const { done, limitsMs } = downUntil(Infinity, { timeoutMs: 30_000, takesMs: 9000 });
  await assert.rejects(done());
  assert.deepEqual(limitsMs.slice(0, 2), [30_000, 30_000]);
  assert.ok((limitsMs.at(-1) ?? 0) <= 10_000, limitsMs.join());
});

test('a run in which nothing fails is not cut short by the deadline, but each of its attempts is', () => {
  const clock = fakeClock();
  const retries = testRetries({ clock, timeoutMs: 30_000, deadlineMs: 20_000 });
  assert.equal(retries.attemptMs(), 20_000);
  clock.pass(100_000);
  assert.equal(retries.attemptMs(), 20_000);
  assert.equal(retries.hasFailed(), false);
});

test('after a failure nothing is started when the deadline has passed', async () => {
  const { clock, done, retries } = downUntil(1000);
  await done();
  assert.ok(retries.hasFailed());
  clock.pass(60_000);
  assert.throws(() => retries.attemptMs(), {
    code: 'TIMEOUT',
    message: 'the deadline of 60 s for the whole run has passed',
  });
  assert.equal(retries.withNewDeadline().attemptMs(), 5000);
});

test('the deadline is one for all work of a run', async () => {
  const { clock, retries } = downUntil(0);
  clock.pass(58_000);
  await assert.rejects(
    retries.run(() => Promise.reject(failure())),
    /gave up after 3 tries in 1 s/,
  );
});

describe('a final failure is thrown at once:', () => {
  for (const [what, error] of [
    ['one that cannot pass', new MachineIdError('JOIN_DENIED', 'no', { hint: 'ask' })],
    ['silence', SILENCE],
    ['an error of another kind', new TypeError('a fault of ours')],
  ] as const) {
    test(what, async () => {
      const { clock, retries } = downUntil(0);
      await assert.rejects(
        retries.run(() => Promise.reject(error)),
        error,
      );
      assert.deepEqual(clock.waitsMs, []);
    });
  }

  test('also after others that were not, and silence then says how often was tried', async () => {
    for (const last of [SILENCE, new MachineIdError('JOIN_DENIED', 'it is down', { hint: '' })]) {
      const failures = [failure(), last];
      const { retries } = downUntil(0);
      const suffix = last.code === 'TIMEOUT' ? '; gave up after 2 tries in 0.5 s (--deadline 60)' : '';
      await assert.rejects(
        retries.run(() => Promise.reject(failures.shift() ?? new Error('a try too many'))),
        { code: last.code, message: `it is down${suffix}` },
      );
    }
  });
});

describe('Retry-After', () => {
  const DATE = 'Thu, 01 Jan 2026 12:00:00 GMT';
  const { retries } = downUntil(0);
  const asked = (headers: Record<string, string>) => retries.askedPauseMs({ get: (name) => headers[name] });

  for (const [value, pauseMs] of [
    ['0', 0],
    ['7', 7000],
    [' 120 ', 120_000],
    ['Thu, 01 Jan 2026 12:00:05 GMT', 5000],
    ['Thursday, 01-Jan-26 12:00:05 GMT', 5000],
    ['Thu, 01 Jan 2015 00:00:05 GMT', 0],
    ['soon', undefined],
    ['-1', undefined],
    ['1.5', undefined],
    ['2026', 2_026_000],
    ['', undefined],
  ] as const) {
    test(`"${value}" asks for ${pauseMs ?? 'nothing'}`, () => {
      assert.equal(asked({ 'retry-after': value, date: DATE }), pauseMs);
    });
  }

  test("a date is read by the server's clock, or by ours when it has none", () => {
    assert.equal(asked({ 'retry-after': 'Thu, 01 Jan 2026 00:00:05 GMT' }), 5000);
    assert.equal(asked({ 'retry-after': 'Thu, 01 Jan 2026 00:00:05 GMT', date: 'no date' }), 5000);
    assert.equal(asked({}), undefined);
  });

  test('is waited for, and longer by the pause that is drawn', async () => {
    const { clock, done } = downUntil(1, { transient: { afterMs: 7000 }, random: () => 0.5 });
    await done();
    assert.deepEqual(clock.waitsMs, [7250]);
  });

  test('a wait beyond the deadline ends the work at once, and the error names the deadline', async () => {
    const { clock, done } = downUntil(Infinity, { transient: { afterMs: 120_000 } });
    await assert.rejects(done(), {
      message:
        'it is down; the server asks to wait 120 s, but only 60 s are left; gave up after 1 try in 0 s (--deadline 60)',
    });
    assert.deepEqual(clock.waitsMs, []);
  });
});

test('the end of the job ends a pause with its own reason', async () => {
  const reason = new MachineIdError('INTERRUPTED', 'interrupted by SIGTERM', { hint: 'run it again' });
  const sleep = () => Promise.reject(new Error('The operation was aborted'));
  const retries = testRetries({ clock: { ...fakeClock(), sleep }, signal: AbortSignal.abort(reason) });
  await assert.rejects(
    retries.run(() => Promise.reject(failure())),
    reason,
  );
});

test('a failure that another waits for is counted', async () => {
  const clock = fakeClock();
  const tries = testRetries({ clock, deadlineMs: 5000 }).begin();
  tries.countFailure(failure());
  await tries.waitToRetry(failure());
  assert.deepEqual(clock.waitsMs, [1000]);
  assert.throws(
    () => {
      tries.countFailure(new MachineIdError('AUTH_DENIED', 'no', { hint: 'ask' }));
    },
    { code: 'AUTH_DENIED' },
  );
});

test('which statuses may pass', () => {
  const statuses = Array.from({ length: 200 }, (_, at) => at + 400);
  assert.deepEqual(
    statuses.filter((status) => isTransientHttpStatus(status, 'Teleport')),
    [408, 429, 502, 503, 504],
  );
  assert.deepEqual(
    statuses.filter((status) => isTransientHttpStatus(status, 'other')),
    [408, 429, 500, 502, 503, 504],
  );
  for (const status of ['Unavailable', 'ResourceExhausted', 'Canceled']) assert.ok(isTransientGrpcStatus(status));
  for (const status of ['PermissionDenied', 'Unknown', 'Internal', 'Aborted'])
    assert.ok(!isTransientGrpcStatus(status));
});
