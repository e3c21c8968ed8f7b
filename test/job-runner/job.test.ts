import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveJob } from './job.ts';
import type { ResolvedJob } from './job.ts';

const ORB = `
orbs:
  tool:
    executors:
      small:
        parameters: { tag: { type: string, default: "1" } }
        docker: [{ image: "example/tool:<< parameters.tag >>" }]
        environment: { FROM: executor, TAG: << parameters.tag >> }
    commands:
      inner:
        parameters: { word: { type: string } }
        steps: [{ run: { name: inner, command: "echo << parameters.word >>" } }]
      outer:
        parameters:
          loud: { type: boolean, default: false }
          after: { type: steps, default: [] }
        steps:
          - inner: { word: from outer }
          - when: { condition: << parameters.loud >>, steps: [{ run: { name: loud, command: "true" } }] }
          - unless: { condition: << parameters.loud >>, steps: [{ run: { name: quiet, command: "true" } }] }
          - run: { name: env, command: "x=<< parameters.loud >>", environment: { LOUD: << parameters.loud >> } }
          - steps: << parameters.after >>
    jobs:
      wrapped:
        parameters: { around: { type: steps }, place: { type: executor, default: small } }
        executor: << parameters.place >>
        steps: [{ outer: { after: << parameters.around >> } }]
`;

function resolved(rest: string, job = 'work', pipeline = {}): ResolvedJob {
  return resolveJob({ config: `version: 2.1\n${ORB}\n${rest}`, job, pipeline });
}

function names(job: ResolvedJob): readonly string[] {
  return job.steps.map((step) => (step.kind === 'run' ? step.name : step.kind));
}

function steps(list: string): string {
  return `jobs: { work: { executor: tool/small, steps: ${list} } }`;
}

test("a command's own commands are looked up in its orb", () => {
  assert.deepEqual(names(resolved(steps('[checkout, tool/outer]'))), ['checkout', 'inner', 'quiet', 'env']);
});

test('the argument decides the branch of a condition', () => {
  assert.deepEqual(names(resolved(steps('[tool/outer: { loud: true }]'))), ['inner', 'loud', 'env']);
});

test('a boolean parameter is 1 or 0 in an environment, true or false in a command', () => {
  for (const [loud, variable] of [
    [true, '1'],
    [false, '0'],
  ] as const) {
    const step = resolved(steps(`[tool/outer: { loud: ${String(loud)} }]`)).steps.at(-1);
    assert.ok(step?.kind === 'run');
    assert.deepEqual(step.environment, { LOUD: variable });
    assert.equal(step.command, `x=${String(loud)}`);
  }
});

test("steps passed to an orb's job are resolved in the config that passes them", () => {
  const job = resolved(
    `commands: { inner: { steps: [{ run: { name: own inner, command: "true" } }] } }
workflows: { all: { jobs: [{ tool/wrapped: { name: work, around: [inner] } }] } }`,
  );
  assert.deepEqual(names(job), ['inner', 'quiet', 'env', 'own inner']);
});

test('an executor provides environment variables, and the job overrides them', () => {
  const job = resolved(
    'jobs: { work: { executor: { name: tool/small, tag: "2" }, environment: { FROM: job }, steps: [checkout] } }',
  );
  assert.deepEqual(job.environment, { FROM: 'job', TAG: '2' });
});

test("an executor passed to an orb's job is resolved in the config", () => {
  const job = resolved(
    `executors: { mine: { machine: true, environment: { FROM: mine } } }
workflows: { all: { jobs: [{ tool/wrapped: { name: work, around: [], place: mine } }] } }`,
  );
  assert.deepEqual(job.environment, { FROM: 'mine' });
});

test('pre-steps and post-steps of a workflow run around the job', () => {
  const around = '{ pre-steps: [{ run: { name: before, command: "true" } }], post-steps: [tool/inner: { word: x }] }';
  const job = resolved(`${steps('[checkout]')}\nworkflows: { all: { jobs: [{ work: ${around} }] } }`);
  assert.deepEqual(names(job), ['before', 'checkout', 'inner']);
});

test('a pipeline parameter has its default until another value is given', () => {
  const config = `parameters: { fast: { type: boolean, default: false } }
${steps('[{ when: { condition: << pipeline.parameters.fast >>, steps: [checkout] } }]')}`;
  assert.deepEqual(names(resolved(config)), []);
  assert.deepEqual(names(resolved(config, 'work', { 'parameters.fast': true })), ['checkout']);
});

