import assert from 'node:assert/strict';
import test from 'node:test';
import { MachineIdError } from '../../src/errors.ts';
import { type Flag, parseFlags } from '../../src/commands/command-line.ts';

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
    return error.faults.map(({ path, message }) => `${path} ${message}`);
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

test('all faults of a command line come together', () => {
  assert.deepEqual(faults('--conf', 'x', '--json=yes', '--destination', '--ca-pin', 'a'), [
    '--conf is not a known flag; did you mean --config?',
    'x arguments without a flag are not expected',
    '--json takes no value',
    '--destination needs a value: DIR',
    'a arguments without a flag are not expected',
  ]);
});

test('a flag without its value, or given twice, is a fault', () => {
  assert.deepEqual(faults('--config'), ['--config needs a value: FILE']);
  assert.deepEqual(faults('--config='), ['--config needs a value: FILE']);
  assert.deepEqual(faults('-c', 'a', '--config', 'b'), ['--config is given more than once']);
  assert.deepEqual(faults('--destination', 'a', '--destination-dir', 'b'), [
    '--destination-dir is given more than once',
  ]);
});
