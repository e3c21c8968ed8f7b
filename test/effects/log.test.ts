import assert from 'node:assert/strict';
import test from 'node:test';
import { createLog } from '../../src/effects/log.ts';

test('what a line of the log quotes cannot rewrite a terminal', () => {
  const written: string[] = [];
  const write = (text: string) => written.push(text);
  createLog(write, { format: 'text', debug: true, nowMs: () => 0 }).warn('role \u001b[2Ja');
  createLog(write, { format: 'json', debug: true, nowMs: () => 0 }).info('role \u001b[2Ja');
  assert.equal(written[0], 'warning: role  [2Ja\n');
  assert.equal(written[1], '{"time":"1970-01-01T00:00:00.000Z","level":"info","message":"role  [2Ja"}\n');
});

test('a line of the log stays one line, in text and in JSON, and the facts of JSON say what came', () => {
  const odd = 'a\nerror: forged\u2028\u202eb\u200bc\u{e0041}';
  const written: string[] = [];
  const write = (text: string) => written.push(text);
  createLog(write, { format: 'text', debug: true, nowMs: () => 0 }).info(odd);
  createLog(write, { format: 'json', debug: true, nowMs: () => 0 }).info(odd, { odd });
  assert.equal(written[0], 'a error: forged b c \n');
  const line = written[1] ?? '';
  assert.doesNotMatch(line.slice(0, -1), /[\n\p{Cc}\p{Cf}\p{Zl}]/u);
  assert.deepEqual(JSON.parse(line), {
    time: '1970-01-01T00:00:00.000Z',
    level: 'info',
    message: 'a error: forged b c ',
    odd,
  });
});
