/** SSH signatures by a private key, as an agent makes them (RFC 4253 section 6.6, RFC 5656, RFC 8332, RFC 8709). */
import { sign } from 'node:crypto';
import type { KeyPair } from './keys.ts';
import { sshPositiveInteger, sshString } from './ssh-wire.ts';

/** Flags of a request for a signature (draft-ietf-sshm-ssh-agent section 3.6.1). */
const RSA_SHA2_256 = 2;
const RSA_SHA2_512 = 4;

const COORDINATE_BYTES = 32;

/**
 * `string algorithm, string bytes`.
 * @param flags choose the hash of an RSA key; without them it would be SHA-1
 * @returns undefined for a signature with SHA-1, which servers refuse
 */
export function sshSignature(
  { algorithm, privateKey }: Pick<KeyPair, 'algorithm' | 'privateKey'>,
  data: Uint8Array,
  flags: number,
): Uint8Array | undefined {
  switch (algorithm) {
    case 'ed25519':
      return signatureOf('ssh-ed25519', sign(null, data, privateKey));
    case 'ecdsa-p256': {
      const pair = sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' });
      const numbers = [pair.subarray(0, COORDINATE_BYTES), pair.subarray(COORDINATE_BYTES)];
      return signatureOf('ecdsa-sha2-nistp256', Buffer.concat(numbers.map(sshPositiveInteger)));
    }
    case 'rsa-2048':
      if ((flags & RSA_SHA2_512) !== 0) return signatureOf('rsa-sha2-512', sign('sha512', data, privateKey));
      return (flags & RSA_SHA2_256) === 0 ? undefined : signatureOf('rsa-sha2-256', sign('sha256', data, privateKey));
    default:
      return algorithm satisfies never;
  }
}

function signatureOf(algorithm: string, bytes: Uint8Array): Uint8Array {
  return Buffer.concat([sshString(algorithm), sshString(bytes)]);
}
