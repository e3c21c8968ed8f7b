import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import test from 'node:test';
import { listProcessesBy } from '../../src/effects/processes.ts';
import { systemCommands } from '../../src/effects/programs.ts';
import { bounded } from '../programs.ts';

const skip = process.platform === 'linux' ? false : 'looks at Linux';
const list = listProcessesBy(systemCommands);

test('a process is known by its id and its start, and its environment is seen', { skip }, async (t) => {
  const child = bounded(
    spawn('sleep', ['30'], { env: { ...process.env, CIRCLE_WORKFLOW_JOB_ID: 'of-this-test' }, stdio: 'ignore' }),
  );
  t.after(() => child.kill('SIGKILL'));
  await once(child, 'spawn');
  const before = await list();
  const name = before?.withVariable('CIRCLE_WORKFLOW_JOB_ID', 'of-this-test') ?? '';
  assert.equal(name.split(' ')[0], String(child.pid));
  assert.equal(before?.isRunning(name), true);
  assert.equal(before.withVariable('CIRCLE_WORKFLOW_JOB_ID', 'of-this'), undefined);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const after = await list();
  assert.equal(after?.isRunning(name), false);
  assert.equal(after.withVariable('CIRCLE_WORKFLOW_JOB_ID', 'of-this-test'), undefined);
});

test('the ancestors begin with the parent, and leave out the first process of all', { skip }, async () => {
  const { ancestors = [] } = (await list()) ?? {};
  if (process.ppid > 1) assert.equal(ancestors[0]?.split(' ')[0], String(process.ppid));
  assert.ok(ancestors.every((name) => !name.startsWith('1 ')));
});

test('a process gets a signal only under the name it was started with', { skip }, async (t) => {
  const child = bounded(
    spawn('sleep', ['30'], { stdio: 'ignore', detached: true, env: { ...process.env, MARK: 'a' } }),
  );
  t.after(() => child.kill('SIGKILL'));
  await once(child, 'spawn');
  const processes = await list();
  const name = processes?.withVariable('MARK', 'a') ?? '';
  assert.equal(name.split(' ')[0], String(child.pid));
  assert.equal(processes?.withVariable('MARK', 'a', [name]), undefined);
  assert.deepEqual(
    [processes?.hasVariable(name, 'MARK', 'a'), processes?.hasVariable(name, 'MARK', 'b')],
    [true, false],
  );
  assert.deepEqual([processes?.leadsSession(name), processes?.leadsSession(processes.self)], [true, false]);
  const [id = '', ...start] = name.split(' ');
  assert.equal(processes?.send([id, '1', ...start.slice(1)].join(' '), 'SIGKILL'), false);
  assert.equal(processes.isRunning(name), true);
  assert.equal(processes.send(name, 'SIGKILL'), true);
  await once(child, 'exit');
  assert.equal((await list())?.send(name, 'SIGKILL'), false);
});
