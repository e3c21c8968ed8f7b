import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { textOf } from './documents.ts';
import { links, sections, tableRows } from './markdown.ts';
import { testNamesIn } from './test-names.ts';

function rowsOf(heading: string): readonly (readonly string[])[] {
  const section = sections(textOf('docs/explanation/security.md')).find((one) => one.heading === heading);
  assert.ok(section !== undefined, heading);
  return tableRows(section.text);
}

const UNITS: Readonly<Record<string, number>> = {
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  s: 1000,
  characters: 1,
};

function limitOf(text: string): number {
  const [number = '', unit = ''] = text.split(' ');
  return Number(number) * (UNITS[unit] ?? Number.NaN);
}

/** What its constants of numbers come to: `const A = 4 * 1024 ** 2;`, `maxBytes: 64 * 1024`. */
function numbersIn(source: string): readonly number[] {
  return [
    ...source.matchAll(
      /(?:const [A-Z_]+ =|maxBytes:|timeoutMs:|deadlineMs:|agentTimeoutMs:) ([\d_]+(?: \*\*? [\d_]+)*)[;, ]/g,
    ),
  ].map(([, expression = '']) =>
    expression
      .replaceAll('_', '')
      .split(/ \* /)
      .map((factor) => factor.split(' ** ').map(Number))
      .reduce((product, [base = Number.NaN, power = 1]) => product * base ** power, 1),
  );
}

test('the limits are those of the source', () => {
  const told = rowsOf('Limits');
  assert.ok(told.length >= 10);
  for (const [what = '', limit = '', file = ''] of told) {
    const [path = ''] = links(file);
    const numbers = numbersIn(readFileSync(join('docs/explanation', path), 'utf8'));
    assert.ok(numbers.includes(limitOf(limit)), `${what}: ${limit} is none of ${numbers.join(', ')} in ${path}`);
  }
});

test('each threat that the program does something against is tried by a test', () => {
  const threats = rowsOf('Threats');
  assert.ok(threats.length >= 15);
  for (const [threat = '', , tried = ''] of threats) {
    assert.ok(links(tried).length > 0, threat);
    for (const path of links(tried)) assert.match(path, /\.test\.ts$/, threat);
  }
});

const MODEL = sections(textOf('SECURITY.md')).filter(({ heading }) => !['Security', 'Reporting'].includes(heading));
const PROMISES = MODEL.flatMap(({ text }) => [
  ...text.split(/^(?=(?:- |\d+\. |\| ))|\n\n/m).filter((part) => /^(?:- |\d+\. )/.test(part)),
  ...[...text.matchAll(/^\|(?! -|-).*\|$/gm)]
    .map(([row]) => row)
    .filter((row) => !/^\| \w+ +\| [^[]*\| Tests? *\|$/.test(row)),
]);
const WITHOUT_TEST = /^- \*\*(?:Not promised|The limit of that check):\*\*/;

test('each statement of the threat model names tests that exist', () => {
  assert.ok(PROMISES.length >= 40, String(PROMISES.length));
  for (const promise of PROMISES.filter((one) => !WITHOUT_TEST.test(one))) {
    const tests = [...promise.matchAll(/\[([^\]]+)\]\((test\/[^)]+\.test\.ts)\)/g)];
    assert.notEqual(tests.length, 0, promise);
    for (const [, name = '', path = ''] of tests) {
      assert.ok(testNamesIn(path).includes(name), `${path} has no test "${name}"`);
    }
  }
});
