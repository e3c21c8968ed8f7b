/** Checks SSH signatures (RFC 4253 section 6.6, RFC 8332, RFC 5656, RFC 8709). */
import { verify } from 'node:crypto';
import { type SshPublicKey, toKeyObject } from './ssh-public-key.ts';
import { malformed, SshReader } from './ssh-wire.ts';

const WHAT = 'the SSH signature';

/** Hash by signature algorithm; SHA-1 (`ssh-rsa`) is left out on purpose. */
const RSA_HASHES: ReadonlyMap<string, string> = new Map([
  ['rsa-sha2-256', 'sha256'],
  ['rsa-sha2-512', 'sha512'],
]);

/** Hash and size of a coordinate by signature algorithm, which is the key's type too. */
const ECDSA: ReadonlyMap<string, { readonly hash: string; readonly bytes: number }> = new Map([
  ['ecdsa-sha2-nistp256', { hash: 'sha256', bytes: 32 }],
  ['ecdsa-sha2-nistp384', { hash: 'sha384', bytes: 48 }],
  ['ecdsa-sha2-nistp521', { hash: 'sha512', bytes: 66 }],
]);

/**
 * @param signature `string algorithm, string bytes`
 * @returns false for a signature that does not fit, and for an algorithm that the key may not use
 * @throws MachineIdError REPLY_INVALID when it is no signature at all
 */
export function verifySshSignature(key: SshPublicKey, signature: Uint8Array, signed: Uint8Array): boolean {
  const reader = new SshReader(signature, WHAT);
  const algorithm = reader.text();
  const bytes = reader.bytes();
  reader.end();
  const publicKey = toKeyObject(key);
  const rsaHash = RSA_HASHES.get(algorithm);
  if (rsaHash !== undefined) return key.type === 'ssh-rsa' && verify(rsaHash, signed, publicKey, bytes);
  if (algorithm !== key.type) return false;
  if (algorithm === 'ssh-ed25519') return verify(null, signed, publicKey, bytes);
  const ecdsa = ECDSA.get(algorithm);
  if (ecdsa === undefined) return false;
  const pair = fixedWidthPair(bytes, ecdsa.bytes);
  return verify(ecdsa.hash, signed, { key: publicKey, dsaEncoding: 'ieee-p1363' }, pair);
}

/** From two mpints (RFC 5656 section 3.1.2) to two numbers of the curve's width. */
function fixedWidthPair(bytes: Uint8Array, width: number): Uint8Array {
  const reader = new SshReader(bytes, WHAT);
  const numbers = [reader.positiveInteger(), reader.positiveInteger()];
  reader.end();
  return Buffer.concat(
    numbers.map((number) => {
      if (number.length > width) throw malformed(WHAT, 'a number in it is wider than the curve');
      return Buffer.concat([Buffer.alloc(width - number.length), number]);
    }),
  );
}
