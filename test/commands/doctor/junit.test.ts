import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { junitXml, type TestCase } from '../../../src/commands/doctor/junit.ts';
import { missing, runProgram } from '../../programs.ts';
import { temporaryFolder } from '../../temporary-folder.ts';

const skip = missing('xmllint');

const CASES: readonly TestCase[] = [
  { name: 'one', state: 'pass', detail: 'well' },
  { name: 'two', state: 'warn', detail: 'nearly', fix: 'look' },
  { name: 'three', state: 'fail', detail: 'first\nsecond', fix: 'mend it' },
  { name: 'four', state: 'skip', detail: 'no reason' },
];

async function valueOf(t: TestContext, xml: string, path: string): Promise<string> {
  const file = join(await temporaryFolder(t), 'results.xml');
  await writeFile(file, xml);
  const { exitCode, stderr, stdout } = await runProgram('xmllint', ['--nonet', '--xpath', path, file]);
  assert.equal(exitCode, 0, stderr);
  return stdout.trim();
}

test('counts, failures and reasons are where JUnit readers expect them', { skip }, async (t) => {
  const xml = junitXml('a suite', CASES);
  for (const [path, expected] of [
    ['string(/testsuites/testsuite/@name)', 'a suite'],
    ['string(/testsuites/testsuite/@tests)', '4'],
    ['string(/testsuites/testsuite/@failures)', '1'],
    ['string(/testsuites/testsuite/@skipped)', '1'],
    ['count(//testcase)', '4'],
    ['string(//testcase[@name="two"]/system-out)', 'warning: nearly\nlook'],
    ['string(//testcase[@name="three"]/failure/@message)', 'first'],
    ['string(//testcase[@name="three"]/failure)', 'first\nsecond\nmend it'],
    ['string(//testcase[@name="four"]/skipped/@message)', 'no reason'],
  ] as const) {
    assert.equal(await valueOf(t, xml, path), expected, path);
  }
});

test('any text survives: the document is valid and contains the same text', { skip }, async (t) => {
  const text = `<a href="x">&amp; 'quoted' ]]> grün`;
  const xml = junitXml(text, [{ name: text, state: 'fail', detail: text }]);
  assert.equal(await valueOf(t, xml, 'string(//testcase/@name)'), text);
  assert.equal(await valueOf(t, xml, 'string(//failure)'), text);
});

test('characters that XML cannot represent become spaces', { skip }, async (t) => {
  const xml = junitXml('s', [{ name: 'a\u0000b\u001bc\ufffed\ud800e', state: 'pass', detail: '' }]);
  assert.equal(await valueOf(t, xml, 'string(//testcase/@name)'), 'a b c d e');
});
