import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test, type TestContext } from 'node:test';
import { freePort } from '../e2e/free-port.ts';
import { bounded, compiled, FILE_MS, missing } from '../programs.ts';
import { resolveJob } from '../job-runner/job.ts';
import { type JobResult, runJob } from '../job-runner/run-job.ts';
import { packedWith } from '../orb/source.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { calls, commandOf, configText } from './configs.ts';

const PATH = '.circleci/test-deploy.yml';
const STEP_TIMEOUT_MS = 120_000;
const LOCAL = (await calls(PATH)).filter(({ job }) => ['with_node', 'install_only', 'windows'].includes(job));

let orb: string;

before(async () => {
  orb = packedWith(await readFile('dist/machine-id.cjs'));
});

/**
 * The config with the orb inline, as orb-tools/continue makes it. What this machine has not is left out: steps in the
 * background, the packages of npm and of Alpine, and an executor of another orb.
 */
async function runnable(port: number): Promise<string> {
  return (await configText(PATH))
    .replace(/ {6}- run:\n {10}name: Run the embedded cluster\n(?: {10}.*\n)+/, '')
    .replace('command: npm ci --no-audit --no-fund\n      - run', "command: 'true'\n      - run")
    .replace(/apk add .*\n/, 'true\n')
    .replace('executor: windows/default', 'machine: true')
    .replace('shell: bash.exe', 'shell: /bin/bash -eo pipefail')
    .replace('shell: /bin/sh -leo pipefail', 'shell: busybox ash -leo pipefail')
    .replaceAll('localhost:3080', `localhost:${port}`);
}

/** The step in the background. @returns what ends it */
async function startCluster(home: string, port: number): Promise<() => Promise<void>> {
  const command = (await commandOf('Run the embedded cluster')).replace('3080', String(port)).trim();
  const started = command.replace('npm run --silent cluster --', `exec node ${compiled('test/cluster/main.ts')}`);
  const child = bounded(
    spawn('/bin/bash', ['-c', started], { env: { ...process.env, HOME: home }, stdio: 'ignore' }),
    FILE_MS,
  );
  return async () => {
    const ended = once(child, 'close');
    child.kill('SIGTERM');
    await ended;
  };
}

async function run(context: TestContext, job: string): Promise<JobResult> {
  // Before the folder is removed, in which it writes.
  let stop = (): Promise<void> => Promise.resolve();
  context.after(() => stop());
  const home = join(await temporaryFolder(context), 'home');
  await mkdir(home);
  const port = await freePort();
  stop = await startCluster(home, port);
  const options = {
    config: await runnable(port),
    orbs: { 'machine-id': orb },
    job,
    home,
    workingDirectory: process.cwd(),
    timeoutMs: STEP_TIMEOUT_MS,
  };
  return runJob({ ...options, environment: { CIRCLE_OIDC_TOKEN: '' } });
}

for (const { name } of LOCAL) {
  test(`the job ${name} compiles with the packed orb`, async () => {
    assert.ok(resolveJob({ config: await runnable(1), orbs: { 'machine-id': orb }, job: name }).steps.length > 1);
  });
}

for (const [name, what] of [
  ['docker_node_24', 'in bash'],
  ['docker_alpine', 'in ash, which reads no $BASH_ENV'],
  ['windows', 'with the script of the checkout'],
] as const) {
  const skip = name === 'docker_alpine' && missing('busybox');
  test(`the job ${name} installs, joins, finds its files and cleans up, ${what}`, { skip }, async (context) => {
    const { exitCode, steps } = await run(context, name);
    const [last] = steps.slice(-1);
    assert.equal(exitCode, 0, steps.map((step) => `== ${step.name}\n${step.stdout}${step.stderr}`).join(''));
    assert.equal(last?.name, 'Find nothing any more');
  });
}

test('the job without Node.js uses the one of install', async (context) => {
  const { exitCode, steps } = await run(context, 'docker_node_18');
  assert.equal(exitCode, 0);
  assert.match(steps.at(-1)?.stdout ?? '', /\d+\.\d+\.\d+/);
});
