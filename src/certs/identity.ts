/** The identity that an output holds: one key with its SSH and TLS certificate. */
import type { KeyPair } from '../crypto/keys.ts';

export interface Identity {
  readonly keyPair: KeyPair;
  /** One authorized_keys-style line, `<type>-cert-v01@openssh.com <base64>`, without newline. */
  readonly sshCertificateLine: string;
  /** One `CERTIFICATE` PEM block that ends with a newline. */
  readonly tlsCertificatePem: string;
  /** Teleport roles in the certificate. */
  readonly roles: readonly string[];
  /** Unix users that the SSH certificate allows to log in as. */
  readonly logins: readonly string[];
  /** When the earlier of the two certificates ends, milliseconds since the Unix epoch. */
  readonly expiresAtMs: number;
}
