import assert from 'node:assert/strict';
import test from 'node:test';
import { styleFor } from '../../src/effects/terminal.ts';

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
    assert.equal(styleFor(isTerminal, environment).bad('x'), expected);
  });
}

test('an empty text stays empty', () => {
  assert.equal(styleFor(true, { TERM: 'xterm' }).strong(''), '');
});
