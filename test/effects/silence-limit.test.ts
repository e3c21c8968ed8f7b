import assert from 'node:assert/strict';
import test from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { limitSilence } from '../../src/effects/time.ts';
import { MachineIdError } from '../../src/errors.ts';

const FAST = { waitingFor: 'cdn.example.com', timeoutMs: 30 };

/** As a request does, it ends with an error of its own when the signal is aborted. */
function heeding(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      reject(new Error('aborted'));
    });
  });
}

test('a wait that is too long ends with the limit as its reason', async () => {
  const limit = limitSilence(FAST);
  await assert.rejects(limit.wait(heeding(limit.signal)), {
    code: 'TIMEOUT',
    message: 'cdn.example.com sent nothing for 0.03 s',
  });
});

test('many waits may take longer together, and the time between them does not count', async () => {
  const limit = limitSilence(FAST);
  for (let wait = 0; wait < 5; wait += 1) assert.equal(await limit.wait(delay(10, 'part')), 'part');
  await delay(60);
  assert.equal(await limit.wait(Promise.resolve('next')), 'next');
});

test('an interruption ends a wait with its own reason, before or during it', async () => {
  const reason = new MachineIdError('INTERRUPTED', 'interrupted by SIGTERM', { hint: 'run it again' });
  const outer = new AbortController();
  const limit = limitSilence({ ...FAST, timeoutMs: 10_000, signal: outer.signal });
  const waiting = limit.wait(heeding(limit.signal));
  outer.abort(reason);
  await assert.rejects(waiting, reason);
  const late = limitSilence({ ...FAST, signal: AbortSignal.abort(reason) });
  assert.equal(late.signal.reason, reason);
});

test('what fails by itself is thrown as it is', async () => {
  const failure = new Error('reset');
  await assert.rejects(limitSilence(FAST).wait(Promise.reject(failure)), failure);
});

test('the end aborts what still heeds the signal', () => {
  const limit = limitSilence(FAST);
  limit.end();
  assert.ok(limit.signal.aborted);
});
