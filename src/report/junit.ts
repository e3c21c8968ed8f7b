/** Checks as JUnit's XML, which CircleCI's store_test_results shows. */

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

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** Without what XML 1.0 section 2.2 does not allow, escaped or not: most control characters, lone surrogates. */
function escaped(text: string): string {
  return (
    text
      // eslint-disable-next-line no-control-regex -- control characters are what must go
      .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff\p{Surrogate}]/gu, ' ')
      .replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character)
  );
}
