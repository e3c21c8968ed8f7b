import assert from 'node:assert/strict';
import test from 'node:test';
import { generateKeyPair, privateKeyPem } from '../../src/crypto/keys.ts';
import { MachineIdError } from '../../src/errors.ts';
import { identityFile } from '../../src/outputs/identity-files.ts';
import { readStoredIdentity } from '../../src/teleport/stored-identity.ts';
import { authorities, identity } from '../outputs/identity-input.ts';
import { selfSigned } from '../tls-certificate.ts';

const { certificate } = await selfSigned('bot.example.com');
const tlsCertificatePem = `${certificate.trimEnd()}\n`;

for (const algorithm of ['rsa-2048', 'ecdsa-p256'] as const) {
  test(`an identity file with an ${algorithm} key gives back key, certificate and authorities`, async () => {
    const keyPair = await generateKeyPair(algorithm);
    const stored = readStoredIdentity(identityFile({ ...identity, keyPair, tlsCertificatePem }, authorities.host));
    assert.equal(stored?.certificatePem, tlsCertificatePem);
    assert.equal(stored.privateKeyPem.reveal(), privateKeyPem(keyPair).reveal());
    assert.ok(stored.notAfterMs > Date.now());
    assert.deepEqual(
      stored.authoritiesPem,
      authorities.host.flatMap(({ tlsCertificatesPem: pem }) => pem),
    );
  });
}

const key = privateKeyPem(identity.keyPair).reveal();
for (const [what, text] of [
  ['nothing', ''],
  ['only a key', key],
  ['only a certificate', tlsCertificatePem],
  ['a key that ends early', key.slice(0, 200) + tlsCertificatePem],
] as const) {
  test(`a file with ${what} is not an identity`, () => {
    assert.equal(readStoredIdentity(text), undefined);
  });
}

test('text that is not a certificate is rejected', () => {
  const spoilt = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
  assert.throws(
    () => readStoredIdentity(key + spoilt),
    (error) => error instanceof MachineIdError && error.code === 'RESPONSE_INVALID',
  );
});
