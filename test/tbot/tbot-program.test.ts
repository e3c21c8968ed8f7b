import assert from 'node:assert/strict';
import test from 'node:test';
import type { ProgramExit } from '../../src/effects/programs.ts';
import { failureOf } from '../../src/tbot/program.ts';

const failures: readonly (readonly [ended: ProgramExit, code: string, message: string])[] = [
  [{ outcome: 'exited', exitCode: 1 }, 'TBOT_FAILED', 'tbot ended with exit code 1'],
  [{ outcome: 'killed', by: 'SIGKILL' }, 'TBOT_FAILED', 'tbot was ended by SIGKILL'],
  [{ outcome: 'late' }, 'TBOT_FAILED', 'tbot did not end within 8 minutes'],
  [{ outcome: 'not started', reason: 'ENOENT' }, 'TBOT_MISSING', 'tbot is not on PATH'],
  [{ outcome: 'not started', reason: 'EACCES' }, 'TBOT_MISSING', 'tbot cannot be started (EACCES)'],
];

for (const [ended, code, message] of failures) {
  test(`"${message}" is ${code}`, () => {
    const failure = failureOf(ended);
    assert.deepEqual([failure?.code, failure?.message], [code, message]);
  });
}

test('a tbot that ends with 0 has not failed', () => {
  assert.equal(failureOf({ outcome: 'exited', exitCode: 0 }), undefined);
});
