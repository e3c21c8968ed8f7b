/** Key pairs by algorithm, as Teleport's signature algorithm suites ask for them. */
import type { KeyObject } from 'node:crypto';

/** What a bot's keys can be: RSA-2048 (suite `legacy`, databases) or ECDSA P-256 (every other suite). */
export type KeyAlgorithm = 'rsa-2048' | 'ecdsa-p256';

export interface KeyPair {
  readonly algorithm: KeyAlgorithm;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}
