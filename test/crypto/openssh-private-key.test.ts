import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { generateKeyPair, openSshPrivateKey } from '../../src/crypto/keys.ts';
import { formatAuthorizedKey, sshPublicKey } from '../../src/crypto/ssh-public-key.ts';
import { missing } from '../programs.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { sshKeygen } from './ssh-keygen.ts';

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
