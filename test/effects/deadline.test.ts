import assert from 'node:assert/strict';
import test from 'node:test';
import { withDeadline } from '../../src/effects/time.ts';

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
