import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runJob } from './run-job.ts';
import type { JobOptions, JobResult } from './run-job.ts';

let home: string;

before(async () => {
  home = await mkdtemp(join(tmpdir(), 'run-job-'));
});

after(async () => {
  await rm(home, { recursive: true, force: true });
});

function run(steps: string, options: Partial<JobOptions> = {}): Promise<JobResult> {
  const config = `version: 2.1
jobs:
  work:
    machine: true
    environment: { LEVEL: job }
    steps:
${steps.replaceAll(/^/gm, '      ')}`;
  return runJob({ config, job: 'work', home, ...options });
}

function outputs({ steps }: JobResult): readonly string[] {
  return steps.map(({ stdout }) => stdout.trim());
}

test('BASH_ENV names a file that does not exist, and later steps see what a step exports there', async () => {
  const result = await run(`
- run: test ! -e "$BASH_ENV" && echo 'export GREETING="a b"' >> "$BASH_ENV"; echo "[$GREETING]"
- run: echo "[$GREETING]"`);
  assert.deepEqual(outputs(result), ['[]', '[a b]']);
});

test('an empty shell is refused, because its meaning is not documented', async () => {
  await assert.rejects(run(`- run: { command: 'echo "$0"', shell: "" }`), /shell: must name a shell/);
});

test('a step starts in the project directory, or in one relative to it', async () => {
  const result = await run(`
- run: pwd
- run: { command: pwd, working_directory: sub/dir }
- run: { command: pwd, working_directory: ~/elsewhere }`);
  assert.deepEqual(outputs(result), [join(home, 'project'), join(home, 'project/sub/dir'), join(home, 'elsewhere')]);
});

test('variables of a step override those of the job, which override built-in ones, which override those of contexts', async () => {
  const result = await run(
    `
- run: echo "$LEVEL $CIRCLE_JOB $SECRET"
- run: { command: 'echo "$LEVEL $CIRCLE_JOB"', environment: { LEVEL: step, CIRCLE_JOB: other } }`,
    { environment: { LEVEL: 'context', SECRET: 'yes' } },
  );
  assert.deepEqual(outputs(result), ['job work yes', 'step other']);
});

test('a step gets no variables of the runner process', async () => {
  process.env.RUNNER_OWN = 'leaked';
  const result = await run('- run: echo "[$RUNNER_OWN] $CI"');
  delete process.env.RUNNER_OWN;
  assert.deepEqual(outputs(result), ['[] true']);
});

test('the first failure is the exit code, and only the steps for failures run after it', async () => {
  const result = await run(`
- run: exit 3
- run: echo never
- run: { name: rescue, command: exit 4, when: on_fail }
- run: { name: cleanup, command: "true", when: always }`);
  assert.equal(result.exitCode, 3);
  assert.deepEqual(
    result.steps.map(({ name, exitCode }) => [name, exitCode]),
    [
      ['exit 3', 3],
      ['rescue', 4],
      ['cleanup', 0],
    ],
  );
});

test('a failing command inside a pipe fails the step', async () => {
  assert.equal((await run('- run: "false | cat"')).exitCode, 1);
});

test('a shell of the step replaces the default', async () => {
  const result = await run(`- run: { shell: /bin/dash -e, command: 'echo "[$BASH_VERSION]"' }`);
  assert.deepEqual(outputs(result), ['[]']);
});

test('a step that is silent for too long is ended, with everything that it started', async () => {
  const result = await run('- run: { command: sleep 60 | cat, no_output_timeout: 0.2s }');
  assert.equal(result.exitCode, 124);
});

test('a step that a signal ends fails', async () => {
  assert.equal((await run('- run: kill -TERM $$')).exitCode, 143);
});

test('checkout copies the given folder', async () => {
  const source = await mkdtemp(join(tmpdir(), 'checkout-'));
  await writeFile(join(source, 'file'), 'contents');
  const result = await run('- checkout\n- run: cat file', { checkoutFrom: source });
  await rm(source, { recursive: true });
  assert.deepEqual(outputs(result), ['contents']);
});

test('a body that is longer than an argument can be does not start', async () => {
  await assert.rejects(run(`- run: "true #${'x'.repeat(131_072)}"`), { code: 'E2BIG' });
});

test('the step after a background step starts at once, and the end of the job ends the background step', async () => {
  const result = await run(`
- run: { name: server, background: true, command: 'echo begun > ~/begun; sleep 600 & wait' }
- run: 'until [ -s ~/begun ]; do sleep 0.01; done; echo "[$(cat ~/begun)]"'`);
  assert.deepEqual(
    result.steps.map(({ background, exitCode, name, stdout }) => [name.slice(0, 6), background, exitCode, stdout]),
    [
      ['server', true, 137, ''],
      ['until ', undefined, 0, '[begun]\n'],
    ],
  );
  assert.equal(result.exitCode, 0);
});

test('a background step that fails does not fail the job, and none starts after a failure', async () => {
  const result = await run(`
- run: { name: early, background: true, command: exit 5 }
- run: { name: fails, command: sleep 0.3; exit 6 }
- run: { name: late, background: true, command: 'true' }
- run: { name: logs, background: true, when: always, command: echo done }
- run: { name: last, when: always, command: sleep 0.3 }`);
  assert.deepEqual(
    result.steps.map(({ exitCode, name }) => [name, exitCode]),
    [
      ['early', 5],
      ['fails', 6],
      ['logs', 0],
      ['last', 0],
    ],
  );
  assert.equal(result.exitCode, 6);
});

test('background is true or false', async () => {
  await assert.rejects(run(`- run: { command: 'true', background: "yes" }`), /background: must be true or false/);
});
