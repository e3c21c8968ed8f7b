/** The checks as JUnit XML, which CircleCI's store_test_results shows. */
import type { World } from '../../effects/world.ts';
import { escaped } from '../html.ts';
import { writeReportFile } from '../report-file.ts';
import type { Check } from './check.ts';

export interface TestCase {
  readonly name: string;
  readonly state: 'pass' | 'warn' | 'fail' | 'skip';
  readonly detail: string;
  readonly fix?: string;
}

/** One test suite; a warning is a passed test with output. */
export function junitXml(suite: string, cases: readonly TestCase[]): string {
  const count = (state: TestCase['state']) => cases.filter((one) => one.state === state).length;
  const totals = `tests="${cases.length}" failures="${count('fail')}" errors="0" skipped="${count('skip')}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${totals}>`,
    `  <testsuite name="${escaped(suite)}" ${totals}>`,
    ...cases.map((one) => testCase(suite, one)),
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

function testCase(suite: string, { fix, detail, name, state }: TestCase): string {
  const words = escaped(fix === undefined ? detail : `${detail}\n${fix}`);
  const head = `    <testcase classname="${escaped(suite)}" name="${escaped(name)}" time="0"`;
  switch (state) {
    case 'pass':
    case 'warn':
      return `${head}><system-out>${state === 'warn' ? `warning: ${words}` : words}</system-out></testcase>`;
    case 'fail':
      return `${head}><failure message="${escaped(firstLine(detail))}">${words}</failure></testcase>`;
    case 'skip':
      return `${head}><skipped message="${words}"/></testcase>`;
    default:
      return state satisfies never;
  }
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}

/**
 * Writes the file of `--junit`, all or nothing.
 * @param given the path on the command line
 */
export async function writeJunit(given: string, checks: readonly Check[], world: World): Promise<void> {
  const text = junitXml(
    'teleport/machine-id doctor',
    checks.map(({ title, ...one }) => ({ ...one, name: title })),
  );
  await writeReportFile({ flag: '--junit', given, text }, world);
}
