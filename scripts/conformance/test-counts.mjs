// A reporter of Node's test runner: writes the counts as JSON when all tests have ended. A test says with
// `diagnostic(JSON.stringify({ suite, cases, passed }))` how many cases of a suite it has run.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, isAbsolute } from 'node:path';

/** @param {AsyncIterable<{ type: string, data: any }>} events */
export default async function* testCounts(events) {
  const counts = { passed: 0, skipped: 0, failures: [], suites: [] };
  for await (const { data, type } of events) {
    if (type === 'test:diagnostic' && data.message.startsWith('{')) counts.suites.push(JSON.parse(data.message));
    if ((type !== 'test:pass' && type !== 'test:fail') || data.details?.type === 'suite') continue;
    if (data.skip !== undefined && data.skip !== false) counts.skipped += 1;
    else if (type === 'test:pass') counts.passed += 1;
    else counts.failures.push(nameOf(data.name));
  }
  yield JSON.stringify(counts);
}

/**
 * @param {readonly string[]} parts files with the counts of one run each, which are removed
 * @param {string} path gets their sum
 */
export function sumCounts(parts, path) {
  const counts = parts.map((part) => JSON.parse(readFileSync(part, 'utf8')));
  for (const part of parts) rmSync(part);
  const total = (name) => counts.reduce((sum, one) => sum + one[name], 0);
  const all = (name) => counts.flatMap((one) => one[name]);
  const sum = { passed: total('passed'), skipped: total('skipped'), failures: all('failures'), suites: all('suites') };
  writeFileSync(path, JSON.stringify(sum));
}

/** A file that takes too long or crashes fails under its path, which says too much about the machine. */
function nameOf(name) {
  return isAbsolute(name) && name.endsWith('js') ? basename(name) : name;
}
