/** Whether the tbot on PATH fits the cluster, which is checked before tbot is started. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { clusterForFile } from './embedded-cluster.ts';
import { beginJob } from './job.ts';
import { assertRefused } from './refusal.ts';
import { addTbot } from './tbot-stand-in.ts';

const cluster = await clusterForFile({ teleport: '18.6.0' });

/** An output to memory, so that no files are expected. */
async function runWith(t: TestContext, version: string, more = '') {
  const job = await beginJob(t, cluster);
  await addTbot(job, { version });
  await job.addFile(
    'tbot.yaml',
    `version: v2
proxy_server: ${cluster.info.proxy}
onboarding: { join_method: circleci, token: ${cluster.info.joinToken} }
outputs:
  - { type: identity, destination: { type: memory }${more} }
`,
  );
  const run = await job.run(['run', '-c', 'tbot.yaml', '--engine', 'tbot']);
  return { run, started: existsSync(join(job.folder, 'tbot-call.json')) };
}

const TOO_OLD: readonly (readonly [version: string, says: RegExp])[] = [
  [
    '16.5.0',
    /^tbot 16\.5\.0 is too old for the cluster example\.teleport\.test \(Teleport 18\.6\.0\), which requires tbot 17 or later$/,
  ],
  ['14.3.0', /^tbot 14\.3\.0 is too old: this program works with tbot 15\.3\.7 or later$/],
];

for (const [version, says] of TOO_OLD) {
  test(`tbot ${version} is not started`, async (t) => {
    const { run, started } = await runWith(t, version);
    assertRefused(run, { code: 'TBOT_INCOMPATIBLE', says, hint: /install_tools/ });
    assert.ok(!started);
  });
}

const STARTED: readonly (readonly [version: string, warning: RegExp | undefined])[] = [
  ['18.6.0', undefined],
  ['17.0.0', undefined],
  ['19.0.0', /tbot 19\.0\.0 is newer than the cluster example\.teleport\.test \(Teleport 18\.6\.0\)/],
  ['none', /"tbot version" does not print its version/],
  ['Teleport of some day', /"tbot version" does not print its version/],
];

for (const [version, warning] of STARTED) {
  test(`a tbot with the version "${version}" is started ${warning === undefined ? 'without' : 'with'} a warning`, async (t) => {
    const { run, started } = await runWith(t, version);
    assert.equal(run.exitCode, 0, run.stderr);
    assert.ok(started);
    if (warning === undefined) assert.doesNotMatch(run.stderr, /warning|newer|version"/i);
    else assert.match(run.stderr, warning);
  });
}

test('tbot 19 does not get roles that it would reject', async (t) => {
  const { run, started } = await runWith(t, '19.0.0', ', roles: [access]');
  const says =
    /^outputs\[0\]\.roles \(line 5\): the key "roles" was removed in Teleport 19, and the tbot on PATH is 19\.0\.0$/;
  assertRefused(run, { code: 'CLUSTER_UNSUPPORTED', says });
  assert.ok(!started);
});
