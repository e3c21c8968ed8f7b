import assert from 'node:assert/strict';
import test from 'node:test';
import { outputOf } from './programs.ts';

/** Imported where it is, not compiled into this file, as Node's test runner does. */
const REPORTER = `
  import { withSources } from './scripts/test-reporter.mjs';
  process.stdout.write(withSources(process.argv[1]));`;

test('a failed test is reported with the positions in its sources', () => {
  const { stack = '' } = new Error('here');
  assert.doesNotMatch(stack, /test\/test-reporter\.test\.ts/);
  const environment = { TEST_BUILD: process.env.TEST_BUILD ?? '' };
  const reported = outputOf(process.execPath, ['--input-type=module', '--eval', REPORTER, stack], { environment });
  assert.match(reported, /\(test\/test-reporter\.test\.ts:11:\d+\)/);
});
