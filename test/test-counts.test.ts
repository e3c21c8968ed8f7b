/** The counts of Node's test runner that the conformance page shows. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { outputOf, runProgram } from './programs.ts';
import { temporaryFolder } from './temporary-folder.ts';

const SOURCE = `
const { describe, test } = require('node:test');
describe('a suite is not counted', () => {
  test('passes', (t) => t.diagnostic(JSON.stringify({ suite: 'some suite', cases: 3, passed: 2 })));
  test('fails', () => Promise.reject(new Error('as it should')));
});
test('is skipped', { skip: 'for a reason' }, () => undefined);
`;

test('tests are counted by their outcome, with the failed ones by name and without paths of this machine', async (t) => {
  const folder = await temporaryFolder(t);
  const [good, broken, counts] = ['good.test.cjs', 'broken.test.cjs', 'counts.json'].map((name) => join(folder, name));
  assert.ok(good !== undefined && broken !== undefined && counts !== undefined);
  await writeFile(good, SOURCE);
  await writeFile(broken, 'process.exit(3);');
  const reporter = ['--test-reporter=./scripts/conformance/test-counts.mjs', `--test-reporter-destination=${counts}`];
  // Without NODE_TEST_CONTEXT, which makes a runner inside a test report to that one.
  const { exitCode } = await runProgram(process.execPath, ['--test', ...reporter, good, broken], { environment: {} });
  assert.equal(exitCode, 1);
  const seen: unknown = JSON.parse(await readFile(counts, 'utf8'));
  assert.deepEqual(seen, {
    passed: 1,
    skipped: 1,
    failures: ['broken.test.cjs', 'fails'],
    suites: [{ suite: 'some suite', cases: 3, passed: 2 }],
  });
});

const SUM = `
  import { sumCounts } from './scripts/conformance/test-counts.mjs';
  const [, sum, ...parts] = process.argv;
  sumCounts(parts, sum);`;

test('the counts of several runs become one', async (t) => {
  const folder = await temporaryFolder(t);
  const [first, second, sum] = ['first', 'second', 'sum'].map((name) => join(folder, name));
  assert.ok(first !== undefined && second !== undefined && sum !== undefined);
  await writeFile(first, JSON.stringify({ passed: 2, skipped: 1, failures: ['a'], suites: [] }));
  await writeFile(
    second,
    JSON.stringify({ passed: 3, skipped: 0, failures: ['b'], suites: [{ suite: 's', cases: 1, passed: 1 }] }),
  );
  outputOf(process.execPath, ['--input-type=module', '--eval', SUM, sum, first, second]);
  const seen: unknown = JSON.parse(await readFile(sum, 'utf8'));
  assert.deepEqual(seen, {
    passed: 5,
    skipped: 1,
    failures: ['a', 'b'],
    suites: [{ suite: 's', cases: 1, passed: 1 }],
  });
});
