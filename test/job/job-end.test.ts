import assert from 'node:assert/strict';
import test from 'node:test';
import type { Processes } from '../../src/effects/processes.ts';
import { jobProcess, untilEnded } from '../../src/job/job-end.ts';

const ANCESTORS = ['40 run', '30 orb script', '20 shell of the step', '10 agent', '5 service'];

/** In each case, the agent leads a session too. */
function processes(changes: Partial<Processes>): Processes {
  return {
    scope: 'here',
    ancestors: ANCESTORS,
    self: '50 keeper',
    isRunning: () => true,
    withVariable: () => undefined,
    hasVariable: () => false,
    leadsSession: (name) => name.startsWith('20') || name.startsWith('10'),
    send: () => false,
    ...changes,
  };
}

const IN_JOB = { CIRCLE_WORKFLOW_JOB_ID: 'job-1' };

test('a job ends with what starts its steps, which does not have the id of the job', () => {
  const hasVariable = (name: string, variable: string, value: string) =>
    Number.parseInt(name, 10) >= 20 && variable === 'CIRCLE_WORKFLOW_JOB_ID' && value === 'job-1';
  assert.equal(jobProcess(processes({ hasVariable }), IN_JOB), '10 agent');
});

test('where no environment can be read, the step is the session', () => {
  assert.equal(jobProcess(processes({}), IN_JOB), '10 agent');
});

test('outside a job, the shell that leads the session counts', () => {
  assert.equal(jobProcess(processes({}), {}), '20 shell of the step');
});

test('in a container whose first process starts the steps, nothing else shows the end of the job', () => {
  const ancestors = ['40 run', '20 shell of the step'];
  assert.equal(jobProcess(processes({ ancestors, hasVariable: () => true }), IN_JOB), undefined);
  assert.equal(jobProcess(processes({ ancestors }), IN_JOB), undefined);
  assert.equal(jobProcess(processes({ ancestors, leadsSession: () => false }), {}), undefined);
});

test('the end is noticed only when the processes are listed without it', async () => {
  const looks = [processes({}), undefined, processes({ isRunning: () => false })];
  const waitedMs: number[] = [];
  const clock = { sleep: (durationMs: number) => Promise.resolve(void waitedMs.push(durationMs)) };
  const listProcesses = () => Promise.resolve(looks.shift());
  await untilEnded('10 agent', { clock, listProcesses, environment: {} }, new AbortController().signal);
  assert.deepEqual([waitedMs.length, looks.length], [3, 0]);
});
