/** Checks as JUnit's XML, which CircleCI's store_test_results shows. */
import { escaped } from './escape.ts';

export interface TestCase {
  readonly name: string;
  readonly state: 'pass' | 'warn' | 'fail' | 'skip';
  readonly detail: string;
  readonly cure?: string;
}

/** One suite; a warning is a test that passed and has something to say. */
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

function testCase(suite: string, { cure, detail, name, state }: TestCase): string {
  const words = escaped(cure === undefined ? detail : `${detail}\n${cure}`);
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
