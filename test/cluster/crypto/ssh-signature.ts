/** Creates and verifies SSH signatures (RFC 8332, RFC 5656 section 3.1.2, RFC 8709 section 6). */
import { sign, verify, type KeyObject } from 'node:crypto';
import { ByteReader } from './byte-reader.ts';
import { mpint, sshString } from './ssh-public-key.ts';

const P256_INTEGER_BYTES = 32;

export type SignatureAlgorithm = 'rsa-sha2-256' | 'rsa-sha2-512' | 'ecdsa-sha2-nistp256' | 'ssh-ed25519';

/** The default algorithm of each key type. */
export function defaultAlgorithm(key: KeyObject): SignatureAlgorithm {
  if (key.asymmetricKeyType === 'rsa') {
    return 'rsa-sha2-512';
  }
  return key.asymmetricKeyType === 'ec' ? 'ecdsa-sha2-nistp256' : 'ssh-ed25519';
}

/** The signature in wire format, with the name of its algorithm. */
export function signSsh(data: Buffer, key: KeyObject, algorithm: SignatureAlgorithm): Buffer {
  return Buffer.concat([sshString(algorithm), sshString(rawSignature(data, key, algorithm))]);
}

/** Whether the signature is valid for this key and uses the negotiated algorithm. */
export function verifySsh(data: Buffer, key: KeyObject, signature: Buffer, algorithm: SignatureAlgorithm): boolean {
  const reader = new ByteReader(signature);
  if (reader.vector(4).toString('utf8') !== algorithm) {
    return false;
  }
  const raw = reader.vector(4);
  switch (algorithm) {
    case 'rsa-sha2-256':
      return verify('sha256', data, key, raw);
    case 'rsa-sha2-512':
      return verify('sha512', data, key, raw);
    case 'ssh-ed25519':
      return verify(null, data, key, raw);
    case 'ecdsa-sha2-nistp256': {
      const integers = new ByteReader(raw);
      const fixed = Buffer.concat([fixedInteger(integers.vector(4)), fixedInteger(integers.vector(4))]);
      return verify('sha256', data, { key, dsaEncoding: 'ieee-p1363' }, fixed);
    }
  }
}

function rawSignature(data: Buffer, key: KeyObject, algorithm: SignatureAlgorithm): Buffer {
  switch (algorithm) {
    case 'rsa-sha2-256':
      return sign('sha256', data, key);
    case 'rsa-sha2-512':
      return sign('sha512', data, key);
    case 'ssh-ed25519':
      return sign(null, data, key);
    case 'ecdsa-sha2-nistp256': {
      const fixed = sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' });
      return Buffer.concat([mpint(fixed.subarray(0, P256_INTEGER_BYTES)), mpint(fixed.subarray(P256_INTEGER_BYTES))]);
    }
  }
}

/** An mpint as an integer of 32 bytes. @throws RangeError if it is longer */
function fixedInteger(magnitude: Buffer): Buffer {
  const start = magnitude.findIndex((byte) => byte !== 0);
  const digits = start === -1 ? Buffer.alloc(0) : magnitude.subarray(start);
  return Buffer.concat([Buffer.alloc(P256_INTEGER_BYTES - digits.length), digits]);
}
