import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before, describe } from 'node:test';
import { sshPublicKey } from '../../src/crypto/ssh-public-key.ts';
import {
  formatSshCertificate,
  parseSshCertificate,
  parseSshCertificateBytes,
  type SshCertificate,
  verifySshCertificate,
} from '../../src/crypto/ssh-certificate.ts';
import { missing } from '../programs.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { certify, makeSshKey, sshKeygen, sshKeyTypes } from './ssh-keygen.ts';

const skip = missing('ssh-keygen');

const BOT = [
  ...['-I', 'bot "robot" \\ ü', '-z', '18446744073709551615', '-n', 'alice,-teleport-internal-join'],
  ...['-V', '20260101000000Z:20270101000000Z'],
  ...['-O', 'force-command=/bin/echo "a b"', '-O', 'source-address=10.0.0.0/8', '-O', 'no-x11-forwarding'],
  ...['-O', 'extension:teleport-roles={"version":"v1","roles":["access","größer"]}', '-O', 'extension:renewable'],
];

describe('a certificate made by OpenSSH', { skip }, () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'machine-id-test-'));
    for (const type of sshKeyTypes) {
      await Promise.all([makeSshKey(folder, type, `${type} key`), makeSshKey(folder, type, `${type} authority`)]);
    }
  });
  after(() => rm(folder, { recursive: true, force: true }));

  for (const keyType of sshKeyTypes) {
    for (const authorityType of sshKeyTypes) {
      test(`for ${keyType} by an ${authorityType} authority reads as ssh-keygen -L shows it`, async () => {
        const { line, path } = await certify(
          join(folder, `${authorityType} authority`),
          join(folder, `${keyType} key`),
          ...BOT,
        );
        const certificate = parseSshCertificate(line);
        assert.equal(listing(certificate), listed(await sshKeygen('-L', '-f', path)));
        assert.equal(verifySshCertificate(certificate), true);
      });
    }
  }
});

const SHAPES: readonly (readonly [string, readonly string[]])[] = [
  ['a host certificate without principals, for ever', ['-h', '-I', 'host']],
  ['a certificate from the epoch on', ['-I', 'id', '-n', 'a', '-V', '19700101000000Z:20260101000000Z']],
  ['a certificate that nothing is allowed with', ['-I', 'id', '-n', 'a', '-O', 'clear']],
  ['an empty key id', ['-I', '', '-n', 'a']],
];

for (const [shape, args] of SHAPES) {
  test(`${shape} reads as ssh-keygen -L shows it`, { skip }, async (context) => {
    const folder = await temporaryFolder(context);
    const authority = await makeSshKey(folder, 'ed25519', 'authority');
    const { line, path } = await certify(authority, await makeSshKey(folder, 'ed25519', 'key'), ...args);
    assert.equal(listing(parseSshCertificate(line)), listed(await sshKeygen('-L', '-f', path)));
  });
}

test('an RSA authority may sign with SHA-256 or SHA-512, and not with SHA-1', { skip }, async (context) => {
  const folder = await temporaryFolder(context);
  const authority = await makeSshKey(folder, 'rsa', 'authority');
  const key = await makeSshKey(folder, 'ed25519', 'key');
  const verified = async (algorithm: string) =>
    verifySshCertificate(parseSshCertificate((await certify(authority, key, '-t', algorithm, '-I', 'id')).line));
  assert.equal(await verified('rsa-sha2-256'), true);
  assert.equal(await verified('rsa-sha2-512'), true);
  assert.equal(await verified('ssh-rsa'), false);
});

test('a certificate in wire form becomes the line that ssh-keygen wrote', { skip }, async (context) => {
  const folder = await temporaryFolder(context);
  const authority = await makeSshKey(folder, 'ed25519', 'authority');
  const { line } = await certify(authority, await makeSshKey(folder, 'ecdsa p-256', 'key'), '-I', 'id');
  const [type = '', base64 = ''] = line.split(' ');
  const blob = Buffer.from(base64, 'base64');
  assert.equal(formatSshCertificate(blob), `${type} ${base64}`);
  assert.deepEqual(parseSshCertificateBytes(blob).signature, parseSshCertificate(line).signature);
});

/** A certificate as `ssh-keygen -L` prints it. */
function listing(certificate: SshCertificate): string {
  const { signatureKey, publicKey, principals, criticalOptions, extensions } = certificate;
  return [
    `Type: ${certificate.type} ${certificate.certificateType} certificate`,
    `Public key: ${fingerprint(sshPublicKey(publicKey).blob)}`,
    `Signing CA: ${fingerprint(signatureKey.blob)}`,
    `Key ID: "${certificate.keyId}"`,
    `Serial: ${String(certificate.serial)}`,
    `Valid: ${validity(certificate)}`,
    list('Principals', principals),
    list('Critical Options', [...criticalOptions].map(option)),
    list('Extensions', [...extensions].map(option)),
  ].join('\n');
}

/** The same without indentation, file name, or what follows a fingerprint. */
function listed(text: string): string {
  return text
    .split('\n')
    .slice(1, -1)
    .map((line) => line.trim().replace(/^(Public key|Signing CA): \S+ (\S+).*$/, '$1: $2'))
    .join('\n');
}

function fingerprint(blob: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}

const FOR_EVER = 2n ** 64n - 1n;

function validity({ validAfter, validBefore }: SshCertificate): string {
  if (validAfter === 0n && validBefore === FOR_EVER) return 'forever';
  const from = validAfter === 0n ? '' : `from ${time(validAfter)} `;
  return from === '' ? `before ${time(validBefore)}` : `${from}to ${time(validBefore)}`;
}

function time(seconds: bigint): string {
  return new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
}

function list(title: string, values: readonly string[]): string {
  return values.length === 0 ? `${title}: (none)` : [`${title}:`, ...values].join('\n');
}

/** ssh-keygen shows a value that it does not know as bytes, with the length before the text. */
function option([name, value]: readonly [string, string]): string {
  if (name.startsWith('permit-')) return name;
  if (value === '') return `${name} UNKNOWN FLAG OPTION`;
  if (name === 'force-command' || name === 'source-address') return `${name} ${value}`;
  const bytes = Buffer.from(value, 'utf8');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  const hex = Buffer.concat([length, bytes]).toString('hex');
  return `${name} UNKNOWN OPTION: ${hex} (len ${bytes.length + 4})`;
}
