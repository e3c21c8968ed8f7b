import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import test from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { limitSilence, systemClock, withDeadline, withOwnSignal } from '../../src/effects/time.ts';
import { MachineIdError } from '../../src/errors.ts';

const FAST = { waitingFor: 'the Proxy', timeoutMs: 20 };

test('work that never ends is ended by the deadline, which says who was waited for', async () => {
  await assert.rejects(
    withDeadline(FAST, () => new Promise(() => undefined)),
    { code: 'TIMEOUT', message: 'the Proxy did not respond within 0.02 s' },
  );
});

test('the signal tells work that the deadline has passed', async () => {
  let heard: unknown;
  const work = (signal: AbortSignal) =>
    new Promise<never>(() => {
      signal.addEventListener('abort', () => {
        heard = signal.reason;
      });
    });
  await assert.rejects(withDeadline(FAST, work), { code: 'TIMEOUT' });
  assert.ok(heard instanceof Error);
});

test('an outer signal ends the wait with its own reason', async () => {
  const outer = new AbortController();
  const reason = new Error('interrupted');
  const wait = withDeadline(
    { waitingFor: 'x', timeoutMs: 60_000, signal: outer.signal },
    () => new Promise(() => undefined),
  );
  outer.abort(reason);
  await assert.rejects(wait, reason);
});

test('a signal that is aborted already starts no work', async () => {
  const reason = new Error('interrupted');
  let started = false;
  const work = () => {
    started = true;
    return Promise.resolve();
  };
  await assert.rejects(withDeadline({ ...FAST, signal: AbortSignal.abort(reason) }, work), reason);
  assert.equal(started, false);
});

test('the result and the failure of the work pass through', async () => {
  assert.equal(await withDeadline(FAST, () => Promise.resolve(7)), 7);
  const failure = new Error('below');
  await assert.rejects(
    withDeadline(FAST, () => Promise.reject(failure)),
    failure,
  );
});

const SILENT = { waitingFor: 'cdn.example.com', timeoutMs: 30 };

/** As a request does, it ends with an error of its own when the signal is aborted. */
function heeding(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      reject(new Error('aborted'));
    });
  });
}

test('a wait that is too long ends with the limit as its reason', async () => {
  const limit = limitSilence(SILENT);
  await assert.rejects(limit.wait(heeding(limit.signal)), {
    code: 'TIMEOUT',
    message: 'cdn.example.com sent nothing for 0.03 s',
  });
});

test('many waits may take longer together, and the time between them does not count', async () => {
  const limit = limitSilence(SILENT);
  for (let wait = 0; wait < 5; wait += 1) assert.equal(await limit.wait(delay(10, 'part')), 'part');
  await delay(60);
  assert.equal(await limit.wait(Promise.resolve('next')), 'next');
});

test('an interruption ends a wait with its own reason, before or during it', async () => {
  const reason = new MachineIdError('INTERRUPTED', 'interrupted by SIGTERM', { hint: 'run it again' });
  const outer = new AbortController();
  const limit = limitSilence({ ...SILENT, timeoutMs: 10_000, signal: outer.signal });
  const waiting = limit.wait(heeding(limit.signal));
  outer.abort(reason);
  await assert.rejects(waiting, reason);
  const late = limitSilence({ ...SILENT, signal: AbortSignal.abort(reason) });
  assert.equal(late.signal.reason, reason);
});

test('what fails by itself is thrown as it is', async () => {
  const failure = new Error('reset');
  await assert.rejects(limitSilence(SILENT).wait(Promise.reject(failure)), failure);
});

test('the end aborts what still heeds the signal', () => {
  const limit = limitSilence(SILENT);
  limit.end();
  assert.ok(limit.signal.aborted);
});

test('work that is done again and again leaves no listeners on the signal of the whole', async () => {
  const outer = new AbortController();
  const left: AbortSignal[] = [];
  for (let at = 0; at < 3; at += 1) {
    await withOwnSignal(outer.signal, (signal) => {
      signal.addEventListener('abort', () => undefined);
      left.push(signal);
      return Promise.resolve();
    });
  }
  assert.equal(getEventListeners(outer.signal, 'abort').length, 0);
  outer.abort(new Error('over'));
  assert.deepEqual(
    left.map(({ aborted }) => aborted),
    [false, false, false],
  );
});

test('a part of the work ends with the whole', async () => {
  const outer = new AbortController();
  const part = withOwnSignal(outer.signal, (signal) => systemClock.sleep(60_000, signal));
  outer.abort(new Error('over'));
  await assert.rejects(part, { name: 'AbortError' });
  await assert.rejects(
    withOwnSignal(outer.signal, (signal) => Promise.reject(signal.aborted ? new Error('at once') : new Error('never'))),
    { message: 'at once' },
  );
});
