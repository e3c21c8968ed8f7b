/** The certificates that Proxy and agents present to clients that know the cluster's authorities. */
import type { SecureContextOptions } from 'node:tls';
import { createKey, keyPem, publicKeyDer } from '../crypto/keys.ts';
import { tlsCertificates } from '../data/authorities.ts';
import { ORIGIN_CLUSTER } from '../data/identity.ts';
import { signCertificate } from '../crypto/leaf-certificate.ts';
import { encodeName, OID } from '../crypto/subject-name.ts';
import { API_DOMAIN, ownAuthority, type World } from '../world.ts';
import { certificatePem } from '../crypto/x509.ts';

const HOUR_MS = 60 * 60 * 1000;

/**
 * Of the host authority, by every name of the Proxy; clients may show a certificate of the user authority.
 * @param names hosts of its public addresses besides `localhost`
 */
export async function proxyCertificate(world: World, names: readonly string[] = []): Promise<SecureContextOptions> {
  const key = await createKey(world.profile.suite === 'legacy' ? 'rsa' : 'ec');
  const certificate = signCertificate(ownAuthority(world, 'host').servers.tls, {
    subject: encodeName([
      { oid: OID.organization, values: ['Proxy'] },
      { oid: OID.commonName, values: [`proxy.${world.clusterName}`] },
      { oid: ORIGIN_CLUSTER, values: [world.clusterName] },
    ]),
    publicKey: publicKeyDer(key),
    // `getAdditionalPrincipals` of lib/service/service.go: every address of the Proxy, and names below the public one
    dnsNames: [API_DOMAIN, `*.${API_DOMAIN}`, ...['localhost', ...names].flatMap((name) => [name, `*.${name}`])],
    ipAddresses: ['127.0.0.1', '::1'],
    ...aDay(),
  });
  return {
    key: keyPem(key),
    cert: certificatePem(certificate),
    ca: tlsCertificates(ownAuthority(world, 'user')).map(certificatePem),
  };
}

const clientCertificates = new WeakMap<World, Map<string, Promise<SecureContextOptions>>>();

/** The certificate with which an agent logs in to a database as one of its users; one for all connections. */
export function databaseClientCertificate(world: World, user: string): Promise<SecureContextOptions> {
  const ofUsers = clientCertificates.get(world) ?? new Map<string, Promise<SecureContextOptions>>();
  clientCertificates.set(world, ofUsers);
  const certificate = ofUsers.get(user) ?? createClientCertificate(world, user);
  ofUsers.set(user, certificate);
  return certificate;
}

async function createClientCertificate(world: World, user: string): Promise<SecureContextOptions> {
  const key = await createKey('rsa');
  const certificate = signCertificate(ownAuthority(world, 'db_client').tls, {
    subject: encodeName([{ oid: OID.commonName, values: [user] }]),
    publicKey: publicKeyDer(key),
    ...aDay(),
  });
  const servers = ownAuthority(world, 'db').tls.certificate;
  return { key: keyPem(key), cert: certificatePem(certificate), ca: certificatePem(servers) };
}

/** For a database on localhost, like `tctl auth sign --format=db`; `ca` is the authority of those who may log in. */
export async function databaseServerCertificate(world: World): Promise<{ key: string; cert: string; ca: string }> {
  const key = await createKey('rsa');
  const authority = ownAuthority(world, 'db').tls;
  const certificate = signCertificate(authority, {
    subject: encodeName([{ oid: OID.commonName, values: ['localhost'] }]),
    publicKey: publicKeyDer(key),
    dnsNames: ['localhost'],
    ...aDay(),
  });
  const clients = ownAuthority(world, 'db_client').tls.certificate;
  return { key: keyPem(key), cert: certificatePem(certificate), ca: certificatePem(clients) };
}

function aDay(): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(now - HOUR_MS), notAfter: new Date(now + 24 * HOUR_MS) };
}
