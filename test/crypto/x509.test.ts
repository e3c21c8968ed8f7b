import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { publicKeyPem } from '../../src/crypto/keys.ts';
import { certificateEndMs } from '../../src/crypto/validity.ts';
import { certificatePem, readCertificate } from '../../src/crypto/x509.ts';
import { missing, runProgram } from '../programs.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { certificate, ECDSA, ED25519, type Names, NOT_AFTER, NOT_BEFORE, RSA } from './x509-certificate.ts';

/** What a program that prints names has to escape, and so what is lost when its text is cut up again. */
const ODD = ' a, "b" + c\\ = <;>\n#\tü\u0000/CN=d ';
const STREET = '2.5.4.9';
const POSTAL_CODE = '2.5.4.17';

const SUBJECT: Names = [
  ['CN', 'bot-robot'],
  ['O', 'access'],
  ['O', ODD],
  [STREET, 'leaf.example.com'],
  [POSTAL_CODE, '{"logins":["a","b"]}'],
  ['1.3.9999.1.7', 'root.example.com'],
  ['1.3.9999.2.18', 'robot'],
  ['1.3.9999.2.20', 'one'],
  ['1.3.9999.2.20', 'two'],
];

test('a subject gives every value as it was written, in order', async () => {
  const { subject } = readCertificate((await certificate(SUBJECT)).pem);
  assert.equal(subject.commonName, 'bot-robot');
  assert.deepEqual(subject.organizations, ['access', ODD]);
  assert.deepEqual(Object.fromEntries(subject.byOid), {
    CN: ['bot-robot'],
    O: ['access', ODD],
    street: ['leaf.example.com'],
    postalCode: ['{"logins":["a","b"]}'],
    '1.3.9999.1.7': ['root.example.com'],
    '1.3.9999.2.18': ['robot'],
    '1.3.9999.2.20': ['one', 'two'],
  });
});

test('an empty name has no values', async () => {
  const { subject, issuer } = readCertificate((await certificate([])).pem);
  assert.deepEqual([subject.commonName, subject.organizations, subject.byOid.size], [undefined, [], 0]);
  assert.equal(issuer.byOid.size, 0);
});

test('subject and issuer are distinguished', async () => {
  const { subject, issuer } = readCertificate((await certificate([['O', 'access']], { issuer: [['O', 'root']] })).pem);
  assert.deepEqual([subject.organizations, issuer.organizations], [['access'], ['root']]);
});

test('the times are those in the certificate, to the second', async () => {
  const { notBeforeMs, notAfterMs } = readCertificate((await certificate(SUBJECT)).pem);
  assert.deepEqual([notBeforeMs, notAfterMs], [NOT_BEFORE.getTime(), NOT_AFTER.getTime()]);
});

for (const algorithm of [ECDSA, RSA, ED25519]) {
  test(`a certificate counts as signed by the ${algorithm.name} key that signed it, whatever the names say`, async () => {
    const authority = { ...(await certificate([['O', 'root']], { algorithm })), algorithm };
    const others = await Promise.all(
      [ECDSA, RSA, ED25519].map((other) => certificate([['O', 'root']], { algorithm: other })),
    );
    const signed = readCertificate((await certificate([['CN', 'bot']], { authority })).pem);
    assert.equal(signed.isSignedBy(readCertificate(authority.pem)), true);
    for (const other of others) assert.equal(signed.isSignedBy(readCertificate(other.pem)), false);
  });
}

test('DER and PEM are the same certificate', async () => {
  const { der, pem } = await certificate(SUBJECT);
  assert.equal(certificatePem(der), pem);
  assert.equal(readCertificate(der).pem, readCertificate(pem).pem);
  assert.equal(readCertificate(pem.replaceAll('\n', '\r\n')).pem, pem);
});

test('openssl reads the same certificate and key', { skip: missing('openssl') }, async (context) => {
  const { pem } = await certificate(SUBJECT);
  const path = join(await temporaryFolder(context), 'certificate.pem');
  await writeFile(path, pem);
  const read = readCertificate(pem);
  const { stdout } = await runProgram('openssl', ['x509', '-in', path, '-pubkey']);
  assert.equal(publicKeyPem(read.publicKey) + read.pem, stdout);
});

test('the end alone is the same, in both of its forms and with keys of every kind', async () => {
  for (const algorithm of [ECDSA, ED25519, RSA]) {
    for (const notAfter of [
      '1969-12-31T23:59:59Z',
      '2026-02-28T12:00:00Z',
      '2049-12-31T23:59:59Z',
      '2050-01-01T00:00:00Z',
    ]) {
      const { der } = await certificate(SUBJECT, { algorithm, notAfter: new Date(notAfter) });
      assert.equal(certificateEndMs(der), Date.parse(notAfter));
      assert.equal(certificateEndMs(der), readCertificate(der).notAfterMs);
    }
  }
});
