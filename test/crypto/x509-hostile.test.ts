import assert from 'node:assert/strict';
import test from 'node:test';
import { certificateEndMs } from '../../src/crypto/validity.ts';
import { certificatePem, readCertificate, splitCertificates } from '../../src/crypto/x509.ts';
import { certificate } from './x509-certificate.ts';

const INVALID = { name: 'MachineIdError', code: 'RESPONSE_INVALID' };
const { pem, der } = await certificate([['CN', 'bot-robot']]);
const { pem: other } = await certificate([['CN', 'other']]);

test('a certificate with trailing bytes is rejected, in DER and in PEM', () => {
  const longer = Buffer.concat([der, Buffer.of(0)]);
  assert.throws(() => certificatePem(longer), INVALID);
  assert.throws(() => readCertificate(block(longer)), INVALID);
  assert.throws(() => certificatePem(Buffer.concat([der, der])), INVALID);
});

test('PEM is not read where DER is expected', () => {
  assert.throws(() => certificatePem(Buffer.from(pem)), INVALID);
});

test('a bundle gives its blocks in order, whatever the white space between them', () => {
  assert.deepEqual(splitCertificates(`\n${pem}\r\n \n${other.trimEnd()}`), [pem, other]);
  assert.deepEqual(splitCertificates(''), []);
  assert.deepEqual(splitCertificates(pem.replaceAll('\n', '\r\n')), [pem]);
});

/** What stands in the place of the end, which is 20491231235959Z as a UTCTime. */
const TIMES: readonly (readonly [string, string])[] = [
  ['that has letters', '49x231235959Z'],
  ['of a month that does not exist', '491331235959Z'],
  ['of a day that does not exist', '490230235959Z'],
  ['without a zone', '491231235959 '],
];

for (const [what, time] of TIMES) {
  test(`a certificate with a time ${what} is refused, and not taken for one that never ends`, () => {
    assert.throws(() => readCertificate(withText(der, '491231235959Z', time)), INVALID);
    assert.throws(() => certificateEndMs(withText(der, '491231235959Z', time)), INVALID);
  });
}

test('a year of two digits is not taken for one of this century', async () => {
  const late = (await certificate([['CN', 'a']], { notAfter: new Date('2060-01-01T00:00:00Z') })).der;
  assert.equal(readCertificate(late).notAfterMs, Date.UTC(2060, 0, 1));
  assert.throws(() => readCertificate(withText(late, '20600101000000Z', '00600101000000Z')), INVALID);
});

test('a certificate with a name that is not text is rejected', () => {
  const changed = Buffer.from(der);
  const typeAt = changed.lastIndexOf('bot-robot') - 2;
  changed.writeUInt8(0x0d, typeAt);
  assert.throws(() => readCertificate(changed), INVALID);
});

function withText(bytes: Buffer, from: string, to: string): Buffer {
  const at = bytes.indexOf(from);
  assert.notEqual(at, -1);
  const changed = Buffer.from(bytes);
  changed.write(to, at, 'latin1');
  return changed;
}

const key = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n';

const BUNDLES: readonly (readonly [string, string])[] = [
  ['a comment before a block', `# authority\n${pem}`],
  ['a word behind a block', `${pem}x`],
  ['another kind of block', `${pem}${key}`],
  ['a block without its end', pem.replace(/-----END.*/, '')],
  ['a block without its begin', pem.replace(/.*BEGIN.*\n/, '')],
  ['two blocks run together', pem.replace(/-----END.*\n/, '') + other],
  ['a header inside a block', pem.replace('-----\n', '-----\nProc-Type: 4,ENCRYPTED\n\n')],
  ['a character that is no base64', pem.replace('MII', 'MI*')],
  ['a block with nothing in it', '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n'],
];

for (const [what, bundle] of BUNDLES) {
  test(`a PEM text with ${what} is refused`, () => {
    assert.throws(() => splitCertificates(bundle), INVALID);
  });
}

const SINGLES: readonly (readonly [string, string])[] = [
  ['no block', ''],
  ['two blocks', pem + other],
  ['a block of something else', block(Buffer.from('not a certificate'))],
  ['a block with padding in the middle', pem.replace('MII', 'MI=')],
];

for (const [what, text] of SINGLES) {
  test(`a text with ${what} is not one certificate`, () => {
    assert.throws(() => readCertificate(text), INVALID);
  });
}

function block(bytes: Buffer): string {
  return `-----BEGIN CERTIFICATE-----\n${bytes.toString('base64')}\n-----END CERTIFICATE-----\n`;
}

test('the end alone is not read from a certificate that is cut anywhere, or longer than it says', () => {
  for (let length = 0; length < der.length; length += 1) {
    assert.throws(() => certificateEndMs(der.subarray(0, length)), INVALID, `the first ${length} bytes`);
  }
  assert.throws(() => certificateEndMs(Buffer.concat([der, Buffer.of(0)])), INVALID);
  assert.throws(() => certificateEndMs(Buffer.of(0x30, 0x84, 0xff, 0xff, 0xff, 0xff)), INVALID);
});
