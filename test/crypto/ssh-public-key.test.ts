import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { publicKeyPem } from '../../src/crypto/keys.ts';
import {
  formatAuthorizedKey,
  parseAuthorizedKey,
  parseSshPublicKey,
  sshPublicKey,
  toKeyObject,
} from '../../src/crypto/ssh-public-key.ts';
import { sshPositiveInteger, sshString } from '../../src/crypto/ssh-wire.ts';
import { freshKey } from '../fresh-key.ts';
import { missing } from '../programs.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { makeSshKey, sshKeygen, sshKeyTypes } from './ssh-keygen.ts';

const skip = missing('ssh-keygen');
const INVALID = { name: 'MachineIdError', code: 'RESPONSE_INVALID' };

for (const type of sshKeyTypes) {
  test(`an ${type} public key of ssh-keygen goes to Node and back unchanged`, { skip }, async (context) => {
    const path = await makeSshKey(await temporaryFolder(context), type, 'key');
    const line = (await readFile(`${path}.pub`, 'utf8')).trim();
    const key = parseAuthorizedKey(line);
    assert.equal(`${formatAuthorizedKey(sshPublicKey(toKeyObject(key)))} a comment`, line);
  });
}

for (const type of sshKeyTypes.filter((one) => one !== 'ed25519')) {
  test(`an ${type} public key becomes the PEM that ssh-keygen makes of it`, { skip }, async (context) => {
    const path = await makeSshKey(await temporaryFolder(context), type, 'key');
    const key = parseAuthorizedKey((await readFile(`${path}.pub`, 'utf8')).trim());
    assert.equal(publicKeyPem(toKeyObject(key)), await sshKeygen('-e', '-m', 'PKCS8', '-f', `${path}.pub`));
  });
}

test('a modulus of an odd number of bits keeps its length', { skip }, async (context) => {
  const { publicKey } = await freshKey('rsa', { modulusLength: 2047 });
  const path = join(await temporaryFolder(context), 'key.pub');
  await writeFile(path, `${formatAuthorizedKey(sshPublicKey(publicKey))}\n`);
  assert.match(await sshKeygen('-l', '-f', path), /^2047 /);
});

const ed25519 = sshPublicKey((await freshKey('ed25519')).publicKey);
const line = formatAuthorizedKey(ed25519);
/** 104 bytes, so that its base64 ends with one sign of padding, and two bits that mean nothing before it. */
const padded = formatAuthorizedKey(sshPublicKey((await freshKey('ec', { namedCurve: 'P-256' })).publicKey));

const LINES: readonly (readonly [string, string])[] = [
  ['options before the type', `cert-authority ${line}`],
  ['two lines', `${line}\n${line}`],
  ['a line break behind it', `${line}\n`],
  ['two blanks between the words', line.replace(' ', '  ')],
  ['another type in the line than in the bytes', line.replace('ssh-ed25519', 'ssh-rsa')],
  ['no type', line.replace('ssh-ed25519 ', '')],
  ['no key', 'ssh-ed25519'],
  ['nothing', ''],
  ['base64 without its padding', padded.replace('=', '')],
  ['base64 with too much padding', `${padded}=`],
  ['base64 with bits that mean nothing', padded.replace(/.=$/, (end) => `${nextLetter(end)}=`)],
  ['base64 of the URL kind', 'ssh-ed25519 AAAA-_AA'],
  ['a certificate’s type', line.replace('ssh-ed25519', 'ssh-ed25519-cert-v01@openssh.com')],
];

for (const [what, text] of LINES) {
  test(`${what} is not a public key`, () => {
    assert.throws(() => parseAuthorizedKey(text), INVALID);
  });
}

const ec = (curve: string, point: Uint8Array, type = 'ecdsa-sha2-nistp256') =>
  Buffer.concat([sshString(type), sshString(curve), sshString(point)]);
const POINT = pointOf((await freshKey('ec', { namedCurve: 'P-256' })).publicKey.export({ format: 'jwk' }));
const rsa = (...numbers: readonly Uint8Array[]) => Buffer.concat([sshString('ssh-rsa'), ...numbers]);
const E = sshPositiveInteger(Buffer.of(1, 0, 1));

const BLOBS: readonly (readonly [string, Uint8Array])[] = [
  ['an unknown type', Buffer.concat([sshString('ssh-dss'), sshString('x')])],
  ['an Ed25519 key of 31 bytes', Buffer.concat([sshString('ssh-ed25519'), sshString(Buffer.alloc(31, 1))])],
  ['a point of another curve', ec('nistp384', POINT)],
  [
    'a point that is not on the curve',
    ec('nistp256', Buffer.concat([POINT.subarray(0, 64), Buffer.of((POINT[64] ?? 0) ^ 1)])),
  ],
  ['a compressed point', ec('nistp256', Buffer.concat([Buffer.of(2), POINT.subarray(1, 33)]))],
  ['a hybrid point', ec('nistp256', Buffer.concat([Buffer.of(6), POINT.subarray(1)]))],
  ['the point at infinity', ec('nistp256', Buffer.of(0))],
  ['a curve in Koblitz form', ec('secp256k1', POINT, 'ecdsa-sha2-secp256k1')],
  ['a curve as the type', ec('nistp256', POINT, 'nistp256')],
  ['a negative modulus', rsa(E, sshString(Buffer.alloc(256, 0xff)))],
  ['a modulus with a zero too many', rsa(E, sshString(Buffer.concat([Buffer.of(0), Buffer.alloc(256, 0x7f)])))],
  ['an empty modulus', rsa(E, sshString(''))],
  ['a modulus of zero', rsa(E, sshString(Buffer.of(0)))],
  ['an exponent of zero', rsa(sshString(Buffer.of(0)), sshPositiveInteger(Buffer.alloc(256, 0xff)))],
];

for (const [what, blob] of BLOBS) {
  test(`${what} is refused`, () => {
    assert.throws(() => parseSshPublicKey(blob), INVALID);
  });
}

test('a key of a kind that SSH has no name for is refused', async () => {
  const { publicKey } = await freshKey('ec', { namedCurve: 'secp256k1' });
  for (const other of [publicKey, createPublicKey((await freshKey('x25519')).privateKey)]) {
    assert.throws(() => sshPublicKey(other), INVALID);
  }
});

/** The last sign before the padding ends with two bits of zero, so the next in the alphabet has one that is set. */
function nextLetter(sign: string): string {
  const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  return ALPHABET.charAt(ALPHABET.indexOf(sign.charAt(0)) + 1);
}

function pointOf({ x = '', y = '' }: { x?: string; y?: string }): Buffer {
  return Buffer.concat([Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
}
