import assert from 'node:assert/strict';
import test from 'node:test';
import { hostKeyAlgorithm, keyAlgorithm, suiteName } from '../../src/teleport/suite.ts';

const SUITES: [string | number | undefined, string, string][] = [
  [undefined, 'legacy', 'rsa-2048'],
  ['', 'legacy', 'rsa-2048'],
  [0, 'legacy', 'rsa-2048'],
  [1, 'legacy', 'rsa-2048'],
  ['SIGNATURE_ALGORITHM_SUITE_UNSPECIFIED', 'legacy', 'rsa-2048'],
  ['SIGNATURE_ALGORITHM_SUITE_LEGACY', 'legacy', 'rsa-2048'],
  ['legacy', 'legacy', 'rsa-2048'],
  [2, 'balanced-v1', 'ecdsa-p256'],
  ['balanced-v1', 'balanced-v1', 'ecdsa-p256'],
  ['SIGNATURE_ALGORITHM_SUITE_BALANCED_V1', 'balanced-v1', 'ecdsa-p256'],
  ['FIPS_V1', 'fips-v1', 'ecdsa-p256'],
  [4, 'hsm-v1', 'ecdsa-p256'],
  ['balanced-v2', 'balanced-v2', 'ecdsa-p256'],
];

for (const [value, name, algorithm] of SUITES) {
  test(`the suite ${JSON.stringify(value)} is ${name} and wants ${algorithm}`, () => {
    assert.equal(suiteName(value), name);
    assert.equal(keyAlgorithm(suiteName(value)), algorithm);
  });
}

for (const [suite, algorithm] of [
  ['legacy', 'rsa-2048'],
  ['balanced-v1', 'ed25519'],
  ['fips-v1', 'ecdsa-p256'],
  ['hsm-v1', 'ed25519'],
  ['balanced-v2', 'ecdsa-p256'],
] as const) {
  test(`the key of an SSH server is of ${algorithm} in the suite ${suite}`, () => {
    assert.equal(hostKeyAlgorithm(suite), algorithm);
  });
}
