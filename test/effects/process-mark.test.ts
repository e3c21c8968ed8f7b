import assert from 'node:assert/strict';
import test from 'node:test';
import { mayStillRun, processMark } from '../../src/effects/processes.ts';

const MINUTE_MS = 60_000;

/** That of another process in the same place. */
function markOf(processId: number): string {
  return processMark().replace(/-[0-9a-z]+$/, `-${processId.toString(36)}`);
}

test('a file of a process that runs is in use, also after a jump of the clock', () => {
  const running = markOf(process.ppid);
  assert.equal(mayStillRun(running, Date.now()), true);
  assert.equal(mayStillRun(running, Date.now() - 60 * MINUTE_MS), true);
  assert.equal(
    mayStillRun(running, Date.now() - 25 * 60 * MINUTE_MS),
    false,
    'by now, the id is that of another process',
  );
});

test('a file of a process that has ended, or of an earlier one with the id of this one, is not', () => {
  assert.equal(mayStillRun(markOf(2 ** 22 + 1), Date.now()), false);
  assert.equal(mayStillRun(processMark(), Date.now()), false);
  assert.equal(mayStillRun('no mark', Date.now()), false);
});

test('a file of another host or container is in use for five minutes', () => {
  const elsewhere = `abcdef-${process.ppid.toString(36)}`;
  assert.equal(mayStillRun(elsewhere, Date.now()), true);
  assert.equal(mayStillRun(elsewhere, Date.now() - 6 * MINUTE_MS), false);
});
