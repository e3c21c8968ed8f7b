import assert from 'node:assert/strict';
import test from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type FollowOptions, followProgram, type ProgramExit } from '../../src/effects/programs.ts';
import { runProgramSync } from '../programs.ts';

interface Followed {
  readonly ended: ProgramExit;
  readonly lines: readonly string[];
}

async function follow(script: string, changes: Partial<FollowOptions> = {}): Promise<Followed> {
  const lines: string[] = [];
  const ended = await followProgram('sh', ['-c', script], {
    environment: { PATH: process.env.PATH },
    timeoutMs: 20_000,
    signal: new AbortController().signal,
    onLine: (line) => lines.push(line),
    ...changes,
  });
  return { ended, lines };
}

test('lines of both streams are handed on while the program runs, and its exit code at the end', async () => {
  const seen: string[] = [];
  const { ended } = await follow('echo out; sleep 0.2; echo error >&2; sleep 0.2; printf last; exit 7', {
    onLine: (line) => seen.push(line),
  });
  assert.deepEqual(ended, { outcome: 'exited', exitCode: 7 });
  assert.deepEqual(seen, ['out', 'error', 'last']);
});

test('the program has the given environment and no other', async () => {
  const { lines } = await follow('echo "$A-${HOME-none}"', { environment: { PATH: process.env.PATH, A: '1' } });
  assert.deepEqual(lines, ['1-none']);
});

test('a program that is not there, or cannot be run, has a reason', async () => {
  const options = { environment: { PATH: '/usr/bin:/bin' }, timeoutMs: 1000, signal: new AbortController().signal };
  const onLine = () => undefined;
  assert.deepEqual(await followProgram('no-such-program', [], { ...options, onLine }), {
    outcome: 'not started',
    reason: 'ENOENT',
  });
  assert.deepEqual(await followProgram('./package.json', [], { ...options, onLine }), {
    outcome: 'not started',
    reason: 'EACCES',
  });
});

test('a program that takes too long is asked to end', async () => {
  const { ended, lines } = await follow('trap "echo asked; exit 0" TERM; echo ready; sleep 60 & wait', {
    timeoutMs: 400,
  });
  assert.deepEqual(ended, { outcome: 'late' });
  assert.deepEqual(lines, ['ready', 'asked']);
});

test('the signal asks the program to end, and one that does not is killed', async () => {
  const stubborn = new AbortController();
  const lines: string[] = [];
  const startMs = performance.now();
  const { ended } = await follow('trap "" TERM; echo ready; while :; do sleep 0.05; done', {
    signal: stubborn.signal,
    onLine: (line) => {
      lines.push(line);
      stubborn.abort();
    },
  });
  assert.deepEqual(ended, { outcome: 'killed', by: 'SIGKILL' });
  assert.deepEqual(lines, ['ready']);
  assert.ok(performance.now() - startMs < 10_000);
});

test('a signal that was given before ends the program at once', async () => {
  const { ended } = await follow('exec sleep 20', { signal: AbortSignal.abort() });
  assert.deepEqual(ended, { outcome: 'killed', by: 'SIGTERM' });
});

test('what a program has left running does not hold the run', async () => {
  const startMs = performance.now();
  const { ended, lines } = await follow('sleep 20 & echo done');
  assert.deepEqual(ended, { outcome: 'exited', exitCode: 0 });
  assert.deepEqual(lines, ['done']);
  assert.ok(performance.now() - startMs < 10_000);
});

test('a program that is ended takes along what it has started', async () => {
  const lines: string[] = [];
  const startMs = performance.now();
  const { ended } = await follow('trap "" TERM; (trap "" TERM; sleep 60) & echo "$!"; wait', {
    timeoutMs: 300,
    onLine: (line) => lines.push(line),
  });
  assert.deepEqual(ended, { outcome: 'late' });
  assert.ok(performance.now() - startMs < 10_000);
  await assertEnds(Number(lines[0]));
});

test('a program that ends when asked leaves nothing that ignored the request', async () => {
  const lines: string[] = [];
  const { ended } = await follow('(trap "" TERM; exec sleep 60) & echo "$!"; sleep 60', {
    timeoutMs: 300,
    onLine: (line) => lines.push(line),
  });
  assert.deepEqual(ended, { outcome: 'late' });
  await assertEnds(Number(lines[0]));
});

test('arguments too long for the system are a program that is not started', async () => {
  const options = { environment: process.env, timeoutMs: 1000, signal: new AbortController().signal };
  const onLine = () => undefined;
  const ended = await followProgram('true', ['x'.repeat(3 * 1024 * 1024)], { ...options, onLine });
  assert.deepEqual(ended, { outcome: 'not started', reason: 'E2BIG' });
});

test('a character that arrives in two parts is handed on whole', async () => {
  const { lines } = await follow("printf 'zw\\303'; sleep 0.2; printf '\\266lf'");
  assert.deepEqual(lines, ['zwölf']);
});

/** Fails when the process is still there after five seconds. */
async function assertEnds(processId: number): Promise<void> {
  assert.ok(processId > 1);
  const limitMs = performance.now() + 5000;
  while (performance.now() < limitMs) {
    if (!isRunning(processId)) return;
    await delay(20);
  }
  assert.fail(`process ${processId} is still running`);
}

function isRunning(processId: number): boolean {
  // One that has ended and that nobody has waited for is a zombie.
  const state = runProgramSync('ps', ['-o', 'stat=', '-p', String(processId)]).stdout.trim();
  return state !== '' && !state.startsWith('Z');
}
