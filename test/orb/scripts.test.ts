import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { missing, runProgramSync } from '../programs.ts';
import { mapping } from '../job-runner/mapping.ts';
import { packedWith } from './source.ts';
import { runs, textOrEmpty } from './walk.ts';

/** As the executor's shell gets them: put together from their parts, and with the compiler's escapes undone. */
const { commands } = mapping(parse(packedWith('the script')), 'orb');
const scripts = runs(commands, 'commands').flatMap(({ value, path }) => {
  const text = textOrEmpty(mapping(value, path).command).replaceAll('\\<<', '<<');
  return text === '' ? [] : [[path, text] as const];
});

for (const [path, text] of scripts) {
  for (const [program, ...options] of [
    ['bash', '-n'],
    ['dash', '-n'],
    ['shellcheck', '--shell=sh', '-'],
  ] as const) {
    test(`${program} finds no problem in ${path}`, { skip: missing(program) }, () => {
      assert.deepEqual(runProgramSync(program, options, { input: text }), { exitCode: 0, stdout: '', stderr: '' });
    });
  }
}

test('every script has one comment, which says what it does', () => {
  for (const [path, text] of scripts) {
    const [shebang = '', title = '', ...lines] = text.split('\n');
    assert.equal(shebang, '#!/bin/sh', path);
    assert.match(title, /^# [A-Z].*\.$/, path);
    assert.deepEqual(
      lines.filter((line) => /^\s*#|^\. /.test(line)),
      [],
      path,
    );
  }
});
