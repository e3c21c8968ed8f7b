import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { beforeEach, describe, test } from 'node:test';
import { openPrompt, type Prompt } from '../../src/effects/terminal.ts';
import { MachineIdError } from '../../src/errors.ts';

describe('a conversation', () => {
  let input: PassThrough;
  let cancelled: AbortController;
  let conversation: Prompt;

  beforeEach(() => {
    input = new PassThrough();
    cancelled = new AbortController();
    conversation = openPrompt(input, new PassThrough().resume(), cancelled.signal);
  });

  test('takes each line for one question, also those that come early', async () => {
    const first = conversation.ask('one? ');
    input.write('1\r2\r');
    assert.equal(await first, '1');
    assert.equal(await conversation.ask('two? '), '2');
    conversation.end();
  });

  test('ends with the reason of the signal, for the question that is open and for the next', async () => {
    const open = conversation.ask('one? ');
    const reason = new MachineIdError('INTERRUPTED', 'interrupted by SIGTERM', { hint: '' });
    cancelled.abort(reason);
    await assert.rejects(open, reason);
    await assert.rejects(conversation.ask('two? '), reason);
  });

  test('ends with the input', async () => {
    const open = conversation.ask('one? ');
    input.end();
    await assert.rejects(open, { code: 'INTERRUPTED', message: /the end of the input/ });
  });

  test('reads Ctrl-C, which is a key press in this terminal mode', async () => {
    const open = conversation.ask('one? ');
    input.write('half\u0003');
    await assert.rejects(open, { code: 'INTERRUPTED', message: /Ctrl-C/ });
  });
});
