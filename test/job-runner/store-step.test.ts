import assert from 'node:assert/strict';
import test from 'node:test';
import { stringify } from 'yaml';
import { temporaryFolder } from '../temporary-folder.ts';
import { runJob } from './run-job.ts';

test('the files that a job stores are listed, even after a failure, and a missing path does not fail the job', async (context) => {
  const home = await temporaryFolder(context);
  const steps = [
    { run: 'mkdir -p results/a; echo 1 >results/a/one.xml; echo 2 >two.html; exit 3' },
    { store_test_results: { path: 'results' } },
    { store_artifacts: { path: 'two.html', destination: 'page' } },
    { store_artifacts: { path: 'nowhere' } },
  ];
  const config = stringify({ version: 2.1, jobs: { work: { machine: true, steps } } });
  const result = await runJob({ config, job: 'work', home });
  assert.equal(result.exitCode, 3);
  const [, results, page, nothing] = result.steps;
  assert.deepEqual([results?.name, results?.stdout], ['Uploading test results', 'a/one.xml\n']);
  assert.deepEqual([page?.name, page?.stdout], ['Uploading artifacts', `${home}/project/two.html\n`]);
  assert.equal(nothing?.stdout, 'No files found\n');
});
