import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { systemFiles } from '../../src/effects/files.ts';
import { clearNotice, noticeLines, writeNotice } from '../../src/job/keeper-notice.ts';
import { bounded, missing, runProgram } from '../programs.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const DEAD = /^machine-id: warning: the process that renews .* ended unexpectedly.*\n$/;

async function scene(t: TestContext, processId: number | undefined) {
  const folder = await temporaryFolder(t);
  const status = join(folder, "it's a keeper.json");
  const bashEnv = join(folder, 'bash_env');
  await appendFile(bashEnv, noticeLines(status));
  if (processId !== undefined) await writeFile(join(folder, "it's a keeper.pid"), `${processId}\n`);
  const run = (shell: string, args: readonly string[]) =>
    runProgram(shell, args, { environment: { BASH_ENV: bashEnv, HOME: folder, SHLVL: '2' } });
  return {
    status,
    /** What a step with a nested shell prints. */
    step: async () => {
      const { exitCode, stderr, stdout } = await run('bash', [
        '-euc',
        'bash -euc "echo nested"; echo "${MACHINE_ID_LINE-unset}"',
      ]);
      assert.deepEqual([exitCode, stdout], [0, 'nested\nunset\n']);
      return stderr;
    },
    stepOfDash: async () => (await run('dash', ['-euc', `. '${bashEnv}'; . '${bashEnv}'`])).stderr,
  };
}

test('while the process that renews the credentials runs, steps print nothing', async (t) => {
  const { step } = await scene(t, process.pid);
  assert.equal(await step(), '');
});

test('a notice is printed once in each step, until it is cleared', async (t) => {
  const { status, step } = await scene(t, process.pid);
  await writeNotice(systemFiles, status, 'it "cannot" be $RENEWED\\n');
  const printed = 'machine-id: warning: it "cannot" be $RENEWED\\n\n';
  assert.deepEqual([await step(), await step()], [printed, printed]);
  await clearNotice(systemFiles, status);
  assert.equal(await step(), '');
});

test('after the end of the process without a notice, each step says so', async (t) => {
  const child = bounded(spawn('true', { stdio: 'ignore' }));
  await once(child, 'exit');
  const { step } = await scene(t, child.pid);
  assert.match(await step(), DEAD);
});

test('a dead process that is still in the table has ended', async (t) => {
  const parent = bounded(spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 30'], { stdio: 'pipe' }));
  t.after(() => parent.kill('SIGKILL'));
  const processId = await new Promise((resolve) => parent.stdout.once('data', resolve));
  const { step } = await scene(t, Number(String(processId)));
  while (!DEAD.test(await step()));
});

test('after cleanup, the lines print nothing, even if they are still there', async (t) => {
  const { step } = await scene(t, undefined);
  assert.equal(await step(), '');
});

test('the lines work in dash', { skip: missing('dash') }, async (t) => {
  const { status, stepOfDash } = await scene(t, process.pid);
  assert.equal(await stepOfDash(), '');
  await writeNotice(systemFiles, status, 'ended');
  assert.equal(await stepOfDash(), 'machine-id: warning: ended\n');
});
