import assert from 'node:assert/strict';
import test from 'node:test';
import { openAccount } from '../../src/outputs/journal.ts';

function clockAt(start: number) {
  let nowMs = start;
  const pass = (durationMs: number) => {
    nowMs += durationMs;
  };
  return { clock: { elapsedMs: () => nowMs }, pass };
}

test('spans can overlap, start at the beginning of the account, and are sorted by their start', async () => {
  const { clock, pass } = clockAt(1000.4);
  const account = openAccount(clock);
  pass(5);
  const end = account.begin('cluster', 'first');
  await account.during('job', 'second', () => {
    pass(10.3);
    return Promise.resolve();
  });
  pass(1);
  end();
  assert.deepEqual(account.spans(), [
    { kind: 'cluster', name: 'first', startMs: 5, endMs: 16, outcome: 'done' },
    { kind: 'job', name: 'second', startMs: 5, endMs: 15, outcome: 'done' },
  ]);
});

test('what rejects has failed, and its error comes through', async () => {
  const { clock, pass } = clockAt(0);
  const account = openAccount(clock);
  const refused = new Error('refused');
  const work = account.during('cluster', 'Join', () => {
    pass(7);
    return Promise.reject(refused);
  });
  await assert.rejects(work, refused);
  assert.deepEqual(account.spans(), [{ kind: 'cluster', name: 'Join', startMs: 0, endMs: 7, outcome: 'failed' }]);
});

test('what has not ended lasts until now, and ends once only', () => {
  const { clock, pass } = clockAt(0);
  const account = openAccount(clock);
  const end = account.begin('job', 'Keys');
  pass(3);
  assert.deepEqual(account.spans(), [{ kind: 'job', name: 'Keys', startMs: 0, endMs: 3, outcome: 'unfinished' }]);
  end();
  pass(3);
  end();
  assert.deepEqual(account.spans(), [{ kind: 'job', name: 'Keys', startMs: 0, endMs: 3, outcome: 'done' }]);
});

test('what is learnt later does not take away what was known', () => {
  const account = openAccount(clockAt(0).clock);
  account.learn({ cluster: 'a', bot: 'ci' });
  account.learn({ cluster: 'b' });
  assert.deepEqual(account.facts(), { cluster: 'b', bot: 'ci' });
});
