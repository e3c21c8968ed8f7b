import assert from 'node:assert/strict';
import test from 'node:test';
import { parseSshCertificate, parseSshCertificateBytes } from '../../src/crypto/ssh-certificate.ts';
import { missing } from '../programs.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { botCertificate } from './bot-certificate.ts';
import { certify, makeSshKey } from './ssh-keygen.ts';

const skip = missing('ssh-keygen');
const INVALID = { name: 'MachineIdError', code: 'RESPONSE_INVALID' };

test('a byte behind the certificate is refused', { skip }, async (context) => {
  const blob = await botCertificate(context, 'ed25519');
  assert.throws(() => parseSshCertificateBytes(Buffer.concat([blob, Buffer.of(0)])), INVALID);
});

test('a key id that is not UTF-8 is refused', { skip }, async (context) => {
  const blob = await botCertificate(context, 'ed25519');
  blob[blob.indexOf('bot-robot')] = 0xff;
  assert.throws(() => parseSshCertificateBytes(blob), { ...INVALID, message: /not UTF-8/ });
});

test('an extension that occurs twice is rejected', { skip }, async (context) => {
  const blob = await botCertificate(context, 'ed25519', [
    '-I',
    'id',
    '-O',
    'extension:role=a',
    '-O',
    'extension:role=b',
  ]);
  assert.throws(() => parseSshCertificateBytes(blob), { ...INVALID, message: /"role" twice/ });
});

test('what a refusal quotes of a certificate is cut short', { skip }, async (context) => {
  const name = 'n'.repeat(200);
  const blob = await botCertificate(context, 'ed25519', [
    '-I',
    'id',
    '-O',
    `extension:${name}=a`,
    '-O',
    `extension:${name}=b`,
  ]);
  assert.throws(() => parseSshCertificateBytes(blob), { ...INVALID, message: /"n{64}" twice/ });
});

test('a certificate of a kind other than user and host is refused', { skip }, async (context) => {
  const blob = await botCertificate(context, 'ed25519');
  const kindAt = blob.indexOf('bot-robot') - 8;
  for (const kind of [0, 3, 0xffff_ffff]) {
    blob.writeUInt32BE(kind, kindAt);
    assert.throws(() => parseSshCertificateBytes(blob), {
      ...INVALID,
      message: new RegExp(`certificate type is ${kind},`),
    });
  }
});

test('a plain public key is not a certificate', { skip }, async (context) => {
  const folder = await temporaryFolder(context);
  const authority = await makeSshKey(folder, 'ed25519', 'authority');
  const { line } = await certify(authority, authority, '-I', 'id');
  const [, base64 = ''] = line.split(' ');
  assert.throws(() => parseSshCertificate(`ssh-ed25519 ${base64}`), { ...INVALID, message: /the line has the type/ });
  assert.throws(() => parseSshCertificate(`${line}\n${line}`), INVALID);
});
