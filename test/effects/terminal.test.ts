import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { beforeEach, describe, test } from 'node:test';
import { openPrompt, type Prompt } from '../../src/effects/prompt.ts';
import { styleFor } from '../../src/effects/terminal.ts';
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

const RED = '\u001b[31mx\u001b[39m';

for (const [what, isTerminal, environment, expected] of [
  ['a terminal with colours', true, { TERM: 'xterm-256color' }, RED],
  ['a pipe', false, { TERM: 'xterm-256color' }, 'x'],
  ['a terminal that is dumb', true, { TERM: 'dumb' }, 'x'],
  ['a terminal that says nothing of itself', true, {}, 'x'],
  ['a terminal under NO_COLOR', true, { TERM: 'xterm', NO_COLOR: '1' }, 'x'],
  ['a terminal under an empty NO_COLOR', true, { TERM: 'xterm', NO_COLOR: '' }, RED],
  ['a pipe under FORCE_COLOR', false, { FORCE_COLOR: '1' }, RED],
  ['a terminal under FORCE_COLOR=0', true, { TERM: 'xterm', FORCE_COLOR: '0' }, 'x'],
  ['a pipe under both', false, { FORCE_COLOR: '1', NO_COLOR: '1' }, 'x'],
] as const) {
  test(`${what} gets ${expected === RED ? 'colours' : 'none'}`, () => {
    assert.equal(styleFor(isTerminal, environment).failure('x'), expected);
  });
}

test('an empty text stays empty', () => {
  assert.equal(styleFor(true, { TERM: 'xterm' }).bold(''), '');
});
