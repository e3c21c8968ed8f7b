/** A self-signed web certificate for servers that a test starts. */
import 'reflect-metadata';
import { KeyObject, randomUUID, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

export interface WebCertificate {
  /** PEM. */
  readonly certificate: string;
  /** PEM, PKCS#8. */
  readonly key: string;
}

/** ECDSA P-256, valid for an hour from a minute ago, for one DNS name. */
export async function selfSigned(dnsName: string): Promise<WebCertificate> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    // Authorities of one name would be taken for each other.
    name: `CN=${dnsName}, OU=${randomUUID()}`,
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 3_600_000),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: dnsName }]),
      new x509.BasicConstraintsExtension(true),
    ],
  });
  const key = KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' });
  return { certificate: certificate.toString('pem'), key: String(key) };
}

export interface WebChain {
  /** PEM of the server's certificate and the intermediate authority's. */
  readonly chain: string;
  readonly key: string;
  readonly intermediate: string;
  readonly root: string;
}

const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** A server's certificate for one DNS name, signed by an intermediate authority that a root has signed. */
export async function privateChain(dnsName: string): Promise<WebChain> {
  const [rootKeys, middleKeys, serverKeys] = await Promise.all(
    [1, 2, 3].map(() => webcrypto.subtle.generateKey(ECDSA, true, ['sign', 'verify'])),
  );
  if (rootKeys === undefined || middleKeys === undefined || serverKeys === undefined) throw new Error('no keys');
  const names = { root: `CN=root ${randomUUID()}`, middle: `CN=intermediate ${randomUUID()}`, server: `CN=${dnsName}` };
  const sign = (subject: string, issuer: string, keys: webcrypto.CryptoKeyPair, signer: webcrypto.CryptoKeyPair) =>
    x509.X509CertificateGenerator.create({
      subject,
      issuer,
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + 3_600_000),
      signingAlgorithm: ECDSA,
      publicKey: keys.publicKey,
      signingKey: signer.privateKey,
      extensions: [
        new x509.BasicConstraintsExtension(subject !== names.server),
        ...(subject === names.server
          ? [new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: dnsName }])]
          : []),
      ],
    });
  const [root, middle, server] = await Promise.all([
    sign(names.root, names.root, rootKeys, rootKeys),
    sign(names.middle, names.root, middleKeys, rootKeys),
    sign(names.server, names.middle, serverKeys, middleKeys),
  ]);
  const [rootPem, middlePem, serverPem] = [root, middle, server].map((one) => `${one.toString('pem').trim()}\n`);
  const key = KeyObject.from(serverKeys.privateKey).export({ type: 'pkcs8', format: 'pem' });
  return {
    chain: `${serverPem ?? ''}${middlePem ?? ''}`,
    key: String(key),
    intermediate: middlePem ?? '',
    root: rootPem ?? '',
  };
}
