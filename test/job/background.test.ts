import assert from 'node:assert/strict';
import { appendFile, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { listProcessesBy } from '../../src/effects/processes.ts';
import { systemCommands } from '../../src/effects/programs.ts';
import { createMask } from '../../src/effects/secret.ts';
import { type Clock, systemClock } from '../../src/effects/time.ts';
import { systemFiles } from '../../src/effects/files.ts';
import { listBackground, startBackground, stopBackground } from '../../src/job/background.ts';
import { boundedLog, logTail } from '../../src/job/background-files.ts';
import { compiled } from '../programs.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { systemWorld } from './system-world.ts';

const skip = process.platform === 'linux' ? false : 'looks at Linux';

interface Scene {
  readonly said: string[];
  readonly home: string;
  readonly world: ReturnType<typeof systemWorld>;
  readonly start: (behaviour: string, clock?: Clock) => ReturnType<typeof startBackground>;
}

async function scene(t: TestContext): Promise<Scene> {
  const home = await temporaryFolder(t);
  const said: string[] = [];
  const world = systemWorld({
    environment: { HOME: home, TMPDIR: home, CIRCLE_WORKFLOW_JOB_ID: 'job-1', PATH: process.env.PATH },
    bundlePath: compiled('test/job/background-child.ts'),
    stderr: (text) => said.push(text),
  });
  t.after(async () => {
    for (const one of await listBackground(world))
      (await world.listProcesses())?.send(one.entry.processName, 'SIGKILL');
  });
  return {
    said,
    home,
    world,
    start: (behaviour, clock = world.clock) =>
      startBackground({ ...world, clock }, { kind: 'keeper', name: 'test', args: [behaviour], readyTimeoutMs: 20_000 }),
  };
}

async function onlyOne(world: Scene['world']) {
  const [one, ...others] = await listBackground(world);
  assert.ok(one !== undefined && others.length === 0);
  return one;
}

test('a process in the background is listed while it runs, and is gone once it was stopped', { skip }, async (t) => {
  const { home, said, start, world } = await scene(t);
  assert.deepEqual(await start('patient'), { listens: 'localhost:1' });
  const running = await onlyOne(world);
  assert.deepEqual([running.state, running.payload, running.problem], ['ready', { listens: 'localhost:1' }, undefined]);
  assert.equal(await stopBackground(world, running), undefined);
  assert.equal((await world.listProcesses())?.isRunning(running.entry.processName), false);
  const stopped = await onlyOne(world);
  assert.deepEqual([stopped.state, stopped.problem], ['stopped', 'interrupted by SIGTERM']);
  assert.deepEqual(await logTail(systemFiles, running.entry.log, 2), [
    'it is patient',
    'Stopped: interrupted by SIGTERM',
  ]);
  assert.deepEqual(said, []);
  for (const name of await readdir(join(home, '.teleport-machine-id'))) {
    assert.equal((await stat(join(home, '.teleport-machine-id', name))).mode & 0o777, 0o600, name);
  }
});

test('a process that is started again replaces the one with its name', { skip }, async (t) => {
  const { start, world } = await scene(t);
  await start('patient');
  const first = await onlyOne(world);
  await start('patient');
  const second = await onlyOne(world);
  assert.notEqual(second.processId, first.processId);
  assert.equal((await world.listProcesses())?.isRunning(first.entry.processName), false);
});

test('a process that ignores SIGTERM is killed, and then counts as ended without a report', { skip }, async (t) => {
  const { start, world } = await scene(t);
  await start('stubborn');
  const running = await onlyOne(world);
  // Its clock alone runs ahead, so that the grace period is over at once.
  assert.equal(
    await stopBackground({ ...world, clock: { ...systemClock, sleep: () => Promise.resolve() } }, running),
    undefined,
  );
  assert.equal((await onlyOne(world)).state, 'died');
});

test('a process with the id of one that has ended gets no signal', { skip }, async (t) => {
  const { start, world } = await scene(t);
  await start('patient');
  const running = await onlyOne(world);
  const entry = { ...running.entry, processName: running.entry.processName.replace(/ \d+ /, ' 1 ') };
  assert.equal(await stopBackground(world, { ...running, entry }), undefined);
  assert.equal((await onlyOne(world)).state, 'ready');
});

test('a process that ends its work is listed as stopped, with its last report', { skip }, async (t) => {
  const { start, world } = await scene(t);
  await start('ending');
  const { entry } = await onlyOne(world);
  while ((await world.listProcesses())?.isRunning(entry.processName) === true) await systemClock.sleep(10);
  const { payload, state } = await onlyOne(world);
  assert.deepEqual([state, payload], ['stopped', { done: true }]);
});

test('a process that fails before it is ready fails the step with its own error and its log', { skip }, async (t) => {
  const { said, start, world } = await scene(t);
  await assert.rejects(start('unable'), { code: 'JOIN_DENIED', message: 'the bot is locked', hint: 'Unlock it.' });
  assert.match(
    said.join(''),
    /^The last lines of the log of the keeper test:\n[^]* {2}it is unable\n {2}Failed: the bot is locked\n$/,
  );
  assert.equal((await onlyOne(world)).state, 'failed');
});

test('a process that dies before it is ready fails the step', { skip }, async (t) => {
  const { start, world } = await scene(t);
  await assert.rejects(start('dying'), {
    code: 'BACKGROUND_NOT_STARTED',
    message: 'the keeper test was ended by SIGKILL before it was ready',
  });
  assert.equal((await onlyOne(world)).state, 'died');
});

test('a process that is not ready in time is stopped, and fails the step', { skip }, async (t) => {
  const { home, said, start, world } = await scene(t);
  const log = join(home, '.teleport-machine-id', 'keeper-job-1-0.test.log');
  // The time is up when the process works.
  const sleep = async (durationMs: number, signal?: AbortSignal) => {
    if (durationMs !== 20_000) return systemClock.sleep(durationMs, signal);
    while (!(await readFile(log, 'utf8').catch(() => '')).includes('it is late')) await systemClock.sleep(10);
  };
  await assert.rejects(start('late', { ...systemClock, sleep }), {
    code: 'BACKGROUND_NOT_STARTED',
    message: 'the keeper test was not ready within 20 s',
  });
  assert.match(said.join(''), /it is late/);
  const { entry, state } = await onlyOne(world);
  assert.equal(state, 'stopped');
  assert.equal((await world.listProcesses())?.isRunning(entry.processName), false);
});

test('on Windows, starting a process in the background is refused', async (t) => {
  const { world } = await scene(t);
  const windows = { ...world, files: { ...world.files, platform: 'win32' } };
  await assert.rejects(startBackground(windows, { kind: 'tunnel', name: 'db', args: [], readyTimeoutMs: 1 }), {
    code: 'BACKGROUND_NOT_STARTED',
    message: 'a tunnel cannot run in the background on Windows',
  });
});

test('a log keeps its last lines within its limit, without secrets', async (t) => {
  const folder = await temporaryFolder(t);
  const path = join(folder, 'log');
  const mask = createMask();
  mask.hide('a-secret-of-the-job');
  const log = boundedLog(systemFiles, path, mask);
  await appendFile(path, '');
  for (let at = 0; at < 5_000; at += 1)
    log.write(`line ${at} with a-secret-of-the-job and text that fills the line ${'.'.repeat(200)}\n`);
  await log.flush();
  const sizes = await Promise.all(['log', 'log.old'].map(async (name) => (await stat(join(folder, name))).size));
  assert.ok(
    sizes.every((size) => size <= 256 * 1024),
    String(sizes),
  );
  const tail = await logTail(systemFiles, path, 2);
  assert.deepEqual(
    tail,
    [4998, 4999].map((at) => `line ${at} with [masked] and text that fills the line ${'.'.repeat(200)}`),
  );
  assert.doesNotMatch(await readFile(join(folder, 'log.old'), 'utf8'), /a-secret/);
});

test('processes of this user are listed by this program itself', { skip }, async () => {
  const processes = await listProcessesBy(systemCommands)();
  assert.equal(processes?.self.split(' ')[0], String(process.pid));
});
