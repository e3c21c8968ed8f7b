import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { ERROR_CODES, MachineIdError, printable } from '../src/errors.ts';

test('docs/errors.md has a heading for every error code and for nothing else', () => {
  const headings = [...readFileSync('docs/errors.md', 'utf8').matchAll(/^### `?([A-Z_]+)`?$/gm)].map(
    (match) => match[1],
  );
  assert.deepEqual([...headings].sort(), [...ERROR_CODES].sort());
});

test('wrong input exits with 2 and a failure with 1', () => {
  assert.equal(new MachineIdError('CONFIG_INVALID', 'm', { hint: 'h' }).exitCode, 2);
  assert.equal(new MachineIdError('JOIN_DENIED', 'm', { hint: 'h' }).exitCode, 1);
});

test('the cause of an error is kept', () => {
  const cause = new Error('below');
  assert.equal(new MachineIdError('INTERNAL', 'm', { hint: 'h', cause }).cause, cause);
});

test('what an error quotes cannot rewrite a terminal or forge another line', () => {
  const odd = 'a\u001b[2Jb\u009bc\u202ed\re\u2028f\ng\u200bh\u00adi\ufeff\u2066j';
  const plain = 'a [2Jb c d e f g h i j';
  const { problems, hint, message } = new MachineIdError('CONFIG_INVALID', odd, {
    hint: odd,
    problems: [{ path: odd, line: 1, message: odd }],
  });
  assert.deepEqual([message, hint, problems], [plain, plain, [{ path: plain, line: 1, message: plain }]]);
});

test('only further lines of a message make line breaks in it', () => {
  const { message } = new MachineIdError('CONFIG_INVALID', 'a\nb', { hint: 'h', lines: ['  c\nd', 'e'] });
  assert.equal(message, 'a b\n  c d\ne');
});

test('emoji and names in any script stay as they are', () => {
  for (const name of ['🛠️ deploy', 'größe', '日本', 'мир', 'नमस्ते']) assert.equal(printable(name), name);
});
