/** An identity with recognisable contents, of a cluster that has a leaf and is rotating its host authority. */
import type { Authorities } from '../../src/auth/auth-api.ts';
import type { Identity } from '../../src/auth/issue.ts';
import { generateKeyPair } from '../../src/crypto/keys.ts';
import type { SshConfigInput } from '../../src/outputs/ssh-config.ts';

export const ROOT = 'root.example.com';
export const LEAF = 'leaf.example.com';
export const PROXY = 'proxy.example.com';

export const identity: Identity = {
  keyPair: await generateKeyPair('rsa-2048'),
  sshCertificateLine: 'ssh-rsa-cert-v01@openssh.com AAAAbot',
  tlsCertificatePem: block('bot'),
  roles: ['access'],
  logins: ['ci'],
  expiresAtMs: 0,
};

export const authorities: Authorities = {
  host: [
    {
      clusterName: ROOT,
      tlsCertificatesPem: [block('rootHostActive'), block('rootHostNext')],
      sshPublicKeys: ['ssh-rsa AAAArootActive', 'ecdsa-sha2-nistp256 AAAArootNext'],
    },
    { clusterName: LEAF, tlsCertificatesPem: [block('leafHost')], sshPublicKeys: ['ssh-ed25519 AAAAleaf'] },
  ],
  user: [
    { clusterName: ROOT, tlsCertificatesPem: [block('rootUser')], sshPublicKeys: ['ssh-rsa AAAArootUser'] },
    { clusterName: LEAF, tlsCertificatesPem: [block('leafUser')], sshPublicKeys: ['ssh-rsa AAAAleafUser'] },
  ],
  database: [{ clusterName: ROOT, tlsCertificatesPem: [block('rootDatabase')], sshPublicKeys: [] }],
};

export const sshConfigOf18: SshConfigInput = {
  proxyHost: PROXY,
  proxyAddress: `${PROXY}:443`,
  destinationPath: '/opt/bot',
  nodePath: '/usr/bin/node',
  bundlePath: '/opt/machine-id.cjs',
  nodeOptions: '',
  tlsRouting: true,
  connectionUpgrade: undefined,
  serverMajor: 18,
};

export const sshConfigOf15: SshConfigInput = {
  ...sshConfigOf18,
  proxyAddress: `${PROXY}:3023`,
  tlsRouting: false,
  connectionUpgrade: { caFile: undefined, insecure: false },
  serverMajor: 15,
};

function block(text: string): string {
  return `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`;
}