const refused: readonly (readonly [what: string, config: string, message: RegExp])[] = [
  ['a command that is not defined', steps('[tool/nope]'), /there is no command named nope/],
  ['an orb that is not there', steps('[other/x]'), /there is no orb named other/],
  ['an argument that is not declared', steps('[tool/outer: { lod: true }]'), /Unexpected argument\(s\): lod/],
  ['a missing argument', steps('[tool/inner]'), /word: Missing required argument/],
  ['an unknown key of a run step', steps('[run: { comand: x }]'), /does not know comand/],
  [
    "a step of CircleCI's services",
    steps('[persist_to_workspace: { root: x, paths: [y] }]'),
    /has no persist_to_workspace/,
  ],
  ['a wrong moment', steps('[run: { command: x, when: sometimes }]'), /on_success, on_fail, always/],
  ['a number that CircleCI would spoil', steps('[run: { command: x, environment: { N: 1234567 } }]'), /exponent/],
  ['a service container', 'jobs: { work: { docker: [{ image: a }, { image: b }], steps: [checkout] } }', /service/],
  ['a job without a place to run', 'jobs: { work: { steps: [checkout] } }', /exactly one of docker/],
  [
    'a number of containers that is none',
    'jobs: { work: { executor: tool/small, parallelism: many, steps: [checkout] } }',
    /parallelism: must be a number/,
  ],
  [
    'an executor that is not defined',
    'jobs: { work: { executor: tool/big, steps: [checkout] } }',
    /no executor named tool\/big/,
  ],
  ['a job that is not defined', 'jobs: {}', /there is no job named work/],
];

for (const [what, config, message] of refused) {
  test(`${what} is refused`, () => {
    assert.throws(() => resolved(config), message);
  });
}

test('an orb of the registry is refused by name', () => {
  assert.throws(
    () =>
      resolveJob({
        config:
          'version: 2.1\norbs: { node: circleci/node@5 }\njobs: { work: { machine: true, steps: [node/install] } }',
        job: 'work',
      }),
    /circleci\/node@5 of the registry/,
  );
});

describeHidden('run', '{ name: n, command: x }', /Unexpected argument\(s\): name, command/);
describeHidden('deploy', '{ command: x }', /Unexpected argument\(s\): command/);
describeHidden('checkout', '{ path: x }', /Unexpected argument\(s\): path/);
describeHidden('save_cache', '{ key: k, paths: [p] }', /Unexpected argument\(s\): key, paths/);
describeHidden('store_artifacts', '{ path: x }', /Unexpected argument\(s\): path/);
describeHidden('when', '{ condition: true, steps: [] }', /Unexpected argument\(s\): condition, steps/);

/** The orb has a command with this name, and another command that calls CircleCI's own step of that name. */
function describeHidden(name: string, body: string, message: RegExp): void {
  test(`inside an orb, its command ${name} hides CircleCI's own step`, () => {
    const commands = `{ ${name}: { steps: [] }, use: { steps: [{ ${name}: ${body} }] } }`;
    const config = `{ version: 2.1, orbs: { o: { commands: ${commands} } }, jobs: { work: { machine: true, steps: [o/use] } } }`;
    assert.throws(() => resolveJob({ config, job: 'work' }), message);
  });
}

test("an orb's command hides nothing outside the orb", () => {
  const orbs = '{ o: { commands: { run: { steps: [when: {}] }, checkout: { steps: [] } } } }';
  const config = `{ version: 2.1, orbs: ${orbs}, jobs: { work: { machine: true, steps: [checkout, run: { name: own, command: x }] } } }`;
  assert.deepEqual(names(resolveJob({ config, job: 'work' })), ['checkout', 'own']);
});

test('a command of the config itself hides the step too, and one that only calls itself is refused', () => {
  const config = (steps: string) =>
    `{ version: 2.1, commands: { checkout: { steps: ${steps} } }, jobs: { work: { machine: true, steps: [checkout] } } }`;
  assert.deepEqual(names(resolveJob({ config: config('[run: { name: own, command: x }]'), job: 'work' })), ['own']);
  assert.throws(() => resolveJob({ config: config('[checkout]'), job: 'work' }), /checkout calls itself/);
});
