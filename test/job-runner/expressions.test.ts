import assert from 'node:assert/strict';
import { test } from 'node:test';
import { substitute, unescapeText } from './expressions.ts';
import type { Values } from './expressions.ts';

const values: Values = {
  parameters: new Map<string, string | number | boolean>([
    ['name', 'web'],
    ['count', 3],
    ['fast', true],
  ]),
  pipeline: new Map([['git.branch', 'main']]),
};

const replaced: readonly (readonly [name: string, source: string, expected: unknown])[] = [
  ['a value that is one expression keeps its type', '<< parameters.count >>', 3],
  ['a boolean inside text reads true', 'fast=<< parameters.fast >>', 'fast=true'],
  ['spaces inside the brackets do not matter', '<<parameters.name>>', 'web'],
  ['two expressions stand in one text', '<< parameters.name >>-<< parameters.count >>', 'web-3'],
  ['a pipeline value is an expression too', 'on << pipeline.git.branch >>', 'on main'],
  ['an escaped one stays for the last step', '\\<< parameters.name >>', '\\<< parameters.name >>'],
];

for (const [name, source, expected] of replaced) {
  test(name, () => {
    assert.equal(substitute(source, values, 'here'), expected);
  });
}

test('an escaped << is unescaped last', () => {
  assert.equal(unescapeText('cat \\<<EOF'), 'cat <<EOF');
});

test('expressions in lists and mappings are replaced', () => {
  assert.deepEqual(substitute({ list: ['<< parameters.name >>'] }, values, 'here'), { list: ['web'] });
});

const refused: readonly (readonly [name: string, source: string, message: RegExp])[] = [
  ['a heredoc that is not escaped is refused', 'cat <<EOF', /Unclosed '<<' tag in string "<<EOF"/],
  ['a parameter that is not declared is refused', '<< parameters.nope >>', /parameters\.nope is not declared/],
  ['a pipeline value that is not given is refused', '<< pipeline.id >>', /pipeline\.id is not declared/],
];

for (const [name, source, message] of refused) {
  test(name, () => {
    assert.throws(() => substitute(source, values, 'here'), message);
  });
}
