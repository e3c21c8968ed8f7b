/**
 * Real certificates to mutate: from the test cluster, from OpenSSH if it is installed, and some that are generated
 * here.
 */
import { createPublicKey } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeyPair } from '../../src/crypto/keys.ts';
import { loadAuthorities } from '../cluster/data/authorities.ts';
import { type Identity, NO_ACCESS, toSshExtensions, toSubject } from '../cluster/data/identity.ts';
import { createKey } from '../cluster/crypto/keys.ts';
import { signCertificate } from '../cluster/crypto/leaf-certificate.ts';
import { encodeSshPublicKey } from '../cluster/crypto/ssh-public-key.ts';
import { signSshCertificate } from '../cluster/crypto/ssh-certificate.ts';
import { certify, makeSshKey, sshKeyTypes } from '../crypto/ssh-keygen.ts';
import { certificate, ED25519, RSA } from '../crypto/x509-certificate.ts';
import { missing } from '../programs.ts';

export const CLUSTER = 'root.example.com';

const BOT: Identity = {
  ...NO_ACCESS,
  userName: 'bot-ci',
  roles: ['access', 'editor'],
  principals: ['root', 'ubuntu'],
  routeToCluster: CLUSTER,
  botName: 'ci',
  usages: [],
  botInstanceId: '2b1f1e3c-9d1c-4f5e-8a37-000000000000',
  joinAttributes: undefined,
  impersonator: undefined,
  disallowReissue: false,
  loginIp: '127.0.0.1',
};

/** A private folder that exists while the work runs. */
async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'machine-id-fuzz-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The contents of all responses of a cluster to one bot. */
export interface ClusterSamples {
  /** The bot's own certificates. */
  readonly keyPair: KeyPair;
  /** DER. */
  readonly tls: Buffer;
  readonly svid: Buffer;
  readonly userTls: Buffer;
  readonly hostTls: Buffer;
  readonly spiffeTls: Buffer;
  /** In the wire format. */
  readonly userSsh: Buffer;
  readonly hostSsh: Buffer;
  readonly ssh: Buffer;
  readonly sshHost: Buffer;
}

export async function clusterSamples(): Promise<ClusterSamples> {
  const authorities = await inFolder((folder) => loadAuthorities(folder, { own: CLUSTER, leaves: [] }, 'balanced-v1'));
  const of = (type: string) => {
    const found = authorities.find((authority) => authority.type === type);
    if (found === undefined) throw new Error(`no ${type} authority`);
    return found;
  };
  const [user, host, spiffe] = [of('user'), of('host'), of('spiffe')];
  const privateKey = await createKey('ec');
  const publicKey = createPublicKey(privateKey);
  const times = { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 3_600_000) };
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const tls = signCertificate(user.tls, { subject: toSubject(BOT, CLUSTER), publicKey: spki, ...times });
  const names = { uris: [`spiffe://${CLUSTER}/ci/a`], dnsNames: ['a.example.com'], ipAddresses: ['10.0.0.1'] };
  const svid = signCertificate(spiffe.tls, { subject: toSubject(BOT, ''), publicKey: spki, ...times, ...names });
  if (user.sshKey === undefined || host.sshKey === undefined) throw new Error('an authority without SSH');
  const { principals } = BOT;
  const ssh = { publicKey, keyId: BOT.userName, principals, extensions: toSshExtensions(BOT), ...times };
  return {
    keyPair: { algorithm: 'ecdsa-p256', privateKey, publicKey },
    tls,
    svid,
    userTls: user.tls.certificate,
    hostTls: host.tls.certificate,
    spiffeTls: spiffe.tls.certificate,
    userSsh: encodeSshPublicKey(createPublicKey(user.sshKey)),
    hostSsh: encodeSshPublicKey(createPublicKey(host.sshKey)),
    ssh: signSshCertificate({ kind: 'user', ...ssh }, user.sshKey),
    sshHost: signSshCertificate({ kind: 'host', ...ssh }, host.sshKey),
  };
}

/** One of each SSH key type; empty if ssh-keygen is not installed. */
export function opensshCertificates(): Promise<readonly Buffer[]> {
  if (missing('ssh-keygen') !== undefined) return Promise.resolve([]);
  const options = ['-n', 'a,b', '-O', 'force-command=/bin/true', '-O', 'extension:role=access', '-V', '+1h'];
  return inFolder((folder) =>
    Promise.all(
      sshKeyTypes.map(async (type) => {
        const authority = await makeSshKey(folder, type, `${type}-ca`);
        const { line } = await certify(authority, await makeSshKey(folder, type, type), '-I', 'bot-ci', ...options);
        return Buffer.from(line.split(' ')[1] ?? '', 'base64');
      }),
    ),
  );
}

/** DER, self-signed, one with each key type. */
export async function plainCertificates(): Promise<readonly Buffer[]> {
  const made = [certificate([['CN', 'a']]), certificate([], { algorithm: ED25519 })];
  const rsa = certificate(
    [
      ['CN', 'a, b'],
      ['O', 'one'],
      ['O', 'two'],
    ],
    { algorithm: RSA },
  );
  return (await Promise.all([...made, rsa])).map(({ der }) => der);
}

export function pemBlock(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

export function keyLine(wire: Uint8Array): string {
  const bytes = Buffer.from(wire);
  return `${bytes.toString('utf8', 4, 4 + bytes.readUInt32BE())} ${bytes.toString('base64')}`;
}
