import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readYaml } from '../../../src/schema/yaml/document.ts';
import { isList, isMapping, Scalar, type YamlValue } from '../../../src/schema/yaml/tree.ts';

/** Scalars as `tag:text`, null as null. */
function plain(value: YamlValue | undefined): unknown {
  if (value instanceof Scalar) return `${value.tag}:${value.text}`;
  if (isList(value)) return value.map(plain);
  return isMapping(value) ? Object.fromEntries([...value].map(([key, child]) => [key, plain(child)])) : null;
}

function read(text: string): unknown {
  const result = readYaml(text);
  if ('problems' in result) return result.problems.map(({ line, path, message }) => `${line ?? ''}|${path}|${message}`);
  return plain(result.root);
}

const VALUES: readonly (readonly [string, string, unknown])[] = [
  [
    'scalars keep their source text',
    'a: 0x10\nb: 007\nc: 2024-01-01',
    { a: 'int:0x10', b: 'int:007', c: 'str:2024-01-01' },
  ],
  ['YAML 1.1 words stay text', 'a: on\nb: yes\nc: n', { a: 'str:on', b: 'str:yes', c: 'str:n' }],
  ['quoted scalars are text', `a: "true"\nb: '12'`, { a: 'str:true', b: 'str:12' }],
  [
    'numbers are told apart',
    'a: 90\nb: 1e3\nc: -1.5\nd: .inf',
    { a: 'int:90', b: 'float:1e3', c: 'float:-1.5', d: 'float:.inf' },
  ],
  ['escapes and folded quotes are resolved', `a: "\\x41"\nb: 'it''s'`, { a: 'str:A', b: "str:it's" }],
  ['every null is null', 'a: ~\nb:\nc: null\nd: NULL\ne: !!null x', { a: null, b: null, c: null, d: null, e: null }],
  ['a null item is an empty scalar', 'a: [~]', { a: ['null:'] }],
  ['an explicit string tag makes text', 'a: !!str 12\nb: !!str ~', { a: 'str:12', b: 'str:~' }],
  ['block scalars are text', 'a: |\n  x\n  y\n', { a: 'str:x\ny\n' }],
  ['anchors and aliases', 'a: &x {k: 1}\nb: *x', { a: { k: 'int:1' }, b: { k: 'int:1' } }],
  [
    'of two anchors of one name the later counts from there on',
    'a: &x 1\nb: *x\nc: &x 2\nd: *x',
    { a: 'int:1', b: 'int:1', c: 'int:2', d: 'int:2' },
  ],
  [
    'an anchor that an alias repeats does not count again',
    'a: &o [&x 1]\nb: &x 2\nc: *o\nd: *x',
    { a: ['int:1'], b: 'int:2', c: ['int:1'], d: 'int:2' },
  ],
  ['a key may be an alias', 'a: &x k\n*x : 1', { a: 'str:k', k: 'int:1' }],
  [
    'a merge key, whose values lose',
    'a: &x {k: 1, l: 2}\nb:\n  l: 3\n  <<: *x',
    { a: { k: 'int:1', l: 'int:2' }, b: { k: 'int:1', l: 'int:3' } },
  ],
  ['of several merged maps the earlier counts', 'a: {<<: [{k: 1}, {k: 2, l: 2}]}', { a: { k: 'int:1', l: 'int:2' } }],
  ['a byte order mark and CRLF', '\uFEFFa: 1\r\nb: 2\r\n', { a: 'int:1', b: 'int:2' }],
  ['only the first document is read', 'a: 1\n---\n{[ not yaml', { a: 'int:1' }],
  ['a lone document start is an empty configuration', '---\n', {}],
  ['keys are case-sensitive', 'a: 1\nA: 2', { a: 'int:1', A: 'int:2' }],
  ['a key named __proto__ is a key', '__proto__: {a: 1}', Object.fromEntries([['__proto__', { a: 'int:1' }]])],
];

for (const [name, text, expected] of VALUES) {
  test(`YAML: ${name}`, () => {
    assert.deepEqual(read(text), expected);
  });
}

const FAULTS: readonly (readonly [string, string, RegExp])[] = [
  ['an empty file', '', /^1\|document\|failed parsing config file: EOF/],
  ['a file of comments', '# nothing\n', /EOF/],
  ['a duplicate key', 'a: 1\nb: 2\na: 3', /^3\|a\|mapping key "a" already defined at line 1$/],
  ['a nested duplicate key', 'a:\n  b: 1\n  b: 2', /^3\|a\.b\|mapping key "b" already defined at line 2$/],
  ['a duplicate key in a list item', 'a:\n- b: 1\n  b: 2', /^3\|a\[0\]\.b\|/],
  ['a tab as indentation', 'a:\n\tb: 1', /^2\|document\|failed parsing config file: Tabs/],
  ['an unclosed list', 'a: [1', /^1\|document\|failed parsing config file/],
  ['a list as the document', '- a', /^\|document\|cannot unmarshal !!seq into config\.BotConfig/],
  ['a word as the document', 'hello', /cannot unmarshal a text into config\.BotConfig/],
  ['an alias of nothing', 'a: *b', /^1\|a\|unknown anchor 'b' referenced$/],
  ['an alias of itself', 'a: &x [*x]', /^1\|a\[0\]\|anchor value contains itself$/],
  ['a merge of a word', 'a: {<<: b}', /map merge requires map/],
  ['a list as a key', '? [a]\n: 1', /a key must be plain text/],
  ['endless brackets', '['.repeat(20_000), /more than 100 levels/],
  ['endless dashes', '- '.repeat(5_000), /more than 100 levels/],
  ['a very long file', ' '.repeat(300_000), /300000 characters/],
];

for (const [name, text, expected] of FAULTS) {
  test(`YAML: ${name} is refused`, () => {
    assert.match(JSON.stringify(read(text)).slice(2, -2).replaceAll('\\"', '"'), expected);
  });
}

test('YAML: aliases of aliases end at a limit instead of filling the memory', () => {
  const levels = Array.from({ length: 30 }, (_, index) => `l${index + 1}: &l${index + 1} [*l${index}, *l${index}]`);
  const problems = readYaml(`l0: &l0 [x, x]\n${levels.join('\n')}\n`);
  assert.ok('problems' in problems);
  assert.match(problems.problems[0]?.message ?? '', /more than 10000 values/);
});

test('the line of a setting is that of its key, and of what is missing that of its surroundings', () => {
  const document = readYaml('a: 1\nb:\n  - c: 2\n    d:\n      - 3\n');
  assert.ok('root' in document);
  assert.equal(document.lineOf(['a']), 1);
  assert.equal(document.lineOf(['b', 0, 'd']), 4);
  assert.equal(document.lineOf(['b', 0, 'd', 0]), 5);
  assert.equal(document.lineOf(['b', 0, 'missing', 'deeper']), 3);
  assert.equal(document.lineOf(['missing']), undefined);
});
