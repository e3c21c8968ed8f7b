import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { inspect } from 'node:util';
import {
  generateKeyPair,
  type KeyAlgorithm,
  openSshPrivateKey,
  pkcs8Pem,
  privateKeyPem,
  publicKeyDer,
  publicKeyInFile,
  publicKeyPem,
  samePublicKey,
} from '../../src/crypto/keys.ts';
import { formatAuthorizedKey, sshPublicKey } from '../../src/crypto/ssh-public-key.ts';
import { missing, runProgram } from '../programs.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { sshKeygen } from './ssh-keygen.ts';

const KINDS: readonly { algorithm: KeyAlgorithm; label: string; details: object }[] = [
  {
    algorithm: 'rsa-2048',
    label: 'RSA PRIVATE KEY',
    details: { modulusLength: 2048, publicExponent: 65_537n },
  },
  { algorithm: 'ecdsa-p256', label: 'PRIVATE KEY', details: { namedCurve: 'prime256v1' } },
];

for (const { algorithm, label, details } of KINDS) {
  test(`a key of ${algorithm} is one, and its PEM label is ${label}`, async () => {
    const pair = await generateKeyPair(algorithm);
    assert.deepEqual({ ...pair.publicKey.asymmetricKeyDetails }, details);
    const pem = privateKeyPem(pair).reveal();
    assert.match(pem, new RegExp(`^-----BEGIN ${label}-----\n[^-]+-----END ${label}-----\n$`));
    assert.ok(samePublicKey(createPublicKey(pem), pair.publicKey));
  });

  test(
    `ssh-keygen -y makes our public line of a key file of ${algorithm}`,
    { skip: missing('ssh-keygen') },
    async (context) => {
      const pair = await generateKeyPair(algorithm);
      const path = join(await temporaryFolder(context), 'key');
      await writeFile(path, privateKeyPem(pair).reveal());
      await chmod(path, 0o600);
      assert.equal(await sshKeygen('-y', '-f', path), `${formatAuthorizedKey(sshPublicKey(pair.publicKey))}\n`);
    },
  );

  test(`openssl makes our public PEM of a key file of ${algorithm}`, { skip: missing('openssl') }, async (context) => {
    const pair = await generateKeyPair(algorithm);
    const path = join(await temporaryFolder(context), 'key');
    await writeFile(path, privateKeyPem(pair).reveal());
    const { stdout } = await runProgram('openssl', ['pkey', '-in', path, '-pubout']);
    assert.equal(publicKeyPem(pair.publicKey), stdout);
  });

  test(`a key pair of ${algorithm} does not print its private key`, async () => {
    const pair = await generateKeyPair(algorithm);
    const pem = privateKeyPem(pair);
    const shown = [String(pem), JSON.stringify({ pair, pem }), inspect({ pair, pem }, { depth: 9 })].join('\n');
    const [, firstLine = ''] = pem.reveal().split('\n');
    assert.ok(!shown.includes(firstLine));
  });
}

test('the public key in DER is the one in PEM', async () => {
  const { publicKey } = await generateKeyPair('ecdsa-p256');
  const key = createPublicKey({ key: Buffer.from(publicKeyDer(publicKey)), format: 'der', type: 'spki' });
  assert.equal(publicKeyPem(key), publicKeyPem(publicKey));
});

test('keys differ from pair to pair and from kind to kind', async () => {
  const pairs = await Promise.all([
    generateKeyPair('ecdsa-p256'),
    generateKeyPair('ecdsa-p256'),
    generateKeyPair('rsa-2048'),
  ]);
  const [one, other, rsa] = pairs.map(({ publicKey }) => publicKey);
  assert.ok(one && other && rsa);
  assert.equal(samePublicKey(one, other), false);
  assert.equal(samePublicKey(one, rsa), false);
  assert.equal(samePublicKey(one, createPublicKey(publicKeyPem(one))), true);
});

test('comparing keys of two types leaves no error behind for the next key that is read', async () => {
  const [one, other] = await Promise.all([generateKeyPair('rsa-2048'), generateKeyPair('ecdsa-p256')]);
  assert.equal(samePublicKey(one.publicKey, other.publicKey), false);
  assert.ok(samePublicKey(publicKeyInFile(privateKeyPem(one).reveal()), one.publicKey));
});

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

const skip = missing('ssh-keygen');

for (const [algorithm, label] of [
  ['ed25519', 'OPENSSH PRIVATE KEY'],
  ['ecdsa-p256', 'OPENSSH PRIVATE KEY'],
  ['rsa-2048', 'RSA PRIVATE KEY'],
] as const) {
  test(`OpenSSH reads a key of ${algorithm} from ${label}`, { skip }, async (t) => {
    // A scalar with its highest bit set is written one byte longer, so one key alone proves little.
    for (let round = 0; round < 4; round += 1) {
      const keyPair = await generateKeyPair(algorithm);
      const pem = openSshPrivateKey(keyPair).reveal();
      assert.match(
        pem,
        new RegExp(`^-----BEGIN ${label}-----\\n(?:[A-Za-z0-9+/=]{1,70}\\n)+-----END ${label}-----\\n$`),
      );
      const path = join(await temporaryFolder(t), 'key');
      await writeFile(path, pem, { mode: 0o600 });
      const derived = await sshKeygen('-y', '-f', path);
      assert.equal(derived.trim(), formatAuthorizedKey(sshPublicKey(keyPair.publicKey)));
    }
  });
}
