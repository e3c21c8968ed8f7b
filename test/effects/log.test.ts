import assert from 'node:assert/strict';
import test from 'node:test';
import { createLog } from '../../src/effects/log.ts';

test('what a line of the log quotes cannot rewrite a terminal', () => {
  const written: string[] = [];
  const write = (text: string) => written.push(text);
  createLog(write, { format: 'text', debug: true, nowMs: () => 0 }).warn('role \u001b[2Ja');
  createLog(write, { format: 'json', debug: true, nowMs: () => 0 }).info('role \u001b[2Ja');
  assert.equal(written[0], 'warning: role  [2Ja\n');
  assert.equal(written[1], '{"time":"1970-01-01T00:00:00.000Z","level":"info","message":"role \\u001b[2Ja"}\n');
});
