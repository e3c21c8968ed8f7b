/** The policies in policies/, compiled by OPA, against configs that CircleCI would compile. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { stringify } from 'yaml';
import { z } from 'zod';
import { blocks } from '../docs/documents.ts';
import type { Mapping } from '../job-runner/mapping.ts';
import { exampleConfigs } from '../orb/examples.ts';
import { packedWith, version } from '../orb/source.ts';
import { decide, namesIn, type PipelineMeta } from './decision.ts';
import { policyInput } from './policy-input.ts';

const OWN = 'https://github.com/example/app';
const MAIN: PipelineMeta = {
  ssh_rerun: false,
  vcs: { branch: 'main', origin_repository_url: OWN, target_repository_url: OWN },
};
const FORK: PipelineMeta = {
  ssh_rerun: false,
  vcs: { branch: 'pull/17', origin_repository_url: 'https://github.com/somebody/app', target_repository_url: OWN },
};
const RERUN: PipelineMeta = { ...MAIN, ssh_rerun: true };

const PIN = `teleport/machine-id@${version}`;
const JOIN = { 'machine-id/join': { proxy: 'p.example.com:443', token: 't', destination: '/tmp/d' } };

interface Written {
  readonly orb?: unknown;
  readonly steps?: readonly unknown[];
  readonly call?: Mapping;
}

/** A config with one job; what is not given is as it should be. */
function config({ call = { context: 'teleport' }, orb = PIN, steps = [JOIN] }: Written = {}): string {
  const jobs = { deploy: { docker: [{ image: 'cimg/base:stable' }], steps: ['machine-id/install', ...steps] } };
  return stringify({
    version: 2.1,
    orbs: { 'machine-id': orb },
    jobs,
    workflows: { release: { jobs: [Object.keys(call).length === 0 ? 'deploy' : { deploy: call }] } },
  });
}

function only(branches: unknown): Mapping {
  return { context: 'teleport', filters: { branches } };
}

const documented = blocks
  .filter(({ language, text }) => language === 'yaml' && text.includes('\n  machine-id: teleport/machine-id@'))
  .map(({ place, text }) => [place, text] as const);

describe('good configs pass', () => {
  for (const [path, text] of [...exampleConfigs, ...documented]) {
    test(path, () => {
      assert.deepEqual(decide(policyInput(text), MAIN), { status: 'PASS', failures: [] });
    });
  }

  const GOOD: readonly (readonly [string, Written, PipelineMeta])[] = [
    ['several contexts', { call: { context: ['other', 'teleport'] } }, MAIN],
    ['a job that only installs, in a fork without context', { steps: [], call: {} }, FORK],
    ['a fork, the job runs on main only', { call: only({ only: 'main' }) }, FORK],
    ['a fork, the job runs on release branches only', { call: only({ only: ['main', '/release\\/.*/'] }) }, FORK],
    ['a fork, the job ignores pull requests', { call: only({ ignore: '/pull\\/[0-9]+/' }) }, FORK],
    ['an SSH rerun on another branch than the job runs on', { call: only({ only: 'release' }) }, RERUN],
    ['a job that only installs, rerun with SSH', { steps: [] }, RERUN],
    ['a pipeline of a custom webhook, which has no vcs', {}, {}],
  ];
  for (const [name, written, meta] of GOOD) {
    test(name, () => {
      assert.deepEqual(decide(policyInput(config(written)), meta), { status: 'PASS', failures: [] });
    });
  }
});

const JOB = 'job "deploy" of workflow "release"';
const BY_FORK = `${JOB} joins the Teleport cluster, but this pipeline is of the fork https://github.com/somebody/app; exclude forks with a filter, such as "branches: {only: main}"`;
const BY_SSH = `${JOB} joins the Teleport cluster and cannot be rerun with SSH; rerun it without SSH`;
const NO_CONTEXT = `${JOB} joins the Teleport cluster without a context; list the context of the join token under "context"`;

function unpinned(reference: string): string {
  return `orb "${reference}" is not pinned to an allowed version; expected teleport/machine-id@${version}`;
}

