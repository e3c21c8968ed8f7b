import assert from 'node:assert/strict';
import { createHash, verify, X509Certificate } from 'node:crypto';
import test from 'node:test';
import { generateKeyPair, type KeyAlgorithm } from '../../src/crypto/keys.ts';
import { signedHeaders } from '../../src/outputs/aws-sign.ts';
import { signCertificate } from '../cluster/crypto/leaf-certificate.ts';
import { encodeName, OID } from '../cluster/crypto/subject-name.ts';
import { createTlsAuthority } from '../cluster/crypto/x509.ts';

const URL_TEXT = 'https://rolesanywhere.eu-central-1.amazonaws.com/sessions?profileArn=a%3Ab&roleArn=c%2Fd';

async function certificateFor(algorithm: KeyAlgorithm) {
  const [authorityKey, keyPair] = await Promise.all([generateKeyPair('ecdsa-p256'), generateKeyPair(algorithm)]);
  const spki = (key: typeof keyPair) => key.publicKey.export({ type: 'spki', format: 'der' });
  const name = encodeName([{ oid: OID.commonName, values: ['anchor'] }]);
  const authority = createTlsAuthority(name, spki(authorityKey), authorityKey.privateKey);
  const now = Date.now();
  const certificate = signCertificate(authority, {
    subject: encodeName([]),
    publicKey: spki(keyPair),
    notBefore: new Date(now),
    notAfter: new Date(now + 60_000),
    uris: ['spiffe://d/x'],
  });
  return { keyPair, certificate, authority: authority.certificate };
}

for (const [algorithm, name] of [
  ['rsa-2048', 'AWS4-X509-RSA-SHA256'],
  ['ecdsa-p256', 'AWS4-X509-ECDSA-SHA256'],
] as const) {
  test(`a request is signed with ${algorithm}, the certificate and its chain beside it`, async () => {
    const { authority, certificate, keyPair } = await certificateFor(algorithm);
    const headers = signedHeaders({
      url: new URL(URL_TEXT),
      body: '{"durationSeconds":900}',
      region: 'eu-central-1',
      keyPair,
      certificate,
      chain: [authority, authority],
      nowMs: Date.UTC(2026, 0, 31, 1, 2, 3, 456),
    });
    assert.equal(headers['x-amz-date'], '20260131T010203Z');
    assert.equal(headers['x-amz-x509'], certificate.toString('base64'));
    assert.equal(headers['x-amz-x509-chain'], `${authority.toString('base64')},${authority.toString('base64')}`);
    const names = 'content-type;host;x-amz-date;x-amz-x509;x-amz-x509-chain';
    const serial = BigInt(`0x${new X509Certificate(certificate).serialNumber}`).toString();
    const scope = '20260131/eu-central-1/rolesanywhere/aws4_request';
    const [start = '', signature = ''] = (headers.authorization ?? '').split(', Signature=');
    assert.equal(start, `${name} Credential=${serial}/${scope}, SignedHeaders=${names}`);
    const hash = (text: string) => createHash('sha256').update(text).digest('hex');
    const canonical = [
      'POST',
      '/sessions',
      'profileArn=a%3Ab&roleArn=c%2Fd',
      'content-type:application/json',
      'host:rolesanywhere.eu-central-1.amazonaws.com',
      'x-amz-date:20260131T010203Z',
      `x-amz-x509:${headers['x-amz-x509']}`,
      `x-amz-x509-chain:${headers['x-amz-x509-chain']}`,
      '',
      names,
      hash('{"durationSeconds":900}'),
    ].join('\n');
    const text = [name, '20260131T010203Z', scope, hash(canonical)].join('\n');
    assert.ok(verify('sha256', Buffer.from(text), keyPair.publicKey, Buffer.from(signature, 'hex')));
  });
}
