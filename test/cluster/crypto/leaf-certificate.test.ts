import assert from 'node:assert/strict';
import { createPublicKey, webcrypto, X509Certificate, type KeyObject } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after } from 'node:test';
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { missing, runProgram } from '../../programs.ts';
import { NO_ACCESS, toSubject } from '../data/identity.ts';
import { createKey, publicKeyDer } from './keys.ts';
import { signCertificate, type CertificateFields } from './leaf-certificate.ts';
import { encodeName, OID } from './subject-name.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import {
  attributesOf,
  certificatePem,
  createTlsAuthority,
  readTlsAuthority,
  signRevocationList,
  subjectOf,
  type TlsAuthority,
} from './x509.ts';

const directory = temporaryDirectory();
after(directory.remove);

const authorityName = encodeName([{ oid: OID.commonName, values: ['authority'] }]);
const [rsa, ec] = await Promise.all([createAuthority('rsa'), createAuthority('ec')]);
const nobody = encodeName([]);
const botName = encodeName([{ oid: OID.commonName, values: ['bot-ci'] }]);
const leafKeys = await Promise.all([createKey('rsa'), createKey('ec'), createKey('ed25519')]);
const [, leafKey] = leafKeys;
const fields: CertificateFields = {
  subject: botName,
  publicKey: publicKeyDer(leafKey),
  notBefore: new Date(Date.now() - 60_000),
  notAfter: new Date(Date.now() + 3_600_000),
};
const names = {
  dnsNames: ['localhost', '*.example.com'],
  uris: ['spiffe://example.com/ci/deploy'],
  ipAddresses: ['127.0.0.1', '2001:db8::1'],
};
const identity = toSubject(
  {
    ...NO_ACCESS,
    userName: 'bot-ci',
    roles: ['ops', 'access', 'a_b', 'editor-in-chief'],
    principals: ['root', 'ci', '-teleport-internal-join'],
    routeToCluster: '',
    botName: 'Müller',
    usages: [],
    botInstanceId: 'x'.repeat(200),
    joinAttributes: JSON.stringify({ sub: 'y'.repeat(70_000) }),
    impersonator: undefined,
    disallowReissue: true,
    loginIp: '::1',
  },
  'example.com',
);

const CASES: readonly (readonly [string, Partial<CertificateFields>])[] = [
  ['no other names', {}],
  ['names of every kind', names],
  ['names of every kind and an empty subject', { ...names, subject: nobody }],
  ['a URI and an empty subject', { subject: nobody, uris: names.uris }],
  ['the subject of an identity', { subject: identity }],
  ['a key of RSA', { publicKey: publicKeyDer(leafKeys[0]) }],
  ['a key of Ed25519', { publicKey: publicKeyDer(leafKeys[2]) }],
  ['the last second of UTCTime as its end', { notAfter: new Date('2049-12-31T23:59:59.999Z') }],
  ['the first second of GeneralizedTime as its end', { notAfter: new Date('2050-01-01T00:00:00Z') }],
];

for (const [what, changed] of CASES) {
  test(`a certificate with ${what} is byte for byte the same as that of another library`, async () => {
    // an RSA signature is the same each time
    const written = signCertificate(rsa, { ...fields, ...changed });
    const other = await signElsewhere(rsa, { ...fields, ...changed }, new x509.X509Certificate(written).serialNumber);
    assert.equal(written.toString('hex'), other.toString('hex'));
  });
}

test("an authority's own certificate is byte for byte the same as that of another library", async () => {
  const { certificate, keyIdentifier, privateKey } = rsa;
  const read = new x509.X509Certificate(certificate);
  const publicKey = publicKeyDer(privateKey);
  const identifier = await x509.SubjectKeyIdentifierExtension.create(publicKey);
  const other = await x509.X509CertificateGenerator.create({
    serialNumber: read.serialNumber,
    subject: new x509.Name(authorityName),
    issuer: new x509.Name(authorityName),
    publicKey,
    signingKey: await rsaSigningKey(privateKey),
    notBefore: read.notBefore,
    notAfter: read.notAfter,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      identifier,
    ],
  });
  assert.equal(certificate.toString('hex'), Buffer.from(other.rawData).toString('hex'));
  assert.equal(keyIdentifier.toString('hex'), identifier.keyId);
  assert.deepEqual(readTlsAuthority(certificatePem(certificate), privateKey), rsa);
});

