/** SPIFFE verifiable identity documents, as the server sent them and still to be checked. */

export interface X509Svid {
  /** As `spiffe://<cluster>/<path>`. */
  readonly spiffeId: string;
  /** DER. */
  readonly certificate: Uint8Array;
  /** DER each, from the certificate's issuer on, without the root. */
  readonly chain: readonly Uint8Array[];
}

export interface JwtSvid {
  readonly spiffeId: string;
  readonly jwt: string;
}
