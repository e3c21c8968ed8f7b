import assert from 'node:assert/strict';
import test from 'node:test';
import { generateKeyPair, privateKeyPem } from '../../src/crypto/keys.ts';
import { answerToKubectl } from '../../src/commands/exec-credential.ts';
import { certificate, NOT_AFTER } from '../crypto/x509-certificate.ts';

const key = privateKeyPem(await generateKeyPair('ecdsa-p256')).reveal();
const { pem } = await certificate([['CN', 'bot-robot']]);
const identity = key + pem;
const HOUR_MS = 60 * 60 * 1000;

function answer(args: readonly string[], { text = identity, nowMs = NOT_AFTER.getTime() - HOUR_MS } = {}) {
  const paths: string[] = [];
  const readFile = (path: string, maxBytes: number): Uint8Array => {
    paths.push(path);
    assert.equal(maxBytes, 1024 * 1024);
    return Buffer.from(text);
  };
  return { answered: answerToKubectl(args, { nowMs, workingDirectory: '/job', readFile }), paths };
}

test('the call in a kubeconfig is answered with certificate, key, and an end a minute before the expiry', () => {
  const { answered = '', paths } = answer(['--destination-dir=out']);
  assert.deepEqual(paths, ['/job/out/identity']);
  assert.ok(answered.endsWith('}\n'));
  assert.deepEqual(JSON.parse(answered), {
    kind: 'ExecCredential',
    apiVersion: 'client.authentication.k8s.io/v1beta1',
    spec: { interactive: false },
    status: {
      expirationTimestamp: '2049-12-31T23:58:59Z',
      clientCertificateData: pem,
      clientKeyData: key,
    },
  });
});

test('within the last minute, the end is the expiry itself', () => {
  const { answered = '' } = answer(['--destination-dir=/out'], { nowMs: NOT_AFTER.getTime() - 1000 });
  assert.match(answered, /"expirationTimestamp":"2049-12-31T23:59:59Z"/);
});

for (const [what, args, changes] of [
  ['a flag in two words', ['--destination-dir', 'out'], {}],
  ['another flag', ['--help'], {}],
  ['no directory', ['--destination-dir='], {}],
  ['two arguments', ['--destination-dir=out', '--debug'], {}],
  ['an expired certificate', ['--destination-dir=out'], { nowMs: NOT_AFTER.getTime() }],
  ['a file without a key', ['--destination-dir=out'], { text: pem }],
  ['a certificate that cannot be read', ['--destination-dir=out'], { text: key + pem.replace(/\nM/, '\nA') }],
] as const) {
  test(`${what} is left to the command, which explains`, () => {
    assert.equal(answer(args, changes).answered, undefined);
  });
}

test('so is a file that cannot be read', () => {
  const readFile = () => {
    throw new Error('no such file');
  };
  assert.equal(answerToKubectl(['--destination-dir=out'], { nowMs: 0, workingDirectory: '/', readFile }), undefined);
});
