import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { compiled, type ProgramRun, runProgramSync } from '../programs.ts';

const CONFIG = `
version: 2.1
orbs: { tool: example/tool@1.2.3 }
jobs:
  work:
    machine: true
    steps: [{ tool/say: { what: hello } }, { run: exit 3 }]
`;
const ORB = `
commands:
  say:
    parameters: { what: { type: string } }
    steps: [{ run: { name: Say it, command: 'echo "$WHAT, $WHO"', environment: { WHAT: << parameters.what >> } } }]
`;

let scratch: string;

before(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'job-main-'));
  await writeFile(join(scratch, 'config.yml'), CONFIG);
  await writeFile(join(scratch, 'orb.yml'), ORB);
});

after(async () => {
  await rm(scratch, { recursive: true, force: true });
});

function main(...options: readonly string[]): ProgramRun {
  const program = [compiled('test/job-runner/main.ts'), '--config', join(scratch, 'config.yml')];
  return runProgramSync(process.execPath, [...program, ...options]);
}

test('the command runs a job with an inline orb, and exits with its exit code', () => {
  const run = main('--job', 'work', '--orb', `tool=${join(scratch, 'orb.yml')}`, '--env', 'WHO=a=b');
  assert.equal(run.stdout, '\n=== Say it\nhello, a=b\n\n=== exit 3\n');
  assert.equal(run.exitCode, 3);
});

test('the command reports what it cannot run', () => {
  const run = main('--job', 'work');
  assert.equal(run.exitCode, 2);
  assert.match(run.stderr, /example\/tool@1\.2\.3 of the registry/);
});
