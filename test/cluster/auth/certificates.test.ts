import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { missing, outputOf } from '../../programs.ts';
import { createKey } from '../crypto/keys.ts';
import { accessRequest, generateUserCerts, sshLine } from './raw-auth.ts';
import { joinByService, joinLegacy, type RawBot } from './raw-bot.ts';
import type { Cluster } from '../cluster.ts';
import { withCluster } from '../temporary-cluster.ts';
import { temporaryDirectory } from '../temporary-directory.ts';

const profiles: readonly {
  readonly teleport: string;
  readonly kind: 'rsa' | 'ec';
  readonly authority: RegExp;
  readonly join: (cluster: Cluster) => Promise<RawBot>;
}[] = [
  { teleport: '15.3.7', kind: 'rsa', authority: /Signing CA: RSA SHA256:\S+ \(using rsa-sha2-512\)/, join: joinLegacy },
  { teleport: '17.7.1', kind: 'ec', authority: /Signing CA: ED25519 /, join: joinLegacy },
  { teleport: '18.5.1', kind: 'ec', authority: /Signing CA: ED25519 /, join: joinByService },
];

for (const { teleport, kind, authority, join: joinCluster } of profiles) {
  test(`ssh-keygen reads the SSH certificate of a ${teleport} cluster`, { skip: missing('ssh-keygen') }, async () => {
    const { ssh, publicKey } = await issueAccess(teleport, kind, joinCluster);
    const listing = sshListing(ssh);
    const lines = listing.split('\n').map((line) => line.trim());
    assert.match(listing, /user certificate/);
    assert.match(listing, authority);
    assert.match(listing, /Key ID: "bot-ci"/);
    assert.ok(listing.includes(fingerprint(publicKey)), 'it certifies the key that was asked for');
    for (const line of ['root', 'ci', '-teleport-internal-join', 'permit-pty', 'Critical Options: (none)']) {
      assert.ok(lines.includes(line), `${line} in:\n${listing}`);
    }
    for (const extension of ['teleport-roles', 'disallow-reissue', 'impersonator', 'bot-name@goteleport.com']) {
      assert.match(listing, new RegExp(`^ +${extension}\\b`, 'm'));
    }
  });

  test(`openssl verifies the X.509 certificate of a ${teleport} cluster and reads its subject`, async () => {
    const { tls, authorityPem } = await issueAccess(teleport, kind, joinCluster);
    const directory = temporaryDirectory();
    const certificate = join(directory.path, 'certificate.pem');
    const authorityFile = join(directory.path, 'authority.pem');
    writeFileSync(certificate, tls);
    writeFileSync(authorityFile, authorityPem);
    const verify = outputOf('openssl', ['verify', '-x509_strict', '-CAfile', authorityFile, certificate]);
    const subject = outputOf('openssl', [
      'x509',
      '-in',
      certificate,
      '-noout',
      '-subject',
      '-issuer',
      '-nameopt',
      'RFC2253',
    ]);
    directory.remove();
    assert.match(verify, /: OK$/m);
    assert.match(subject, /2\.18=ci|1\.3\.9999\.2\.18=/);
    assert.match(subject, /CN=bot-ci/);
    assert.match(subject, /L=.*\+L=.*\+L=/);
    assert.match(subject, /issuer=CN=example\.teleport\.test,O=example\.teleport\.test/);
  });
}

interface Access {
  readonly ssh: Buffer;
  readonly tls: Buffer;
  readonly authorityPem: Buffer;
  readonly publicKey: string;
}

async function issueAccess(
  teleport: string,
  kind: 'rsa' | 'ec',
  joinCluster: (cluster: Cluster) => Promise<RawBot>,
): Promise<Access> {
  const issued: Access[] = [];
  await withCluster({ teleport }, async (cluster) => {
    const key = await createKey(kind);
    const publicKey = sshLine(createPublicKey(key));
    const two = accessRequest(key);
    const request = teleport.startsWith('15.') ? { ...two, public_key: Buffer.from(publicKey) } : two;
    const answer = await generateUserCerts(cluster, await joinCluster(cluster), request);
    issued.push({ ...answer, authorityPem: answer.tls_ca_certs[0] ?? Buffer.alloc(0), publicKey });
  });
  const [access] = issued;
  assert.ok(access);
  return access;
}

/** From a file, because older releases of `ssh-keygen -L` do not read standard input. */
function sshListing(certificate: Buffer): string {
  const directory = temporaryDirectory();
  const file = join(directory.path, 'key-cert.pub');
  writeFileSync(file, certificate);
  const listing = outputOf('ssh-keygen', ['-L', '-f', file]);
  directory.remove();
  return listing;
}

function fingerprint(publicKey: string): string {
  const directory = temporaryDirectory();
  const file = join(directory.path, 'key.pub');
  writeFileSync(file, publicKey);
  const line = outputOf('ssh-keygen', ['-l', '-f', file]);
  directory.remove();
  return line.split(' ')[1] ?? 'no fingerprint';
}
