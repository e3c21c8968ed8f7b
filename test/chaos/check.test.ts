/** The check must find every broken promise: otherwise, ten thousand cases prove nothing. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { createKey, keyPem, publicKeyDer } from '../cluster/crypto/keys.ts';
import { signCertificate } from '../cluster/crypto/leaf-certificate.ts';
import { encodeName, OID } from '../cluster/crypto/subject-name.ts';
import { certificatePem, createTlsAuthority } from '../cluster/crypto/x509.ts';
import { brokenPromises } from './check.ts';
import type { FileSet, Observation } from './play.ts';

const subject = encodeName([{ oid: OID.commonName, values: ['bot'] }]);
const authorityKey = await createKey('ec');
const authority = createTlsAuthority(subject, publicKeyDer(authorityKey), authorityKey);
const [old, fresh] = await Promise.all([issued(), issued()]);

async function issued() {
  const key = await createKey('ec');
  const times = { notBefore: new Date(), notAfter: new Date(Date.now() + 3_600_000) };
  const certificate = signCertificate(authority, { subject, publicKey: publicKeyDer(key), ...times });
  return { certificate: certificatePem(certificate), key: keyPem(key) };
}

function filesOf({ certificate, key }: { readonly certificate: string; readonly key: string }): FileSet {
  return new Map([
    ['tlscert', `0600 ${certificate}`],
    ['key', `0600 ${key}`],
  ]);
}

const TOKEN = 'header.claims-of-the-job.signature-of-it';
const GOOD: Observation = {
  end: { exitCode: 0, stdout: '{}\n', stderr: '', durationMs: 1, exposed: [], left: [] },
  passages: [],
  isReached: true,
  open: 0,
  before: filesOf(old),
  after: filesOf(fresh),
  names: ['tlscert', 'key'],
  elsewhere: new Map([['bash_env', '0600 export A=b']]),
  token: TOKEN,
  delivery: undefined,
  use: undefined,
};

const failed = (stderr: string, exitCode = 1) => ({ ...GOOD.end, exitCode, stderr });
const REFUSED = failed('error: x\nhint: y\ncode: TIMEOUT\n');

test('new files after a success, old or new ones after a failure, and none after a first one keep the promise', () => {
  assert.deepEqual(brokenPromises(GOOD), []);
  assert.deepEqual(brokenPromises({ ...GOOD, end: REFUSED }), []);
  assert.deepEqual(brokenPromises({ ...GOOD, end: REFUSED, after: GOOD.before }), []);
  assert.deepEqual(brokenPromises({ ...GOOD, end: REFUSED, before: new Map(), after: new Map() }), []);
});

const mixed = new Map([...filesOf(fresh), ['key', `0600 ${old.key}`]]);
const BROKEN: readonly (readonly [what: string, change: Partial<Observation>, says: RegExp])[] = [
  ['a hang', { end: { ...GOOD.end, exitCode: undefined } }, /did not end/],
  ['a signal', { end: { ...GOOD.end, exitCode: null } }, /a signal ended it/],
  ['another exit code', { end: failed('code: TIMEOUT', 7) }, /exit code is 7/],
  ['a failure without a code', { end: failed('Error: x') }, /without an error code/],
  ['an unknown code', { end: failed('code: SURPRISE') }, /SURPRISE is not documented/],
  ['an internal error', { end: failed('code: INTERNAL') }, /error code is INTERNAL/],
  ['a crash', { end: failed('code: UNCAUGHT') }, /error code is UNCAUGHT/],
  ['a success without new files', { after: GOOD.before }, /wrote nothing/],
  ['a missing file', { after: new Map([...filesOf(fresh)].slice(0, 1)) }, /key is missing/],
  ['a temporary file', { after: new Map([...filesOf(fresh), ['.x.tmp', '0600 ']]) }, /\.x\.tmp is not a file/],
  ['the old key with the new certificate', { after: mixed }, /certificate for a key that no file has/],
  ['half a certificate', { after: new Map([...mixed, ['key', '0600 ']]) }, /certificate for a key that no file has/],
  ['a printed token', { end: { ...GOOD.end, stderr: TOKEN } }, /printed a secret/],
  ['printed claims', { end: { ...GOOD.end, stdout: 'claims-of-the-job' } }, /printed a secret/],
  ['a printed key', { end: { ...GOOD.end, stdout: fresh.key.split('\n')[1] ?? '' } }, /printed a secret/],
  ['a readable file', { end: { ...GOOD.end, exposed: ['key 644'] } }, /others can read key 644/],
  ['an open connection', { open: 1 }, /left 1 connections open/],
  ['a process', { end: { ...GOOD.end, left: ['42'] } }, /left the process 42/],
  ['a file elsewhere', { elsewhere: new Map([['tmp-1', '']]) }, /it left tmp-1/],
  ['a tunnel that lost its way', { after: GOOD.before, use: ['the tunnel does not work again'] }, /work again/],
  [
    'lost bytes',
    { delivery: Buffer.from('all'), after: GOOD.before, end: { ...GOOD.end, stdout: 'al' } },
    /everything/,
  ],
  [
    'other bytes',
    { delivery: Buffer.from('all'), after: GOOD.before, end: { ...REFUSED, stdout: 'x' } },
    /other bytes/,
  ],
];

for (const [what, change, says] of BROKEN) {
  test(`${what} breaks the promise`, () => {
    assert.match(brokenPromises({ ...GOOD, ...change }).join('\n'), says);
  });
}