test('a revocation list is one that another library reads and verifies', async () => {
  const list = new x509.X509Crl(signRevocationList(ec, ['0a0b0c0d', '7f']));
  assert.deepEqual(
    list.entries.map(({ serialNumber }) => serialNumber),
    ['0a0b0c0d', '7f'],
  );
  assert.equal(list.issuer, 'CN=authority');
  assert.ok(await list.verify({ publicKey: new x509.X509Certificate(ec.certificate) }));
});

test('the attributes of a name are those that another library reads', () => {
  const certificate = signCertificate(ec, { ...fields, subject: identity });
  const [attributes, other] = [attributesOf(subjectOf(certificate)), new x509.X509Certificate(certificate).subjectName];
  for (const oid of [OID.organization, OID.locality, OID.commonName, OID.streetAddress, '1.3.9999.2.18', '2.5.4.6']) {
    assert.deepEqual(attributes(oid), other.getField(oid), oid);
  }
});

for (const [kind, authority] of [
  ['RSA', rsa],
  ['ECDSA', ec],
] as const) {
  test(`Node reads a certificate that ${kind} signed, and verifies the signature`, () => {
    const certificate = new X509Certificate(signCertificate(authority, { ...fields, ...names }));
    assert.ok(certificate.verify(createPublicKey(authority.privateKey)));
    assert.ok(certificate.checkIssued(new X509Certificate(authority.certificate)));
    assert.ok(certificate.checkPrivateKey(leafKey));
    assert.equal(certificate.subject, 'CN=bot-ci');
    assert.equal(certificate.issuer, 'CN=authority');
    assert.equal(Date.parse(certificate.validTo), Math.floor(fields.notAfter.getTime() / 1000) * 1000);
    assert.equal(
      certificate.subjectAltName,
      'DNS:localhost, DNS:*.example.com, URI:spiffe://example.com/ci/deploy, IP Address:127.0.0.1, ' +
        'IP Address:2001:DB8:0:0:0:0:0:1',
    );
    assert.equal(certificate.checkHost('www.example.com'), '*.example.com');
    assert.equal(certificate.checkIP('2001:db8::1'), '2001:db8::1');
  });

  const options = { skip: missing('openssl') };
  test(`openssl accepts certificates that ${kind} signed, with and without a subject`, options, async () => {
    for (const subject of [botName, nobody, identity]) {
      const { verified, text } = await readByOpenssl(authority, { ...fields, ...names, subject });
      assert.match(verified, /: OK$/m);
      assert.match(text, /X509v3 Basic Constraints: critical\s+CA:FALSE/);
      assert.match(text, /X509v3 Key Usage: critical\s+Digital Signature, Key Encipherment\n/);
      assert.match(
        text,
        /X509v3 Extended Key Usage: \n\s+TLS Web Server Authentication, TLS Web Client Authentication/,
      );
      assert.match(text, /X509v3 Authority Key Identifier: \n\s+(?:keyid:)?[0-9A-F:]{59}\n/);
      assert.match(text, subject === nobody ? /Alternative Name: critical\n/ : /Alternative Name: \n/);
    }
  });
}

test('IPv6 addresses are written in full, however they were abbreviated', () => {
  const ipAddresses = ['::', '::1', 'fe80::', '2001:db8:1:2:3:4:5:6', '1::8', '1:0:0:4::8', '::ffff:192.0.2.1'];
  const { subjectAltName } = new X509Certificate(signCertificate(ec, { ...fields, ipAddresses }));
  assert.deepEqual(subjectAltName?.split(', '), [
    'IP Address:0:0:0:0:0:0:0:0',
    'IP Address:0:0:0:0:0:0:0:1',
    'IP Address:FE80:0:0:0:0:0:0:0',
    'IP Address:2001:DB8:1:2:3:4:5:6',
    'IP Address:1:0:0:0:0:0:0:8',
    'IP Address:1:0:0:4:0:0:0:8',
    'IP Address:0:0:0:0:0:FFFF:C000:201',
  ]);
});

