import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { resolveJob } from '../job-runner/job.ts';
import { mapping } from '../job-runner/mapping.ts';
import { exampleConfigs, jobsOf } from './examples.ts';
import { packedWith, version } from './source.ts';

const orb = packedWith('the script');
const JOINING: readonly unknown[] = [
  'Join the Teleport cluster',
  'Open tunnels through Teleport',
  'Run with Teleport credentials',
];

for (const [path, config] of exampleConfigs) {
  test(`every job of ${path} compiles with this orb`, () => {
    const jobs = jobsOf(config);
    assert.notEqual(jobs.length, 0);
    for (const job of jobs) {
      const { steps } = resolveJob({ config, orbs: { 'machine-id': orb }, job });
      const joins = steps.some((step) => step.kind === 'run' && JOINING.includes(step.name));
      // The table for the network team comes before the first join.
      assert.equal(joins, !config.includes('egress: true'));
    }
  });

  test(`${path} uses the version of package.json`, () => {
    assert.deepEqual(mapping(parse(config), path).orbs, { 'machine-id': `teleport/machine-id@${version}` });
  });
}
