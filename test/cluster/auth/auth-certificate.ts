/** The certificate that the Auth listener presents, valid or spoiled. */
import type { SecureContextOptions } from 'node:tls';
import { createKey, keyPem, publicKeyDer } from '../crypto/keys.ts';
import type { Faults } from '../faults.ts';
import { ORIGIN_CLUSTER } from '../data/identity.ts';
import { signCertificate } from '../crypto/leaf-certificate.ts';
import { encodeName, OID } from '../crypto/subject-name.ts';
import { API_DOMAIN, ownAuthority, type World } from '../world.ts';
import { certificatePem, createTlsAuthority, type TlsAuthority } from '../crypto/x509.ts';

const HOUR_MS = 60 * 60 * 1000;
const YEAR_MS = 365 * 24 * HOUR_MS;

export async function authCertificate(world: World, fault: Faults['authCertificate']): Promise<SecureContextOptions> {
  const key = await createKey(world.profile.suite === 'legacy' ? 'rsa' : 'ec');
  const certificate = signCertificate(await signerOf(world, fault), {
    subject: encodeName([
      { oid: OID.organization, values: ['Auth'] },
      { oid: OID.commonName, values: [`auth.${world.clusterName}`] },
      { oid: ORIGIN_CLUSTER, values: [world.clusterName] },
    ]),
    publicKey: publicKeyDer(key),
    dnsNames: [API_DOMAIN, `*.${API_DOMAIN}`],
    ...validity(fault),
  });
  return { key: keyPem(key), cert: certificatePem(certificate) };
}

async function signerOf(world: World, fault: Faults['authCertificate']): Promise<TlsAuthority> {
  const host = ownAuthority(world, 'host').servers.tls;
  const { active, additional, tls } = ownAuthority(world, 'user');
  switch (fault) {
    case 'of-other-authority':
      return impostorOf(host);
    case 'of-user-authority':
      return [...active, ...additional].find((one) => one.tls !== tls)?.tls ?? tls;
    case 'expired':
    case 'not-yet-valid':
    case undefined:
      return host;
  }
}

/** Another authority of the same name, as an attacker would make it. */
async function impostorOf(authority: TlsAuthority): Promise<TlsAuthority> {
  const key = await createKey('ec');
  return createTlsAuthority(authority.subject, publicKeyDer(key), key);
}

function validity(fault: Faults['authCertificate']): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  const from = (startMs: number, endMs: number): { notBefore: Date; notAfter: Date } => ({
    notBefore: new Date(now + startMs),
    notAfter: new Date(now + endMs),
  });
  switch (fault) {
    case 'expired':
      return from(-2 * HOUR_MS, -HOUR_MS);
    case 'not-yet-valid':
      return from(HOUR_MS, 2 * HOUR_MS);
    case 'of-other-authority':
    case 'of-user-authority':
    case undefined:
      return from(-HOUR_MS, YEAR_MS);
  }
}
