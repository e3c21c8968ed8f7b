import assert from 'node:assert/strict';
import { type KeyObject, sign } from 'node:crypto';
import test from 'node:test';
import { verifySshSignature } from '../../src/crypto/ssh-certificate.ts';
import { sshPublicKey } from '../../src/crypto/ssh-public-key.ts';
import { sshPositiveInteger, sshString } from '../../src/crypto/ssh-wire.ts';
import { freshKey } from '../fresh-key.ts';

const INVALID = { name: 'MachineIdError', code: 'RESPONSE_INVALID' };
const SIGNED = Buffer.from('what is signed');

const rsa = await freshKey('rsa', { modulusLength: 2048 });
const p256 = await freshKey('ec', { namedCurve: 'P-256' });
const ed25519 = await freshKey('ed25519');

const signature = (algorithm: string, bytes: Uint8Array) => Buffer.concat([sshString(algorithm), sshString(bytes)]);
const verifies = (publicKey: KeyObject, algorithm: string, bytes: Uint8Array) =>
  verifySshSignature(sshPublicKey(publicKey), signature(algorithm, bytes), SIGNED);

test('an RSA signature counts under the hash that made it, and never under SHA-1', () => {
  const sha1 = sign('sha1', SIGNED, rsa.privateKey);
  const sha256 = sign('sha256', SIGNED, rsa.privateKey);
  assert.equal(verifies(rsa.publicKey, 'rsa-sha2-256', sha256), true);
  assert.equal(verifies(rsa.publicKey, 'rsa-sha2-512', sha256), false);
  assert.equal(verifies(rsa.publicKey, 'ssh-rsa', sha1), false);
  assert.equal(verifies(rsa.publicKey, 'rsa-sha2-256', sha1), false);
});

test('an algorithm of another kind of key does not count', () => {
  const bytes = sign(null, SIGNED, ed25519.privateKey);
  assert.equal(verifies(ed25519.publicKey, 'ssh-ed25519', bytes), true);
  for (const algorithm of ['rsa-sha2-256', 'ssh-rsa', 'ecdsa-sha2-nistp256', 'none', '']) {
    assert.equal(verifies(ed25519.publicKey, algorithm, bytes), false, algorithm);
    if (algorithm !== 'rsa-sha2-256') assert.equal(verifies(rsa.publicKey, algorithm, bytes), false, algorithm);
  }
});

test('an Ed25519 or RSA signature of the wrong length does not count', () => {
  const short = sign(null, SIGNED, ed25519.privateKey).subarray(1);
  assert.equal(verifies(ed25519.publicKey, 'ssh-ed25519', short), false);
  assert.equal(verifies(ed25519.publicKey, 'ssh-ed25519', Buffer.alloc(0)), false);
  assert.equal(verifies(rsa.publicKey, 'rsa-sha2-512', Buffer.alloc(0)), false);
});

test('numbers of an ECDSA signature count when they are short', () => {
  let pair: Buffer;
  do pair = sign('sha256', SIGNED, { key: p256.privateKey, dsaEncoding: 'ieee-p1363' });
  while (pair[0] !== 0); // one in 256 begins with a zero byte, which an mpint leaves out
  const numbers = mpints(pair.subarray(0, 32), pair.subarray(32));
  assert.equal(verifies(p256.publicKey, 'ecdsa-sha2-nistp256', numbers), true);
});

test('small numbers are not accepted as an ECDSA signature', () => {
  assert.equal(verifies(p256.publicKey, 'ecdsa-sha2-nistp256', mpints(Buffer.of(1), Buffer.of(1))), false);
});

const MALFORMED: readonly (readonly [string, Uint8Array])[] = [
  ['nothing', Buffer.alloc(0)],
  ['an algorithm without bytes', sshString('ssh-ed25519')],
  ['bytes behind it', Buffer.concat([signature('ssh-ed25519', Buffer.alloc(64)), Buffer.of(0)])],
  ['an ECDSA number wider than the curve', signature('ecdsa-sha2-nistp256', mpints(Buffer.alloc(33, 1), Buffer.of(1)))],
  ['one ECDSA number', signature('ecdsa-sha2-nistp256', sshPositiveInteger(Buffer.of(1)))],
  ['three ECDSA numbers', signature('ecdsa-sha2-nistp256', mpints(Buffer.of(1), Buffer.of(1), Buffer.of(1)))],
  ['an ECDSA number of zero', signature('ecdsa-sha2-nistp256', mpints(Buffer.of(0), Buffer.of(1)))],
];

for (const [what, bytes] of MALFORMED) {
  test(`a signature with ${what} cannot be read`, () => {
    assert.throws(() => verifySshSignature(sshPublicKey(p256.publicKey), bytes, SIGNED), INVALID);
  });
}

function mpints(...numbers: readonly Uint8Array[]): Buffer {
  return Buffer.concat(numbers.map(sshPositiveInteger));
}
