/** Signature algorithm suites: which kind of key a cluster requires from its clients. */
import type { KeyAlgorithm } from '../crypto/keys.ts';

/** Numbers of the enum `types.SignatureAlgorithmSuite`, in order from 0. */
const BY_NUMBER = ['unspecified', 'legacy', 'balanced-v1', 'fips-v1', 'hsm-v1'];

/**
 * The suite's name in lowercase with dashes. Servers send a number, `balanced-v1` or
 * `SIGNATURE_ALGORITHM_SUITE_BALANCED_V1`; a missing value means `legacy`.
 */
export function suiteName(value: string | number | undefined): string {
  if (value === undefined || value === '') return 'legacy';
  const name =
    typeof value === 'number'
      ? (BY_NUMBER[value] ?? `unknown-${value}`)
      : value
          .toLowerCase()
          .replaceAll('_', '-')
          .replace(/^signature-algorithm-suite-/, '');
  return name === 'unspecified' ? 'legacy' : name;
}

/**
 * The algorithm for the keys of a bot and its outputs (one key serves SSH and TLS, hence no Ed25519). Unknown suites get
 * ECDSA P-256, like every suite after `legacy`.
 */
export function keyAlgorithm(suite: string): KeyAlgorithm {
  return suite === 'legacy' ? 'rsa-2048' : 'ecdsa-p256';
}

/**
 * The algorithm for the key of an SSH server, which only SSH uses: Ed25519, except for `fips-v1`, which does not allow it.
 * Unknown suites get an algorithm that FIPS allows too.
 */
export function hostKeyAlgorithm(suite: string): KeyAlgorithm {
  return suite === 'balanced-v1' || suite === 'hsm-v1' ? 'ed25519' : keyAlgorithm(suite);
}
