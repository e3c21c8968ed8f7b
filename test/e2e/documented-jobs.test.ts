/** Runs every config in a document as a job. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { parse } from 'yaml';
import { blocks } from '../docs/documents.ts';
import { list, mapping } from '../job-runner/mapping.ts';
import { cluster, runExample, testJobs } from './example-jobs.ts';

/** Keyed by the place of each config. Configs without the orb are tested elsewhere. */
const documented = blocks
  .filter(({ language, text }) => language === 'yaml' && text.includes('machine-id: teleport/machine-id@'))
  // networks-page.test.ts runs them in their topologies.
  .filter(({ place, text }) => !place.startsWith('docs/how-to/networks.md') || !text.includes('machine-id/join'))
  .map(({ place, text }) => [place, text] as const);

testJobs(documented);

test('the advice of the quick start finds why a join failed', async (t) => {
  const [advice] = blocks.filter(({ place, text }) => place.startsWith('docs/quick-start.md') && text.startsWith('- '));
  const [[path, text] = ['', '']] = documented.filter(
    ([place, one]) => place.startsWith('docs/quick-start.md') && one.includes('machine-id/join'),
  );
  const { jobs, ...rest } = mapping(parse(text), path);
  const { steps, ...job } = mapping(mapping(jobs, path).deploy, 'deploy');
  const all = [...list(steps, 'steps'), ...list(parse(advice?.text ?? ''), 'advice')];
  const config = { ...rest, jobs: { deploy: { ...job, steps: all } } };
  for (const [token, exitCode] of [
    [await cluster.mint(), 0],
    ['no token', 1],
  ] as const) {
    const result = await runExample(t, { config, job: 'deploy', token });
    assert.equal(result.exitCode, exitCode, result.steps.map(({ stderr }) => stderr).join('\n'));
    const { stdout = '' } = result.steps.at(-1) ?? {};
    assert.equal(/^fail {2}/m.test(stdout), exitCode !== 0, stdout);
  }
});
