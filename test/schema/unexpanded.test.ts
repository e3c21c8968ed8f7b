import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unexpandedPath, unexpandedValue } from '../../src/schema/unexpanded.ts';

const PATHS: readonly (readonly [path: string, found: string, advice: string])[] = [
  ['~', '~', 'the absolute path, for example /home/circleci'],
  ['~/', '~/', 'the absolute path, for example /home/circleci'],
  ['~/.teleport-identity', '~/', 'the absolute path, for example /home/circleci/.teleport-identity'],
  ['~\\creds', '~', 'the absolute path, for example /home/circleci/creds'],
  ['~root/creds', '~root', 'the absolute path, because the home directory of that user is not looked up'],
  ['~root', '~root', 'the absolute path, because the home directory of that user is not looked up'],
  ['~+/creds', '~+', 'the absolute path, because the home directory of that user is not looked up'],
  ['./~/creds', '~/', 'the absolute path, for example /home/circleci/creds'],
  ['/tmp/~', '~', 'the absolute path, for example /home/circleci'],
  ['file:~/creds', '~/', 'the absolute path, for example /home/circleci/creds'],
  ['file://~/creds', '~/', 'the absolute path, for example /home/circleci/creds'],
  ['file:///~/creds', '~/', 'the absolute path, for example /home/circleci/creds'],
  ['unix://~/api.sock', '~/', 'the absolute path, for example /home/circleci/api.sock'],
  ['$HOME', '$HOME', 'the path itself'],
  ['$HOME/creds', '$HOME', 'the path itself'],
  ['/tmp/a$B', '$B', 'the path itself'],
  ['file:///$HOME/creds', '$HOME', 'the path itself'],
  ['${RUNNER_TEMP}/machine-id', '${RUNNER_TEMP}', 'the path itself'],
  ['/tmp/${A:-b}', '${A:-b}', 'the path itself'],
  ['$env:TEMP\\creds', '$env:TEMP', 'the path itself'],
  ['/tmp/creds-$$', '$$', 'the path itself'],
  ['$(mktemp -d)/creds', '$(mktemp -d)', 'the path itself'],
  ['$(pwd)/creds', '$(pwd)/', '"./creds", as relative paths start at the working directory'],
  ['${PWD}', '${PWD}', '"./", as relative paths start at the working directory'],
  [
    '$CIRCLE_WORKING_DIRECTORY/a/b',
    '$CIRCLE_WORKING_DIRECTORY/',
    '"./a/b", as relative paths start at the working directory',
  ],
  ['`pwd`/creds', '`pwd`/', '"./creds", as relative paths start at the working directory'],
  ['/tmp/`id -u`', '`id -u`', 'the path itself'],
  ['%TEMP%\\creds', '%TEMP%', 'the path itself'],
  ['%ProgramFiles(x86)%/creds', '%ProgramFiles(x86)%', 'the path itself'],
  ['%CD%/creds', '%CD%', 'the path itself'],
  ['/tmp/a${b', '${', 'the path itself'],
  ['/tmp/a$(b', '$(', 'the path itself'],
  [`/tmp/\${${'A'.repeat(300)}}`, '${', 'the path itself'],
];

test('a path that a shell would have replaced is refused with what to write instead', () => {
  for (const [path, found, advice] of PATHS) {
    assert.equal(unexpandedPath(path), `"${found}" is not expanded here: write ${advice}`, path);
  }
});

const TEMPLATES: readonly string[] = [
  '{{ .Values.proxy }}',
  '{{- .Values.proxy -}}',
  '${{ secrets.PROXY }}',
  '{% if x %}',
  '<%= @proxy %>',
  '<< parameters.proxy >>',
  '<<parameters.proxy>>',
  '%{ if x }',
  '#{Proxy}',
  '$[[ inputs.proxy ]]',
];

test('the mark of a template engine is refused in paths and values', () => {
  for (const template of TEMPLATES) {
    const refusal = `"${template}" is not expanded here: write the value itself; this is an unrendered template, which must be rendered before this step`;
    for (const text of [template, `/tmp/${template}/creds`, `a-${template}:443`]) {
      assert.equal(unexpandedPath(text), refusal, text);
      assert.equal(unexpandedValue(text), refusal, text);
    }
  }
});

const LITERAL_PATHS: readonly string[] = [
  '',
  '.',
  './creds',
  '/tmp/a~b',
  'a~',
  './~root/creds',
  'C:\\PROGRA~1\\creds',
  'cost$',
  'cost$5',
  'a$-b',
  '$',
  '100%',
  '50%-a%b',
  '/tmp/%c3%a4',
  '%e4%f6',
  'a`b',
  '{a}',
  'a<b>',
  'a<<b',
  '#a',
  '(a)',
  '@a@',
  'über/straße',
  'file:///tmp/a%20b',
];

test('quotes and spaces around a path are not part of it', () => {
  for (const [path, says] of [
    ["'~/creds'", '"~/" is not expanded here: write the absolute path, for example /home/circleci/creds'],
    ['"/tmp/creds"', 'write "/tmp/creds"'],
    [' /tmp/creds', 'write "/tmp/creds"'],
    ['/tmp/creds\n', 'write "/tmp/creds"'],
    ['" $HOME"', '"$HOME" is not expanded here: write the path itself'],
  ] as const) {
    assert.ok(unexpandedPath(path)?.endsWith(`would become part of the name; without them: ${says}`) ?? false, path);
  }
  for (const path of ["it's", "'", `a "b"`, `'a'b`, 'a b']) assert.equal(unexpandedPath(path), undefined, path);
});

test('a lone sign within a name is literal', () => {
  for (const path of LITERAL_PATHS) assert.equal(unexpandedPath(path), undefined, path);
});

test('in a value that is not a path, a variable counts only at the start of a word', () => {
  for (const text of [
    ...['${PROXY}:443', '$PROXY:443', 'https://$PROXY', 'bot-$ENV', '$(cat token)', '"$TOKEN"', '$externals'],
    '%PROXY%:443',
  ]) {
    assert.match(
      unexpandedValue(text) ?? '',
      /^"[$%].+" is not expanded here: write the value itself, or render/,
      text,
    );
  }
  for (const text of [
    'C$USER',
    'SYS_$X',
    '$',
    'a$ b',
    'cost$5',
    '~/x',
    'HOST$',
    '100%',
    '`a`',
    '%temp%',
    '$$X',
    '$external',
    '50%OFF',
  ]) {
    assert.equal(unexpandedValue(text), undefined, text);
  }
});

test('what surrounds a variable may be secret and is not repeated', () => {
  assert.doesNotMatch(unexpandedValue('hunter2-${SUFFIX}') ?? '', /hunter2/);
});

test('a hostile value does not take long', () => {
  // Processor time: other tests run at the same time.
  const started = process.cpuUsage();
  for (const piece of ['${', '{{', '<<', '`', '%A', '$(', '~/', '$A', '"', "'", ' ']) {
    unexpandedPath(piece.repeat(100_000));
    unexpandedValue(piece.repeat(100_000));
  }
  assert.ok(process.cpuUsage(started).user < 5_000_000);
});
