import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { parse } from 'yaml';
import { mapping } from '../job-runner/mapping.ts';
import { packedWith } from './source.ts';
import { runs, textOrEmpty } from './walk.ts';

/** As the executor's shell gets them: put together from their parts, and with the compiler's escapes undone. */
const { commands } = mapping(parse(packedWith('the script')), 'orb');
const scripts = runs(commands, 'commands').flatMap(({ value, path }) => {
  const text = textOrEmpty(mapping(value, path).command).replaceAll('\\<<', '<<');
  return text === '' ? [] : [[path, text] as const];
});

function check(program: string, options: readonly string[], text: string): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(program, options, { input: text, encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

/** A program that is missing is a gap on one's own machine and a fault in CI. */
function gap(program: string): string | false {
  const found = spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
  return found || process.env.CI === 'true' ? false : `${program} is not installed`;
}

for (const [path, text] of scripts) {
  for (const [program, ...options] of [
    ['bash', '-n'],
    ['dash', '-n'],
    ['shellcheck', '--shell=sh', '-'],
  ] as const) {
    test(`${program} finds no fault in ${path}`, { skip: gap(program) }, () => {
      assert.deepEqual(check(program, options, text), { status: 0, output: '' });
    });
  }
}

test('every script says in its first comment what it does, and carries no other', () => {
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
