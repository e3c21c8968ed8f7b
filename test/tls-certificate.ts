/** A self-signed web certificate for servers that a test starts. */
import { randomUUID } from 'node:crypto';
import { createKey, keyPem, publicKeyDer } from './cluster/crypto/keys.ts';
import { encodeName, OID } from './cluster/crypto/subject-name.ts';
import { certificatePem, createTlsAuthority } from './cluster/crypto/x509.ts';

export interface WebCertificate {
  /** PEM. */
  readonly certificate: string;
  /** PEM, PKCS#8. */
  readonly key: string;
}

/** ECDSA P-256, valid for years from a minute ago, for one DNS name. */
export async function selfSigned(dnsName: string): Promise<WebCertificate> {
  const key = await createKey('ec');
  const subject = encodeName([
    { oid: OID.commonName, values: [dnsName] },
    // Authorities of one name would be taken for each other.
    { oid: OID.organizationalUnit, values: [randomUUID()] },
  ]);
  const { certificate } = createTlsAuthority(subject, publicKeyDer(key), key, [dnsName]);
  return { certificate: certificatePem(certificate), key: keyPem(key) };
}
