/** Certificates and keys that are truncated, or in which one bit or one length was changed. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { parseSshCertificateBytes, verifySshCertificate } from '../../src/crypto/ssh-certificate.ts';
import { parseAuthorizedKey, parseSshPublicKey } from '../../src/crypto/ssh-public-key.ts';
import { readCertificate } from '../../src/crypto/x509.ts';
import { MachineIdError } from '../../src/errors.ts';
import { botCertificate } from '../crypto/bot-certificate.ts';
import { makeSshKey, sshKeyTypes } from '../crypto/ssh-keygen.ts';
import { certificate as x509Certificate } from '../crypto/x509-certificate.ts';
import { missing } from '../programs.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const skip = missing('ssh-keygen');
const INVALID = { name: 'MachineIdError', code: 'RESPONSE_INVALID' };

for (const type of sshKeyTypes) {
  test(
    `an ${type} certificate with any one bit flipped is refused, or its signature is invalid`,
    { skip },
    async (context) => {
      const blob = await botCertificate(context, type);
      assert.equal(accepted(blob), true);
      const passed = [...blob.keys()].filter((at) => accepted(withBit(blob, at)));
      assert.deepEqual(passed, []);
    },
  );

  test(`an ${type} certificate that is truncated anywhere is refused`, { skip }, async (context) => {
    const blob = await botCertificate(context, type);
    for (const length of blob.keys()) assert.throws(() => parseSshCertificateBytes(blob.subarray(0, length)), INVALID);
  });

  test(`an ${type} public key that is truncated or has trailing bytes is rejected`, { skip }, async (context) => {
    const path = await makeSshKey(await temporaryFolder(context), type, 'key');
    const { blob } = parseAuthorizedKey((await readFile(`${path}.pub`, 'utf8')).trim());
    for (const length of blob.keys()) assert.throws(() => parseSshPublicKey(blob.subarray(0, length)), INVALID);
    assert.throws(() => parseSshPublicKey(Buffer.concat([blob, Buffer.of(0)])), INVALID);
  });
}

test('a length that exceeds the input is rejected wherever it is', { skip }, async (context) => {
  const blob = await botCertificate(context, 'ed25519');
  for (let at = 0; at + 4 <= blob.length; at += 1) {
    const changed = Buffer.from(blob);
    changed.writeUInt32BE(0xffff_ffff, at);
    assert.equal(accepted(changed), false, `at ${at}`);
  }
});

test('a certificate that is truncated anywhere is refused', async () => {
  const { der } = await x509Certificate([['CN', 'bot-robot']]);
  for (const length of der.keys()) assert.throws(() => readCertificate(der.subarray(0, length)), INVALID);
});

/** Whether the certificate can be parsed and its signature is valid. Any error other than our own fails the test. */
function accepted(blob: Uint8Array): boolean {
  try {
    return verifySshCertificate(parseSshCertificateBytes(blob));
  } catch (error) {
    assert.ok(error instanceof MachineIdError, String(error));
    assert.equal(error.code, 'RESPONSE_INVALID');
    return false;
  }
}

function withBit(blob: Uint8Array, at: number): Uint8Array {
  const changed = Buffer.from(blob);
  changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
  return changed;
}
