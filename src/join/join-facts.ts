/** What a join is about; all of it may be shown. */
export interface JoinFacts {
  readonly tokenName: string;
  /** `host:port`, as it was given. */
  readonly proxy: string;
  readonly organizationId: string | undefined;
  readonly projectId: string | undefined;
  readonly contextIds: readonly string[];
  readonly audiences: readonly string[];
  /** For example `refs/heads/main`. */
  readonly vcsRef: string | undefined;
  /** Milliseconds since the Unix epoch; the last is this machine's clock when it looked at the token. */
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
  readonly checkedAtMs: number;
  /** Undefined as long as the Proxy has not said it. */
  readonly cluster?: { readonly name: string; readonly version: string } | undefined;
}