test('a name that the certificate cannot contain is refused', () => {
  for (const ipAddress of ['', 'localhost', '1.2.3', '1.2.3.256', '::1]/x[', 'fe80::1%eth0']) {
    assert.throws(() => signCertificate(ec, { ...fields, ipAddresses: [ipAddress] }), RangeError, ipAddress);
  }
  assert.throws(() => signCertificate(ec, { ...fields, dnsNames: ['bücher.example'] }), RangeError);
  assert.throws(() => signCertificate(ec, { ...fields, uris: ['spiffe://example.com/\n'] }), RangeError);
});

test('serial numbers are positive, have 16 bytes and are unique', () => {
  const serials = Array.from({ length: 100 }, () => new x509.X509Certificate(signCertificate(ec, fields)).serialNumber);
  assert.equal(new Set(serials).size, serials.length);
  for (const serial of serials) {
    assert.match(serial, /^[4-7][0-9a-f]{31}$/);
  }
});

test('the values of one attribute are sorted by their bytes, with the type that Go uses for each', () => {
  const name = encodeName([{ oid: OID.organization, values: ['b', 'ccc', 'a_', 'aa', 'é', 'a'] }]);
  assert.deepEqual(new x509.Name(name).toJSON(), [{ O: ['a', 'b', 'a_', 'é', 'aa', 'ccc'] }]);
  const types = [...name.toString('hex').matchAll(/060355040a(0c|13)/g)].map(([, tag]) => tag);
  assert.deepEqual(types, ['13', '13', '0c', '0c', '13', '13']);
});

async function createAuthority(kind: 'rsa' | 'ec'): Promise<TlsAuthority> {
  const key = await createKey(kind);
  return createTlsAuthority(authorityName, publicKeyDer(key), key);
}

/** The same certificate, created with `@peculiar/x509`. */
async function signElsewhere(authority: TlsAuthority, of: CertificateFields, serialNumber: string): Promise<Buffer> {
  const { dnsNames = [], uris = [], ipAddresses = [] } = of;
  const alternativeNames = [
    ...dnsNames.map((value) => ({ type: 'dns' as const, value })),
    ...uris.map((value) => ({ type: 'url' as const, value })),
    ...ipAddresses.map((value) => ({ type: 'ip' as const, value })),
  ];
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber,
    subject: new x509.Name(of.subject),
    issuer: new x509.X509Certificate(authority.certificate).subjectName,
    publicKey: of.publicKey,
    signingKey: await rsaSigningKey(authority.privateKey),
    notBefore: of.notBefore,
    notAfter: of.notAfter,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      await x509.AuthorityKeyIdentifierExtension.create(new x509.X509Certificate(authority.certificate)),
      ...(alternativeNames.length === 0
        ? []
        : [new x509.SubjectAlternativeNameExtension(alternativeNames, of.subject === nobody)]),
    ],
  });
  return Buffer.from(certificate.rawData);
}

function rsaSigningKey(key: KeyObject): Promise<webcrypto.CryptoKey> {
  const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  return webcrypto.subtle.importKey('pkcs8', key.export({ type: 'pkcs8', format: 'der' }), algorithm, false, ['sign']);
}

async function readByOpenssl(
  authority: TlsAuthority,
  of: CertificateFields,
): Promise<{ readonly verified: string; readonly text: string }> {
  const [leafFile, authorityFile] = [join(directory.path, 'leaf.pem'), join(directory.path, 'authority.pem')];
  writeFileSync(leafFile, certificatePem(signCertificate(authority, of)));
  writeFileSync(authorityFile, certificatePem(authority.certificate));
  const verify = await runProgram('openssl', ['verify', '-x509_strict', '-CAfile', authorityFile, leafFile]);
  const read = await runProgram('openssl', ['x509', '-in', leafFile, '-noout', '-text']);
  return { verified: verify.stdout + verify.stderr, text: read.stdout };
}
