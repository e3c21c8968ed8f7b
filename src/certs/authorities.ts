/** The certificate authorities a bot can see: its own cluster's and its leaf clusters'. */

/** One cluster's authority of one type, with the keys that are trusted now (active first, then additional ones). */
export interface CertAuthority {
  readonly clusterName: string;
  /** One PEM block each, ending with a newline. */
  readonly tlsCertificatesPem: readonly string[];
  /** `<ssh-type> <base64>` each, without comment or newline. */
  readonly sshPublicKeys: readonly string[];
}

/** In the order in which the server answered. */
export interface Authorities {
  readonly host: readonly CertAuthority[];
  readonly user: readonly CertAuthority[];
  readonly database: readonly CertAuthority[];
}
