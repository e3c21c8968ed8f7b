import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import { SignJWT } from 'jose';
import { certificatePem } from '../../src/crypto/x509.ts';
import { supportedOutputs } from '../../src/outputs/supported.ts';
import type { Credentials } from '../../src/outputs/read-back.ts';
import { readCredentials, type SupportedOutput } from '../../src/outputs/outputs.ts';
import { makeSigner, makeSvid } from '../auth/svid-certificate.ts';
import { planOf, v2Item } from '../config/plan-of.ts';
import { certify, makeSshKey } from '../crypto/ssh-keygen.ts';
import { missing } from '../programs.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const NOW_MS = Date.UTC(2026, 5, 1);
const HOUR_MS = 60 * 60 * 1000;
const MEMORY = 'destination: {type: memory}';

async function outputOf(type: string, ...keys: readonly string[]): Promise<SupportedOutput> {
  const [output] = supportedOutputs(await planOf(v2Item(type, [MEMORY, ...keys])));
  assert.ok(output !== undefined);
  return output;
}

function read(output: SupportedOutput, files: Readonly<Record<string, string>>, nowMs = NOW_MS): Promise<Credentials> {
  return readCredentials(output, { contents: new Map(Object.entries(files)), nowMs });
}

async function assertRefused(work: () => Promise<unknown>, message: RegExp): Promise<void> {
  await assert.rejects(work, { code: 'TBOT_FAILED', message });
}

test('an X.509 SVID is good in its time, for the key beside it', async () => {
  const output = await outputOf('workload-identity-x509', 'selector: {name: w}', 'roles: [access]');
  const signer = await makeSigner('root.example.com');
  const times = { notBefore: new Date(NOW_MS), notAfter: new Date(NOW_MS + HOUR_MS) };
  const [one, other] = await Promise.all([
    makeSvid(signer, { uris: ['spiffe://a/b'], ...times }),
    makeSvid(signer, { uris: ['spiffe://a/b'], ...times }),
  ]);
  const files = { 'svid.pem': certificatePem(one.der), 'svid_key.pem': one.privateKeyPem, 'svid_bundle.pem': '' };
  assert.deepEqual(await read(output, files), {
    expiresAtMs: NOW_MS + HOUR_MS,
    roles: undefined,
    logins: undefined,
    kubeconfig: undefined,
    bot: undefined,
    access: undefined,
  });
  await assertRefused(
    () => read(output, files, NOW_MS + HOUR_MS),
    /^svid\.pem expired at 2026-06-01T01:00:00Z, and it is/,
  );
  await assertRefused(
    () => read(output, files, NOW_MS - HOUR_MS),
    /^svid\.pem is valid from 2026-06-01T00:00:00Z, .* 3600 seconds earlier$/,
  );
  await assertRefused(
    () => read(output, { ...files, 'svid_key.pem': other.privateKeyPem }),
    /^svid\.pem is for another key than the one beside it$/,
  );
});

test('a kubeconfig without a cluster is refused, however empty lists are written', async () => {
  const output = await outputOf('kubernetes/v2', "selectors: [{labels: {'*': '*'}}]");
  for (const contexts of ['null', '[]', '']) {
    const kubeconfig = `apiVersion: v1\nclusters: null\ncontexts: ${contexts}\ncurrent-context: ""\nkind: Config\n`;
    await assertRefused(
      () => read(output, { 'kubeconfig.yaml': kubeconfig }),
      /^kubeconfig\.yaml has no cluster: .* wildcard$/,
    );
  }
  const kubeconfig = 'contexts:\n- context:\n    cluster: a\n  name: a\n';
  await assertRefused(() => read(output, { 'kubeconfig.yaml': kubeconfig }), /^key cannot be used/);
});

test('a host certificate is good in its time, for the key beside it', { skip: missing('ssh-keygen') }, async (t) => {
  const output = await outputOf('ssh_host', 'principals: [web-1]');
  const folder = await temporaryFolder(t);
  const [authority, host] = [await makeSshKey(folder, 'ed25519', 'ca'), await makeSshKey(folder, 'ed25519', 'host')];
  const period = ['-V', '20260531235900Z:20260601010000Z'];
  const { line } = await certify(authority, host, '-h', '-I', '', '-n', 'web-1', ...period);
  const files = { 'ssh_host-cert.pub': `${line}\n`, ssh_host: await readFile(host, 'utf8') };
  assert.equal((await read(output, files)).expiresAtMs, NOW_MS + HOUR_MS);
  await assertRefused(() => read(output, files, NOW_MS + HOUR_MS), /^ssh_host-cert\.pub expired at/);
  await assertRefused(() => read(output, files, NOW_MS - HOUR_MS), /^ssh_host-cert\.pub is valid from/);
  const other = { ...files, ssh_host: await readFile(authority, 'utf8') };
  await assertRefused(() => read(output, other), /^ssh_host-cert\.pub is for another key/);
});

test('a JWT SVID is good in its time', async () => {
  const output = await outputOf('workload-identity-jwt', 'selector: {name: w}', 'audiences: [a]');
  const claims = { sub: 'spiffe://a/b', aud: 'a', exp: (NOW_MS + HOUR_MS) / 1000 };
  const jwt = await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.alloc(32));
  assert.equal((await read(output, { jwt_svid: jwt })).expiresAtMs, NOW_MS + HOUR_MS);
  await assertRefused(() => read(output, { jwt_svid: jwt }, NOW_MS + HOUR_MS), /^jwt_svid expired at/);
  await assertRefused(() => read(output, { jwt_svid: 'no.jwt' }), /^jwt_svid cannot be used: .*not a JWT/);
});

test('of several SVIDs the first to end counts', async () => {
  const output = await outputOf('spiffe-svid', 'svid: {path: /b}', 'jwts: [{audience: a, file_name: token}]');
  const signer = await makeSigner('root.example.com');
  const times = { notBefore: new Date(NOW_MS), notAfter: new Date(NOW_MS + 2 * HOUR_MS) };
  const { der, privateKeyPem } = await makeSvid(signer, { uris: ['spiffe://a/b'], ...times });
  const claims = { sub: 'spiffe://a/b', aud: 'a', exp: (NOW_MS + HOUR_MS) / 1000 };
  const token = await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.alloc(32));
  const files = { 'svid.pem': certificatePem(der), 'svid_key.pem': privateKeyPem, 'svid_bundle.pem': '', token };
  assert.equal((await read(output, files)).expiresAtMs, NOW_MS + HOUR_MS);
});

test('AWS credentials are below their profile', async () => {
  const arn = (service: string, rest: string) => `arn:aws:${service}:123456789012:${rest}`;
  const output = await outputOf(
    'workload-identity-aws-roles-anywhere',
    'selector: {name: w}',
    `role_arn: '${arn('iam:', 'role/r')}'`,
    `profile_arn: '${arn('rolesanywhere:eu-west-1', 'profile/p')}'`,
    `trust_anchor_arn: '${arn('rolesanywhere:eu-west-1', 'trust-anchor/t')}'`,
    'credential_profile_name: ci',
    'session_duration: 2h',
  );
  const { access, expiresAtMs } = await read(output, { aws_credentials: '[other]\n[ci]\naws_access_key_id = A\n' });
  assert.deepEqual(access, { kind: 'aws', role: arn('iam:', 'role/r'), profile: 'ci' });
  assert.equal(expiresAtMs, NOW_MS + 2 * HOUR_MS);
  await assertRefused(
    () => read(output, { aws_credentials: '[other]\n' }),
    /^aws_credentials does not contain the profile ci$/,
  );
});
