/** Where an output's files go: the settings of each destination type. */

export type SymlinkMode = 'secure' | 'try-secure' | 'insecure';
export type AclMode = 'off' | 'try' | 'required';
export type Reader = { readonly user: string } | { readonly group: string };

export interface DirectoryDestination {
  readonly type: 'directory';
  /** As configured: absolute, or relative to the working directory. */
  readonly path: string;
  readonly symlinks: SymlinkMode;
  readonly acls: AclMode;
  readonly readers: readonly Reader[];
}

export interface MemoryDestination {
  readonly type: 'memory';
}

export interface KubernetesSecretDestination {
  readonly type: 'kubernetes_secret';
  readonly name: string;
  readonly namespace: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

export type Destination = DirectoryDestination | MemoryDestination | KubernetesSecretDestination;
