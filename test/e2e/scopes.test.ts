/** Scoped bots and join tokens, which are not supported. */
import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { clusterIn, directoryFor } from './embedded-cluster.ts';
import { beginJob } from './job.ts';
import { assertRunRefused } from './refusal.ts';
import { resultOf } from './run-result.ts';
import { addTbot, tbotCall } from './tbot-stand-in.ts';

const authorities = await directoryFor({ after });
const TOKEN = '/staging/west::ci';

test('the name of a scoped join token fails a run before anything is contacted', async (t) => {
  const cluster = await clusterIn(authorities, t, { teleport: '19.0.0' });
  const job = await beginJob(t, cluster);
  const args = ['run', '--proxy-server', cluster.info.proxy, '--token', TOKEN, '--destination', job.destination];
  const says = /^--token "\/staging\/west::ci" is the name of a scoped join token/;
  await assertRunRefused(job, { code: 'SCOPES_UNSUPPORTED', says, hint: /without a scope.*--engine tbot/ }, { args });
  const doctor = await job.run(['doctor', ...args.slice(1)]);
  assert.match(doctor.stdout, /^fail {2}Configuration .*scoped join token[^]*\[SCOPES_UNSUPPORTED\]/m);
  assert.equal(cluster.records.kinds.filter((kind) => kind.includes('join')).length, 0);
});

test('tbot gets the settings of a scoped bot', async (t) => {
  const cluster = await clusterIn(authorities, t, { teleport: '19.0.0' });
  const job = await beginJob(t, cluster);
  await addTbot(job, {});
  await job.addFile(
    'tbot.yaml',
    `version: v2\nproxy_server: ${cluster.info.proxy}\nscoped: true\nonboarding: { join_method: circleci, token: '${TOKEN}' }\noutputs: []\n`,
  );
  const run = await job.run(['run', '-c', 'tbot.yaml', '--engine', 'tbot']);
  assert.equal(run.exitCode, 0, run.stderr);
  const { config } = await tbotCall(job);
  assert.match(config, /"token": "\/staging\/west::ci"/);
  assert.match(config, /"scoped": true/);
});

test('a name with "::" and no slash before it is passed to the cluster', async (t) => {
  const named = { name: 'team::ci' };
  for (const teleport of ['18.6.0', '19.0.0']) {
    const cluster = await clusterIn(authorities, t, { teleport });
    const token = cluster.resources.tokens.find(({ name }) => name === cluster.info.joinToken);
    assert.ok(token !== undefined);
    cluster.resources.tokens.push({ ...token, ...named });
    const job = await beginJob(t, cluster);
    const flags = ['--proxy-server', cluster.info.proxy, '--token', named.name, '--destination', job.destination];
    const run = await job.run(['run', ...flags, '--json']);
    if (teleport === '18.6.0') {
      assert.equal(resultOf(run).bot, 'ci');
      continue;
    }
    assert.match(run.stderr, /^likely causes.*:\n {2}1\. the name contains "::", so newer clusters read it/m);
    assert.match(run.stderr, /^code: JOIN_TOKEN_UNKNOWN$/m);
  }
});
