/** Fuzzes certificates, keys and signatures of SSH and TLS, and files that contain them. */
import assert from 'node:assert/strict';
import { publicKeyDer } from '../../src/crypto/keys.ts';
import {
  parseSshCertificate,
  parseSshCertificateBytes,
  verifySshCertificate,
  verifySshSignature,
} from '../../src/crypto/ssh-certificate.ts';
import {
  formatAuthorizedKey,
  parseAuthorizedKey,
  parseSshPublicKey,
  sshPublicKey,
  toKeyObject,
} from '../../src/crypto/ssh-public-key.ts';
import { readCertificate, splitCertificates } from '../../src/crypto/x509.ts';
import { identityFile } from '../../src/outputs/identity-files.ts';
import { readStoredIdentity } from '../../src/teleport/stored-identity.ts';
import { golden, goldenNames } from '../outputs/golden.ts';
import { bytesLike, textLike } from './mutations.ts';
import { fuzz } from './property.ts';
import { clusterSamples, keyLine, opensshCertificates, pemBlock, plainCertificates } from './samples.ts';

const cluster = await clusterSamples();
const sshCertificates = [cluster.ssh, cluster.sshHost, ...(await opensshCertificates())];
const { svid, tls, userTls } = cluster;
const tlsCertificates = [tls, svid, userTls, ...(await plainCertificates())];

fuzz(
  'an SSH certificate that was changed is refused, or its signature does not fit',
  bytesLike(...sshCertificates),
  (bytes) => {
    const isChanged = !sshCertificates.some((sample) => sample.equals(bytes));
    const certificate = parseSshCertificateBytes(bytes);
    assert.equal(verifySshCertificate(certificate), !isChanged);
    assert.ok(certificate.signedBytes.length < bytes.length);
  },
  { runs: 1500 },
);

fuzz('the line of an SSH certificate is a certificate or refused', textLike(sshCertificates.map(keyLine)), (line) => {
  const { keyId, principals } = parseSshCertificate(line);
  assert.equal(typeof keyId, 'string');
  assert.ok(principals.length <= line.length);
});

const sshKeys = [cluster.hostSsh, ...sshCertificates.map((bytes) => parseSshCertificateBytes(bytes).signatureKey.blob)];

fuzz(
  'an SSH public key that can be read is written again as it was',
  bytesLike(...sshKeys),
  (blob) => {
    const key = parseSshPublicKey(blob);
    const { blob: again } = sshPublicKey(toKeyObject(key));
    assert.ok(Buffer.from(again).equals(blob));
  },
  { runs: 1000 },
);

fuzz(
  'a line of authorized_keys is a key or refused',
  textLike(sshKeys.map((key) => `${keyLine(key)} a comment`)),
  (line) => {
    assert.match(formatAuthorizedKey(parseAuthorizedKey(line)), /^[a-z0-9-]+ [A-Za-z0-9+/]+=*$/);
  },
);

const signatures = sshCertificates.map((bytes) => parseSshCertificateBytes(bytes));

for (const { signatureKey, signature, signedBytes } of signatures) {
  fuzz(
    `a changed signature of a key ${signatureKey.type} does not fit`,
    bytesLike(signature),
    (changed) => {
      assert.equal(verifySshSignature(signatureKey, changed, signedBytes), Buffer.from(signature).equals(changed));
    },
    { runs: 150 },
  );
}

fuzz(
  'a TLS certificate is read in full or refused',
  bytesLike(...tlsCertificates),
  (bytes) => {
    const certificate = readCertificate(bytes);
    assert.ok(Number.isFinite(certificate.notAfterMs) && Number.isFinite(certificate.notBeforeMs));
    assert.equal(readCertificate(certificate.pem).pem, certificate.pem);
    for (const sample of tlsCertificates)
      assert.equal(typeof certificate.isSignedBy(readCertificate(sample)), 'boolean');
    assert.equal(typeof readCertificate(userTls).isSignedBy(certificate), 'boolean');
    assert.ok(publicKeyDer(certificate.publicKey).length > 0);
    const names = [...certificate.subject.byOid].flatMap(([, values]) => values);
    assert.ok(names.every((value) => typeof value === 'string') && certificate.uris.every((uri) => uri !== ''));
  },
  { runs: 1500 },
);

fuzz(
  'what fits into a PEM block is one certificate or refused',
  textLike(tlsCertificates.map(pemBlock), ['-----BEGIN CERTIFICATE-----', '-----END CERTIFICATE-----\n', '=']),
  (pem) => {
    const blocks = splitCertificates(pem);
    assert.ok(blocks.join('').length <= pem.length + blocks.length);
    if (blocks.length === 1) readCertificate(pem);
  },
  { runs: 500 },
);

const stored = identityFile(
  {
    keyPair: cluster.keyPair,
    sshCertificateLine: keyLine(cluster.ssh),
    tlsCertificatePem: pemBlock(tls),
    roles: [],
    logins: [],
    expiresAtMs: 0,
  },
  [
    {
      clusterName: 'root.example.com',
      tlsCertificatesPem: [pemBlock(cluster.hostTls)],
      sshPublicKeys: [keyLine(cluster.hostSsh)],
    },
  ],
);
const files = ['v15', 'v18', 'x509-svid'].flatMap((folder) => goldenNames(folder).map((name) => golden(folder, name)));
const pemWords = [
  '-----BEGIN CERTIFICATE-----\n',
  '-----END CERTIFICATE-----\n',
  '-----BEGIN RSA PRIVATE KEY-----\n',
  '\r\n',
];

fuzz(
  'an identity file is read, is not one, or is refused',
  textLike([stored, stored, stored, ...files], pemWords),
  (text) => {
    const identity = readStoredIdentity(text);
    if (identity === undefined) return;
    assert.ok(text.includes(identity.certificatePem) && Number.isFinite(identity.notAfterMs));
  },
  { runs: 500 },
);
