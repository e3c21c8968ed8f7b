import assert from 'node:assert/strict';
import test from 'node:test';
import { missing, outputOf } from '../../programs.ts';
import { keyPem, publicKeyDer } from './keys.ts';
import { SHARED_RSA_KEYS, sharedRsaKey } from './shared-rsa-keys.ts';

const keys = await Promise.all(Array.from({ length: SHARED_RSA_KEYS }, (_, number) => sharedRsaKey(number)));

test('the shared RSA keys are different ones of 2048 bits', () => {
  assert.equal(new Set(keys.map((key) => publicKeyDer(key).toString('hex'))).size, SHARED_RSA_KEYS);
  assert.deepEqual(
    keys.map(({ asymmetricKeyDetails }) => asymmetricKeyDetails?.modulusLength),
    keys.map(() => 2048),
  );
});

test('OpenSSL takes every number in a shared RSA key for correct', { skip: missing('openssl') }, () => {
  for (const key of keys.slice(0, 3)) {
    assert.match(outputOf('openssl', ['rsa', '-check', '-noout'], { input: keyPem(key) }), /RSA key ok/);
  }
});