describe('bad configs fail with a message that says what to do', () => {
  const BY_HAND = { run: 'node ~/.teleport-machine-id/machine-id.cjs run --token t' };
  const BAD: readonly (readonly [string, string, string, Written, PipelineMeta?])[] = [
    ...['teleport/machine-id@volatile', 'teleport/machine-id@0', 'teleport/machine-id@dev:first', `${PIN}0`].map(
      (orb) => [`the orb is ${orb}`, 'version', unpinned(orb), { orb }] as const,
    ),
    ['without a context', 'context', NO_CONTEXT, { call: {} }],
    ['with an empty context', 'context', NO_CONTEXT, { call: { context: [''] } }],
    ['by hand, without a context', 'context', NO_CONTEXT, { steps: [BY_HAND], call: {} }],
    [
      'in a command under a condition',
      'context',
      NO_CONTEXT,
      { steps: [{ when: { condition: true, steps: [JOIN] } }], call: {} },
    ],
    ['in a fork', 'fork', BY_FORK, {}, FORK],
    ['in a fork, on every branch but main', 'fork', BY_FORK, { call: only({ ignore: 'main' }) }, FORK],
    ['in a fork, on branches that include it', 'fork', BY_FORK, { call: only({ only: ['main', '/pull.*/'] }) }, FORK],
    ['in a fork, a filter that OPA cannot read', 'fork', BY_FORK, { call: only({ only: '/(?!pull).*/' }) }, FORK],
    [
      'in a fork, the branch is unknown',
      'fork',
      BY_FORK,
      { call: only({ only: 'main' }) },
      { vcs: { ...FORK.vcs, branch: '' } },
    ],
    ['rerun with SSH', 'ssh_rerun', BY_SSH, {}, RERUN],
    ['by hand, rerun with SSH', 'ssh_rerun', BY_SSH, { steps: [BY_HAND] }, RERUN],
  ];
  for (const [name, rule, reason, written, meta = MAIN] of BAD) {
    test(`${rule}: ${name}`, () => {
      const { failures, status } = decide(policyInput(config(written)), meta);
      assert.equal(status, 'HARD_FAIL');
      assert.deepEqual(failures, [`machine_id_${rule}: ${reason}`]);
    });
  }

  test('version: an orb inside the config uses another version', () => {
    const inline = { orbs: { 'machine-id': 'teleport/machine-id@1' }, commands: {} };
    const input = { version: 2.1, orbs: { deploy: inline }, compiled: { jobs: {}, workflows: {} } };
    assert.deepEqual(decide(input, MAIN).failures, [`machine_id_version: ${unpinned('teleport/machine-id@1')}`]);
  });

  test('version: an orb of another name, or a parameter, runs steps of another version', () => {
    const older = packedWith('the script').replaceAll(`mi_version='${version}'`, "mi_version='0.0.9'");
    for (const orb of ['example/deploy@3.1.0', '<< pipeline.parameters.orb >>']) {
      assert.deepEqual(decide(policyInput(config({ orb }), older), MAIN).failures, [
        `machine_id_version: job "deploy" runs version 0.0.9 of the orb teleport/machine-id; expected ${version}`,
      ]);
    }
  });

  test('compiled: a config that was not compiled', () => {
    const { compiled, ...source } = policyInput(config());
    assert.ok(compiled !== undefined);
    assert.deepEqual(decide(source, MAIN).failures, [
      'machine_id_compiled: the config uses the orb teleport/machine-id but was not compiled, so no rule can find the jobs that join; evaluate the compiled config',
    ]);
  });

  test('several problems are reported together', () => {
    const { failures } = decide(policyInput(config({ orb: 'teleport/machine-id@1', call: {} })), {
      ...FORK,
      ssh_rerun: true,
    });
    assert.deepEqual(
      failures.map((failure) => failure.split(':')[0]),
      ['machine_id_context', 'machine_id_fork', 'machine_id_ssh_rerun', 'machine_id_version'],
    );
  });
});

test('the pack has the names that CircleCI requires, and all of them begin with machine_id', () => {
  const rules = ['version', 'context', 'fork', 'ssh_rerun', 'compiled'].map((rule) => `machine_id_${rule}`).sort();
  assert.deepEqual(namesIn('policy_name'), ['machine_id', 'machine_id_settings']);
  assert.deepEqual(namesIn('enable_rule'), rules);
  assert.deepEqual(namesIn('hard_fail'), rules);
  const sources = readdirSync('policies').map((name) => readFileSync(`policies/${name}`, 'utf8'));
  const names = sources.join('\n').match(/^(?!package |import )\w+/gm) ?? [];
  assert.ok(names.length > 30);
  assert.deepEqual(
    names.filter((name) => !/^(?:machine_id_|policy_name$|enable_rule$|hard_fail$)/.test(name)),
    [],
  );
});

test('the compiled policies are of these sources; "npm run policies" compiles them', () => {
  const { sources } = z
    .object({ sources: z.record(z.string(), z.string()) })
    .parse(JSON.parse(readFileSync('test/policies/policies.json', 'utf8')));
  const today = readdirSync('policies')
    .sort()
    .map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(`policies/${name}`))
        .digest('hex'),
    ]);
  assert.deepEqual(sources, Object.fromEntries(today));
});
