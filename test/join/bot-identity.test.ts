import assert from 'node:assert/strict';
import test from 'node:test';
import { acceptJoin, type JoinedCertificates } from '../../src/join/bot-identity.ts';
import { signSshCertificate } from '../cluster/crypto/ssh-certificate.ts';
import { freshKey } from '../fresh-key.ts';
import { CLUSTER, clusterSamples, keyLine, pemBlock } from '../fuzz/samples.ts';

const { hostTls, keyPair, ssh, tls, userTls } = await clusterSamples();
const JOINED: JoinedCertificates = {
  tlsCertificate: pemBlock(tls),
  tlsAuthorities: [pemBlock(userTls), pemBlock(hostTls)],
  sshCertificate: keyLine(ssh),
};

function accept(change: Partial<JoinedCertificates>, times = { askedMs: Infinity, nowMs: Date.now() }) {
  return acceptJoin({ ...JOINED, ...change }, { keyPair, clusterName: CLUSTER, ...times });
}

test('of the authorities in a join response, the one that signed the bot is not trusted for servers', () => {
  const { botName, hostAuthorities, userName } = accept({});
  assert.deepEqual([botName, userName, hostAuthorities], ['ci', 'bot-ci', [pemBlock(hostTls)]]);
});

test('of several user authorities, those that did not sign the bot remain; a certificate of no authority is dropped', async () => {
  const other = (await clusterSamples()).userTls;
  const tlsAuthorities = [userTls, other, hostTls, tls].map((one) => pemBlock(one));
  assert.deepEqual(accept({ tlsAuthorities }).hostAuthorities, [pemBlock(other), pemBlock(hostTls)]);
});

const REFUSED: readonly (readonly [string, Partial<JoinedCertificates>, RegExp])[] = [
  ['without the authority that signed it', { tlsAuthorities: [pemBlock(hostTls)] }, /none of the returned authorities/],
  ['without the authority of servers', { tlsAuthorities: [pemBlock(userTls)] }, /no authority for the Auth Service/],
  ['without any authority', { tlsAuthorities: [] }, /no authority for the Auth Service/],
  [
    'with a changed signature',
    { tlsCertificate: pemBlock(withLastByteChanged(tls)) },
    /none of the returned authorities/,
  ],
];

for (const [what, change, message] of REFUSED) {
  test(`a join ${what} is not accepted`, () => {
    assert.throws(() => accept(change), { code: 'CERTIFICATE_MISMATCH', message });
  });
}

test('a join whose certificates live longer than requested is not accepted', () => {
  const nowMs = Date.now();
  assert.throws(() => accept({}, { askedMs: nowMs + 60_000, nowMs }), {
    code: 'CERTIFICATE_MISMATCH',
    message: /the (TLS|SSH) certificate is valid until 2\d{3}-.*, longer than requested: until 2\d{3}-/,
  });
});

const SCOPED: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
  [{ 'bot-scope@goteleport.com': '/staging', 'scope-pin@goteleport.com': 'CgAB' }, /bound to the scope "\/staging"$/],
  [{ 'scope-pin@goteleport.com': 'CggvcHJvZA' }, /bound to a scope$/],
];

for (const [extensions, message] of SCOPED) {
  test(`the SSH certificate with ${Object.keys(extensions).join(' and ')} belongs to a scoped bot`, async () => {
    const key = (await freshKey('ed25519')).privateKey;
    const times = { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 3_600_000) };
    const fields = {
      kind: 'user',
      publicKey: keyPair.publicKey,
      keyId: 'bot-ci',
      principals: ['a'],
      ...times,
    } as const;
    const sshCertificate = keyLine(signSshCertificate({ ...fields, extensions }, key));
    assert.throws(() => accept({ sshCertificate }), { code: 'CLUSTER_UNSUPPORTED', message, hint: /without a scope/ });
    assert.ok(accept({ sshCertificate: keyLine(signSshCertificate({ ...fields, extensions: {} }, key)) }));
  });
}

function withLastByteChanged(der: Buffer): Buffer {
  const changed = Buffer.from(der);
  changed.writeUInt8(changed.readUInt8(der.length - 1) ^ 1, der.length - 1);
  return changed;
}
