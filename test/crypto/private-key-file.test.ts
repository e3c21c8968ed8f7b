import assert from 'node:assert/strict';
import test from 'node:test';
import {
  generateKeyPair,
  openSshPrivateKey,
  pkcs8Pem,
  privateKeyPem,
  publicKeyInFile,
  samePublicKey,
} from '../../src/crypto/keys.ts';

for (const algorithm of ['rsa-2048', 'ecdsa-p256', 'ed25519'] as const) {
  test(`the public key is found in every form of a private key (${algorithm})`, async () => {
    const pair = await generateKeyPair(algorithm);
    for (const text of [privateKeyPem(pair), pkcs8Pem(pair), openSshPrivateKey(pair)]) {
      assert.ok(samePublicKey(publicKeyInFile(text.reveal()), pair.publicKey));
    }
  });
}

test('text that is not a private key is rejected, and nothing of it is shown', async () => {
  const pair = await generateKeyPair('ed25519');
  const whole = openSshPrivateKey(pair).reveal();
  const [first = '', ...rest] = whole.split('\n');
  const publicPem = pair.publicKey.export({ type: 'spki', format: 'pem' }).toString();
  for (const text of [
    '',
    publicPem,
    `${first}\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n`,
    [first, ...rest.slice(1)].join('\n'),
  ]) {
    assert.throws(
      () => publicKeyInFile(text),
      (error: Error) => {
        assert.match(error.message, /^the private key cannot be read: /);
        for (const line of rest.slice(0, -2)) assert.ok(!error.message.includes(line));
        return 'code' in error && error.code === 'RESPONSE_INVALID';
      },
    );
  }
});
