import assert from 'node:assert/strict';
import test from 'node:test';
import { run } from '../../src/commands/run.ts';
import { systemFiles } from '../../src/effects/files.ts';
import { systemWorld } from '../job/system-world.ts';

test('on Windows, a run that is to renew its credentials is refused before it reads or contacts anything', async () => {
  const unreadable = () => Promise.reject(new Error('read a file'));
  const files = { ...systemFiles, platform: 'win32', readInput: unreadable, readText: unreadable };
  await assert.rejects(run(['--config', 'tbot.yaml', '--refresh'], systemWorld({ files })), {
    code: 'BACKGROUND_NOT_STARTED',
    message: 'a keeper cannot run in the background on Windows',
  });
});
