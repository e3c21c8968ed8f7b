/**
 * Files of a job that other programs can change: its manifest, its exports, credentials of AWS and of tbot, private
 * keys.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { openSshPrivateKey, privateKeyPem, publicKeyInFile } from '../../src/crypto/keys.ts';
import type { FileEntry } from '../../src/effects/files.ts';
import { withoutProfile, withProfile } from '../../src/files/aws-profile.ts';
import { exportLines, removeLines } from '../../src/job/bash-env.ts';
import { openManifest, readManifests } from '../../src/job/manifest.ts';
import { identityFile } from '../../src/outputs/identity-files.ts';
import { supportedOutputs } from '../../src/outputs/supported.ts';
import { readCredentials, type SupportedOutput } from '../../src/outputs/outputs.ts';
import { planOf, v2 } from '../config/plan-of.ts';
import { jsonLike, mostly, ODD_TEXTS, textLike } from './mutations.ts';
import { fuzz } from './property.ts';
import { clusterSamples, keyLine, pemBlock } from './samples.ts';

const oddText = fc.oneof(fc.constantFrom(...ODD_TEXTS), fc.string({ maxLength: 12, unit: 'binary' }));

/** One file in memory at a time, and the private folder around it. */
function memory(before = '') {
  const state = { text: before };
  const at = (path: string): FileEntry => ({
    kind: /\.jsonl|\/env$/.test(path) ? 'file' : 'directory',
    mode: 0o700,
    userId: 1,
    modifiedMs: 0,
  });
  const files = {
    userId: 1,
    entry: (path: string) => Promise.resolve(at(path)),
    makeDirectory: () => Promise.resolve(),
    readText: () => Promise.resolve(state.text),
    appendText: (_path: string, text: string) => {
      state.text += text;
      return Promise.resolve();
    },
    createFile: (_path: string, contents: string | Uint8Array) => {
      state.text = String(contents);
      return Promise.resolve();
    },
    rename: () => Promise.resolve(),
    setMode: () => Promise.resolve(),
    remove: () => Promise.resolve(),
  };
  return { files, state };
}

const ENVIRONMENT = { TMPDIR: '/t' };

async function entriesOf(text: string) {
  const [manifest] = await readManifests(memory(text).files, ENVIRONMENT);
  assert.ok(manifest !== undefined);
  return manifest.entries;
}

fuzz(
  'what was recorded is read back as it was, whatever stands before it',
  fc.record({
    before: fc.oneof(oddText, jsonLike({ directory: '/d' })),
    path: oddText,
    lines: oddText,
    profile: oddText,
  }),
  async ({ before, lines, path, profile }) => {
    const { files, state } = memory(before);
    const manifest = openManifest(files, ENVIRONMENT, (message) => assert.fail(message));
    await manifest.directory(path);
    await manifest.files([{ path, contents: lines, temporaries: [path], awsProfile: profile }]);
    await manifest.exports(path, lines);
    const [directory, file, exported] = (await entriesOf(state.text)).slice(-3);
    assert.deepEqual(directory, { directory: path });
    assert.ok(file !== undefined && 'file' in file && file.file === path && file.awsProfile === profile);
    assert.deepEqual(exported, { exports: path, lines });
  },
  { runs: 500 },
);

const ENTRIES = [
  { directory: '/d' },
  { file: '/d/key', sha256: '0a', temporaries: ['/d/.a'], awsProfile: 'ci' },
  { exports: '/env', lines: '\nexport A=1\n' },
];

fuzz(
  'a changed line of a record is an entry or none',
  fc.array(fc.oneof(...ENTRIES.map((entry) => jsonLike(entry))), { maxLength: 4 }),
  async (lines) => {
    for (const entry of await entriesOf(lines.join('\n'))) {
      for (const value of Object.values(entry)) assert.ok(typeof value === 'string' || Array.isArray(value));
    }
  },
  { runs: 700 },
);

fuzz(
  'exports that were appended are taken out again, and nothing else',
  fc.record({ before: oddText, name: fc.constantFrom('A', 'B'), value: oddText, after: oddText }),
  async ({ after, before, name, value }) => {
    const lines = exportLines(new Map([[name, value]]));
    const { files, state } = memory(before + lines + after);
    assert.equal((await removeLines(files, '/env', [lines])).removed, 1);
    assert.equal(state.text, `${before}\n${after}`);
  },
  { runs: 500 },
);

