/**
 * A new key pair, to be used in place of `generateKeyPairSync`: on Node 18 and 20 that leaves a job behind which locks the
 * key when it is collected, and if the key is just being exported as a JWK, under the same lock, the process waits forever.
 */
import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';

export const freshKey = promisify(generateKeyPair);
