// A reporter of Node's test runner: writes the counts as JSON when all tests have ended. A test says with
// `diagnostic(JSON.stringify({ suite, cases, passed }))` how many cases of a suite it has run.
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

/** A file that takes too long or crashes fails under its path, which says too much about the machine. */
function nameOf(name) {
  return isAbsolute(name) && name.endsWith('js') ? basename(name) : name;
}
