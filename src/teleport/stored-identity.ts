/** Reads an `identity` file: the key and certificates for a TLS client. */
import { certificateEndMs } from '../crypto/validity.ts';
import { Secret } from '../effects/secret.ts';

export interface StoredIdentity {
  readonly privateKeyPem: Secret;
  /** One block. */
  readonly certificatePem: string;
  readonly notAfterMs: number;
  /** PEM of the host authorities, one block each. */
  readonly authoritiesPem: readonly string[];
}

const PRIVATE_KEY = /^-----BEGIN ((?:RSA )?PRIVATE KEY)-----\n[A-Za-z0-9+/=\n]+-----END \1-----\n/;
const CERTIFICATES = /^-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n/gm;

/**
 * The file has the key first, then the identity's certificate, then the authorities.
 * @returns undefined if there is no key or no certificate
 * @throws MachineIdError RESPONSE_INVALID if the certificate has no end that can be read; the rest of it is not checked
 */
export function readStoredIdentity(text: string): StoredIdentity | undefined {
  const [privateKeyPem] = PRIVATE_KEY.exec(text) ?? [];
  const [certificatePem, ...authoritiesPem] = text.match(CERTIFICATES) ?? [];
  if (privateKeyPem === undefined || certificatePem === undefined) return undefined;
  const notAfterMs = certificateEndMs(Buffer.from(certificatePem.replace(/-----.*-----/g, ''), 'base64'));
  return { privateKeyPem: new Secret(privateKeyPem), certificatePem, notAfterMs, authoritiesPem };
}
