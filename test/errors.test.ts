import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { ERROR_CODES, MachineIdError } from '../src/errors.ts';

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
