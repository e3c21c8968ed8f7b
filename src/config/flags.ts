/** What `run` was given on its command line, as strings and switches not yet checked. */

/** An absent flag, an empty one and `undefined` mean the same: not given. */
export interface RunFlags {
  /** `-c`, `--config`: path of the configuration file. */
  readonly config?: string | undefined;
  /** `--config-string`: the whole configuration file in base64. */
  readonly configString?: string | undefined;
  readonly proxyServer?: string | undefined;
  readonly authServer?: string | undefined;
  readonly joinUri?: string | undefined;
  readonly token?: string | undefined;
  readonly joinMethod?: string | undefined;
  /** `--destination`, `--destination-dir`: a directory, or a URI of another destination. */
  readonly destination?: string | undefined;
  /** A Kubernetes cluster, database or application to write an output for, in a folder of its own below `destination`. */
  readonly kubernetesCluster?: string | undefined;
  readonly database?: string | undefined;
  readonly databaseUser?: string | undefined;
  readonly databaseName?: string | undefined;
  readonly application?: string | undefined;
  /** An identity output beside those. */
  readonly ssh?: boolean | undefined;
  /** `--storage`, `--data-dir`. */
  readonly storage?: string | undefined;
  readonly certificateTtl?: string | undefined;
  readonly credentialTtl?: string | undefined;
  readonly renewalInterval?: string | undefined;
  /** `--ca-pin`, once for each pin. */
  readonly caPins?: readonly string[] | undefined;
  readonly caPath?: string | undefined;
  readonly diagAddr?: string | undefined;
  readonly logFormat?: string | undefined;
  readonly insecure?: boolean | undefined;
  readonly debug?: boolean | undefined;
  readonly fips?: boolean | undefined;
  readonly scoped?: boolean | undefined;
  readonly oneshot?: boolean | undefined;
}
