import assert from 'node:assert/strict';
import test from 'node:test';
import { retry } from '../../src/effects/retry.ts';

/** A clock that notes the pauses and never waits. */
function fakeClock() {
  const sleptMs: number[] = [];
  return {
    sleptMs,
    nowMs: () => 0,
    elapsedMs: () => 0,
    sleep: (durationMs: number) => {
      sleptMs.push(durationMs);
      return Promise.resolve();
    },
  };
}

function failing(times: number): () => Promise<string> {
  let left = times;
  return () => (left-- > 0 ? Promise.reject(new Error(`failure ${left}`)) : Promise.resolve('done'));
}

test('the pauses of the list are taken in order until a try succeeds', async () => {
  const clock = fakeClock();
  const options = { delaysMs: [300, 1000, 5000], worthAnotherTry: () => true, onRetry: () => undefined, clock };
  assert.equal(await retry(failing(2), options), 'done');
  assert.deepEqual(clock.sleptMs, [300, 1000]);
});

test('the last failure is thrown when the list is used up', async () => {
  const clock = fakeClock();
  const options = { delaysMs: [300], worthAnotherTry: () => true, onRetry: () => undefined, clock };
  await assert.rejects(retry(failing(9), options), /failure 7/);
  assert.deepEqual(clock.sleptMs, [300]);
});

test('a failure that is not worth another try is thrown at once', async () => {
  const clock = fakeClock();
  const options = { delaysMs: [300], worthAnotherTry: () => false, onRetry: () => undefined, clock };
  await assert.rejects(retry(failing(1), options), /failure 0/);
  assert.deepEqual(clock.sleptMs, []);
});
