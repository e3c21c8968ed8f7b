/** Signature algorithm suites: which kind of key a cluster wants from its clients. */
import type { KeyAlgorithm } from '../crypto/keys.ts';

/** Numbers of the enum `types.SignatureAlgorithmSuite`, in order from 0. */
const BY_NUMBER = ['unspecified', 'legacy', 'balanced-v1', 'fips-v1', 'hsm-v1'];

/**
 * The suite's name in lower case with dashes.
 * Servers write it as a number, as `balanced-v1` or as `SIGNATURE_ALGORITHM_SUITE_BALANCED_V1`; absent means legacy.
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
 * The algorithm for a bot's own key and for its outputs' keys (one key serves SSH and TLS, hence no Ed25519).
 * A suite that this version doesn't know gets ECDSA P-256, as every suite after `legacy` does.
 */
export function keyAlgorithm(suite: string): KeyAlgorithm {
  return suite === 'legacy' ? 'rsa-2048' : 'ecdsa-p256';
}

/**
 * For the key of an SSH server, which only SSH sees: hence Ed25519, but for `fips-v1`, which knows none.
 * A suite that this version doesn't know gets what FIPS allows too.
 */
export function hostKeyAlgorithm(suite: string): KeyAlgorithm {
  return suite === 'balanced-v1' || suite === 'hsm-v1' ? 'ed25519' : keyAlgorithm(suite);
}
