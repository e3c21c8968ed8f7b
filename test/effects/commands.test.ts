import assert from 'node:assert/strict';
import test from 'node:test';
import { type CommandLimits, systemCommands } from '../../src/effects/programs.ts';

function sh(script: string, limits: Partial<CommandLimits> = {}) {
  return systemCommands.run('sh', ['-c', script], { timeoutMs: 20_000, maxBytes: 1000, ...limits });
}

test('exit code and both streams are returned', async () => {
  assert.deepEqual(await sh('echo out; echo error >&2; exit 3'), { exitCode: 3, stdout: 'out\n', stderr: 'error\n' });
});

test('a program that is missing has no exit code', async () => {
  const limits = { timeoutMs: 1000, maxBytes: 1000 };
  assert.deepEqual(await systemCommands.run('no-such-program', [], limits), {
    exitCode: undefined,
    missing: true,
    stdout: '',
    stderr: '',
  });
});

test('a program that prints more than the limit is ended, and the first bytes are kept', async () => {
  const { exitCode, stdout } = await sh('while :; do echo 0123456789; done');
  assert.equal(exitCode, undefined);
  assert.equal(stdout.length, 1000);
});

test('a program that reads its input finds it empty', async () => {
  assert.equal((await sh('cat; echo read')).stdout, 'read\n');
});

for (const [what, limits] of [
  ['the time limit', () => ({ timeoutMs: 300 })],
  ['a signal', () => ({ signal: AbortSignal.timeout(300) })],
] as const) {
  test(`${what} ends a shell script whose child holds the pipes`, async () => {
    const startMs = performance.now();
    const { exitCode, stdout } = await sh('echo started; sleep 60; echo never', limits());
    assert.equal(exitCode, undefined);
    assert.equal(stdout, 'started\n');
    assert.ok(performance.now() - startMs < 5000);
  });
}

test('a program that ignores the request to end is killed soon after', async () => {
  const startMs = performance.now();
  const { exitCode } = await sh('trap "" TERM; while :; do sleep 60; done', { timeoutMs: 200 });
  assert.equal(exitCode, undefined);
  assert.ok(performance.now() - startMs < 5000);
});

test('a program that ends and leaves one behind that holds the pipes is not waited for', async () => {
  const startMs = performance.now();
  assert.deepEqual(await sh('sleep 60 & echo done'), { exitCode: 0, stdout: 'done\n', stderr: '' });
  assert.ok(performance.now() - startMs < 10_000);
});
