import assert from 'node:assert/strict';
import { test } from 'node:test';
import { downloadProgress } from '../../../src/commands/install-tools/progress.ts';
import { fakeClock } from '../../effects/fake-clock.ts';

const TOTAL = 200_000_000;

/** Ten chunks, one each second. */
function shown(isTerminal: boolean, totalBytes: number | undefined): readonly string[] {
  const clock = fakeClock();
  const written: string[] = [];
  const progress = downloadProgress({ clock, isTerminal, write: (line) => written.push(line) });
  for (let second = 1; second <= 10; second += 1) {
    clock.pass(1000);
    progress.report((TOTAL / 10) * second, totalBytes);
  }
  progress.end();
  return written;
}

test('in a log, progress is printed at intervals and at the end', () => {
  assert.deepEqual(shown(false, TOTAL), [
    'downloaded 50% of 200.0 MB, 20.0 MB/s\n',
    'downloaded 100% of 200.0 MB, 20.0 MB/s\n',
  ]);
});

test('on a terminal, one line is overwritten and then ended', () => {
  const written = shown(true, TOTAL);
  assert.equal(written.length, 11);
  assert.ok(written.slice(0, -1).every((line) => line.startsWith('\r') && !line.includes('\n')));
  assert.equal(written.at(-1), '\n');
});

test('an unknown total length is not guessed', () => {
  assert.equal(shown(false, undefined)[0], 'downloaded 100.0 MB, 20.0 MB/s\n');
});

test('a short download prints no progress before its end', () => {
  const written: string[] = [];
  const progress = downloadProgress({ clock: fakeClock(), isTerminal: false, write: (line) => written.push(line) });
  progress.report(10, 100);
  progress.end();
  assert.deepEqual(written, []);
});
