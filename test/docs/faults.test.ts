import assert from 'node:assert/strict';
import test from 'node:test';
import { MACHINE_AND_PEER_FAULTS } from '../faults.ts';
import { testNamesIn } from './test-names.ts';

test('everything that can go wrong with the machine and with a peer names a test that exists', () => {
  assert.ok(MACHINE_AND_PEER_FAULTS.length >= 70, String(MACHINE_AND_PEER_FAULTS.length));
  for (const { fault, file, test: name } of MACHINE_AND_PEER_FAULTS) {
    assert.ok(testNamesIn(file).includes(name), `${fault}: ${file} has no test "${name}"`);
  }
});

test('nothing is listed twice', () => {
  const names = MACHINE_AND_PEER_FAULTS.map(({ fault }) => fault);
  assert.deepEqual([...new Set(names)], names);
});
