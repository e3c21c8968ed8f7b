import assert from 'node:assert/strict';
import test from 'node:test';
import { type Flag, parseFlags } from '../../src/cli/flags.ts';
import { CLEANUP_FLAGS } from '../../src/commands/cleanup.ts';
import { DOCTOR_FLAGS } from '../../src/commands/doctor/flags.ts';
import { EXPLAIN_TOKEN_FLAGS } from '../../src/commands/explain-token/explain-token.ts';
import { INIT_FLAGS } from '../../src/commands/init/flags.ts';
import { INSTALL_TOOLS_FLAGS } from '../../src/commands/install-tools/flags.ts';
import { RUN_FLAGS } from '../../src/commands/run-flags.ts';
import { MachineIdError } from '../../src/errors.ts';

const FLAGS: readonly Flag[] = [
  { name: 'config', short: 'c', value: 'FILE', help: '' },
  { name: 'destination', aliases: ['destination-dir'], value: 'DIR', help: '' },
  { name: 'ca-pin', value: 'PIN', repeatable: true, help: '' },
  { name: 'json', help: '' },
];

function faults(...args: string[]): string[] {
  try {
    parseFlags(FLAGS, args);
  } catch (error) {
    assert.ok(error instanceof MachineIdError);
    assert.equal(error.code, 'USAGE_INVALID');
    assert.equal(error.exitCode, 2);
    return error.problems.map(({ path, message }) => `${path} ${message}`);
  }
  return [];
}

test('flags are read in every form in which people write them', () => {
  const given = parseFlags(FLAGS, ['-c', 'a.yaml', '--destination-dir=/out', '--ca-pin', 'x', '--ca-pin=y', '--json']);
  assert.deepEqual(
    [...given],
    [
      ['config', ['a.yaml']],
      ['destination', ['/out']],
      ['ca-pin', ['x', 'y']],
      ['json', ['']],
    ],
  );
});

test('a value that begins with a dash is taken when it is joined by an equals sign', () => {
  assert.deepEqual(parseFlags(FLAGS, ['--destination=-odd']).get('destination'), ['-odd']);
});

test('all problems of a command line are reported together', () => {
  assert.deepEqual(faults('--conf', 'x', '--json=yes', '--destination', '--ca-pin', 'a'), [
    '--conf is not a known flag; did you mean --config?',
    'x arguments without a flag are not expected',
    '--json takes no value',
    '--destination needs a value: DIR',
    'a arguments without a flag are not expected',
  ]);
});

test('a flag without its value, or given twice, is an error', () => {
  assert.deepEqual(faults('--config'), ['--config needs a value: FILE']);
  assert.deepEqual(faults('--config='), ['--config needs a value: FILE']);
  assert.deepEqual(faults('-c', 'a', '--config', 'b'), ['--config is given more than once']);
  assert.deepEqual(faults('--destination', 'a', '--destination-dir', 'b'), [
    '--destination-dir is given more than once',
  ]);
});

test('a path that is used unchanged must not contain what a shell would expand', () => {
  const flags: readonly Flag[] = [
    { name: 'dir', value: 'DIR', isPath: true, help: '' },
    { name: 'name', value: 'NAME', help: '' },
  ];
  assert.throws(
    () => parseFlags(flags, ['--dir=~/x', '--name', '~/x']),
    (error) => {
      assert.ok(error instanceof MachineIdError);
      assert.deepEqual(
        error.problems.map(({ path, message }) => `${path} ${message}`),
        ['--dir "~/" is not expanded here: write the absolute path, for example /home/circleci/x'],
      );
      return true;
    },
  );
});

test('every flag with a path is checked, here or with the configuration', () => {
  // Of run, doctor and init: test/e2e/unexpanded-paths.test.ts has each of them.
  const withConfiguration = [
    'config',
    'destination',
    'storage',
    'ca-file',
    'ca-path',
    'report',
    'token-file',
    'directory',
  ];
  const commands = { CLEANUP_FLAGS, DOCTOR_FLAGS, EXPLAIN_TOKEN_FLAGS, INIT_FLAGS, INSTALL_TOOLS_FLAGS, RUN_FLAGS };
  for (const [command, flags] of Object.entries(commands)) {
    const unchecked = flags
      .filter(({ isPath, value = '' }) => /^(?:FILE|DIR|URI)$/.test(value) && isPath !== true)
      .map(({ name }) => name)
      .filter(
        (name) => name !== 'join-uri' && !(withConfiguration.includes(name) && command !== 'INSTALL_TOOLS_FLAGS'),
      );
    assert.deepEqual(unchecked, [], command);
  }
});