const INI = '# mine\n[default]\nregion = r\n\n[ci]\naws_access_key_id = A\nexpiration=1\nsso = x\n[ b ]\nx = 1\r\n';
const PROFILE = { secretAccessKey: 'S', accessKeyId: 'A', sessionToken: 'T', expiresAtMs: 1_700_000_000_000 };

fuzz(
  'a profile goes into a file of AWS and out of it, and every other line stays',
  textLike([INI.replaceAll('\n', '\r\n'), INI], ['[ci]', '[', ']', '=', ' = ', 'aws_access_key_id', '# ', '[ci]\n']),
  (odd) => {
    // A lone carriage return becomes one half of a line break.
    const text = odd.replaceAll('\r', '');
    const own = /^\s*(aws_secret_access_key|aws_access_key_id|aws_session_token|expiration)\s*=/i;
    const others = (file: string) =>
      file.split('\n').filter((line) => line.trim() !== '' && !/^\s*\[\s*ci\s*\]/.test(line) && !own.test(line));
    const within = withProfile(text, 'ci', PROFILE);
    assert.deepEqual(others(within), others(text));
    assert.equal(withProfile(within, 'ci', PROFILE), within);
    const out = withoutProfile(within, 'ci');
    assert.deepEqual(others(out), others(text));
  },
  { runs: 1000 },
);

const { hostTls, keyPair, spiffeTls, ssh, sshHost, svid, tls } = await clusterSamples();
const key = privateKeyPem(keyPair).reveal();

fuzz(
  'a private key is read or refused',
  textLike([key, openSshPrivateKey(keyPair).reveal()], ['-----', '\n', 'AAAA', 'PRIVATE KEY-----', '=']),
  (text) => {
    assert.equal(publicKeyInFile(text).type, 'public');
  },
  { runs: 700 },
);

const { outputs } = await planOf(
  v2(`outputs:
- {type: identity, destination: {type: memory}}
- {type: ssh_host, destination: {type: memory}, principals: [a]}
- {type: database, destination: {type: memory}, service: s, database: d, username: u}
- {type: application, destination: {type: memory}, app_name: a}
- {type: kubernetes, destination: {type: memory}, kubernetes_cluster: k}
- {type: workload-identity-x509, destination: {type: memory}, selector: {name: n}}
- {type: workload-identity-jwt, destination: {type: memory}, selector: {name: n}, audiences: [a]}
`),
).then((plan) => ({ outputs: supportedOutputs(plan) }));

const jwt = [{ alg: 'RS256' }, { sub: 'spiffe://a/b', aud: ['a'], exp: Math.floor(Date.now() / 1000) + 3600 }]
  .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
  .join('.');
const tlsPem = pemBlock(tls);
const identity = identityFile(
  { keyPair, sshCertificateLine: keyLine(ssh), tlsCertificatePem: tlsPem, roles: [], logins: [], expiresAtMs: 0 },
  [{ clusterName: 'a', tlsCertificatesPem: [pemBlock(hostTls)], sshPublicKeys: [] }],
);
const WRITTEN: Readonly<Record<string, string>> = {
  identity,
  key,
  tlscert: tlsPem,
  'key-cert.pub': `${keyLine(ssh)}\n`,
  ssh_host: openSshPrivateKey(keyPair).reveal(),
  'ssh_host-cert.pub': keyLine(sshHost),
  'svid.pem': pemBlock(svid) + pemBlock(spiffeTls),
  'svid_key.pem': key,
  jwt_svid: `${jwt}.c2ln`,
};
/** All of them unchanged, except perhaps one. */
const written = fc.record(
  Object.fromEntries(Object.entries(WRITTEN).map(([name, text]) => [name, mostly(text, textLike([text]))])),
);

fuzz(
  'what tbot has written is proven good or refused',
  fc.tuple(fc.constantFrom<SupportedOutput[]>(...outputs), written),
  async ([output, files]) => {
    const credentials = await readCredentials(output, { contents: new Map(Object.entries(files)), nowMs: Date.now() });
    assert.ok(Number.isFinite(credentials.expiresAtMs) && credentials.expiresAtMs > Date.now());
  },
  { runs: 1000 },
);
