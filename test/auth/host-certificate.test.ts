import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import test, { type TestContext } from 'node:test';
import { type HostCertificateRequest, issueHostCertificate } from '../../src/auth/host-certificate.ts';
import { generateKeyPair } from '../../src/crypto/keys.ts';
import { formatAuthorizedKey, sshPublicKey } from '../../src/crypto/ssh-public-key.ts';
import { certify, makeSshKey } from '../crypto/ssh-keygen.ts';
import { missing } from '../programs.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const skip = missing('ssh-keygen');
const CLUSTER = 'root.example.com';
const HOUR_MS = 60 * 60 * 1000;
const NOW_MS = Date.UTC(2026, 5, 1);
const VALID = ['-V', '20260531235900Z:20260601010000Z'];
const GOOD = ['-h', '-I', '', '-n', 'web-1,10.0.0.1', ...VALID];
const keyPair = await generateKeyPair('ed25519');
const request: HostCertificateRequest = {
  publicKey: keyPair.publicKey,
  principals: ['web-1', '10.0.0.1'],
  clusterName: CLUSTER,
  ttlMs: HOUR_MS,
};

interface Answer {
  /** Of ssh-keygen, which signs. */
  readonly signing: readonly string[];
  readonly otherKey?: boolean;
  /** The cluster whose authority signs, as the caller knows it. */
  readonly signer?: string;
}

async function issue(context: TestContext, { signing, otherKey = false, signer = CLUSTER }: Answer) {
  const folder = await temporaryFolder(context);
  const authority = await makeSshKey(folder, 'ed25519', 'authority');
  const host = await makeSshKey(folder, 'ed25519', 'host');
  if (!otherKey) await writeFile(`${host}.pub`, formatAuthorizedKey(sshPublicKey(keyPair.publicKey)));
  const { line } = await certify(authority, host, ...signing);
  const signerKey = (await readFile(`${authority}.pub`, 'utf8')).split(' ').slice(0, 2).join(' ');
  return issueHostCertificate({ generateHostCert: () => Promise.resolve(line) }, request, {
    hostAuthorities: [{ clusterName: signer, tlsCertificatesPem: [], sshPublicKeys: [signerKey] }],
    clock: { nowMs: () => NOW_MS, elapsedMs: () => 0, sleep: () => Promise.resolve() },
  });
}

test('a host certificate that matches the request is accepted, without its comment', { skip }, async (t) => {
  const { line, expiresAtMs, notices } = await issue(t, { signing: GOOD });
  assert.match(line, /^ssh-ed25519-cert-v01@openssh\.com [A-Za-z0-9+/=]+$/);
  assert.equal(expiresAtMs, NOW_MS + HOUR_MS);
  assert.deepEqual(notices, []);
});

test('a host certificate that expires earlier than requested comes with a notice', { skip }, async (t) => {
  const signing = [...GOOD.slice(0, -1), '20260531235900Z:20260601003000Z'];
  const { notices } = await issue(t, { signing });
  assert.match(notices.join(), /requested until 2026-06-01T01:00:00Z, granted until 2026-06-01T00:30:00Z/);
});

const REFUSED: readonly (readonly [string, Answer, RegExp])[] = [
  ['for another key', { signing: GOOD, otherKey: true }, /another key/],
  ['signed by another cluster', { signing: GOOD, signer: 'leaf.example.com' }, /not signed by the host authority/],
  ['of a user', { signing: GOOD.slice(1) }, /is a user certificate, expected a host certificate/],
  ['for every host', { signing: ['-h', '-I', '', ...VALID] }, /lacks the principals web-1, 10\.0\.0\.1/],
  ['without one of the principals', { signing: ['-h', '-I', '', '-n', 'web-1', ...VALID] }, /principals 10\.0\.0\.1$/],
  ['that has ended', { signing: [...GOOD.slice(0, -1), '20260501000000Z:20260531000000Z'] }, /expired at/],
  [
    'that has not begun',
    { signing: [...GOOD.slice(0, -1), '20260701000000Z:20260801000000Z'] },
    /valid from 2026-07-01T00:00:00Z/,
  ],
  [
    'that lives until 2049',
    { signing: [...GOOD.slice(0, -1), '20260531235900Z:20491231235959Z'] },
    /2049.*longer than requested/,
  ],
  [
    'that never ends',
    { signing: [...GOOD.slice(0, -1), '20260531235900Z:forever'] },
    /9999-12-31T23:59:59Z, longer than requested/,
  ],
];

for (const [what, answer, says] of REFUSED) {
  test(`a host certificate ${what} is not accepted`, { skip }, async (t) => {
    await assert.rejects(issue(t, answer), { code: 'CERTIFICATE_MISMATCH', message: says });
  });
}

test('a host certificate that begins a little later than now is accepted with a notice', { skip }, async (t) => {
  const { notices } = await issue(t, { signing: [...GOOD.slice(0, -1), '20260601000105Z:20260601010000Z'] });
  assert.match(notices.join(), /clock is at least 65 seconds behind/);
});
