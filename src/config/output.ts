/** The outputs that write files, each with the settings of its type. */
import type { ContextTemplate } from '../outputs/context-name.ts';
import type { DatabaseFormat } from '../outputs/database.ts';
import type { Destination } from '../outputs/destination.ts';

/** A lifetime of its own that an output asks for. */
export interface Lifetime {
  readonly ttlMs: number;
  readonly renewalIntervalMs: number;
}

/** What every output and service has. */
export interface Common {
  readonly name: string | undefined;
  /** Empty means every role that the bot may impersonate. */
  readonly roles: readonly string[];
  /** `undefined` means the lifetime of the whole configuration. */
  readonly lifetime: Lifetime | undefined;
}

interface Written extends Common {
  readonly destination: Destination;
}

export interface IdentityOutput extends Written {
  readonly type: 'identity';
  /** A leaf cluster to route to; `undefined` is the cluster that was joined. */
  readonly cluster: string | undefined;
  readonly sshConfig: boolean;
  readonly allowReissue: boolean;
  readonly delegationSessionId: string | undefined;
}

export interface ApplicationOutput extends Written {
  readonly type: 'application';
  readonly appName: string;
  readonly specificTlsNaming: boolean;
}

export interface DatabaseOutput extends Written {
  readonly type: 'database';
  readonly service: string;
  readonly database: string | undefined;
  readonly username: string | undefined;
  readonly format: DatabaseFormat;
}

export interface KubernetesOutput extends Written {
  readonly type: 'kubernetes';
  readonly kubernetesCluster: string;
  /**
   * Whether kubeconfig names a program that prints the certificate in place of the certificate itself. Here only when
   * `disable_exec_plugin: false` is written, where tbot does it by default: in one run nothing is there to be renewed.
   */
  readonly execPlugin: boolean;
  readonly contextNameTemplate: ContextTemplate;
  readonly relayServer: string | undefined;
}

/** Picks the resource of that name or, without a name, those whose labels have one of the values each. */
export interface Selector {
  readonly name: string | undefined;
  readonly labels: Readonly<Record<string, readonly string[]>>;
}

/** As `Selector`, but a label has one value. */
export interface KubernetesSelector {
  readonly name: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly defaultNamespace: string | undefined;
}

export interface KubernetesV2Output extends Written {
  readonly type: 'kubernetes/v2';
  readonly selectors: readonly KubernetesSelector[];
  /** As in `KubernetesOutput`. */
  readonly execPlugin: boolean;
  readonly contextNameTemplate: ContextTemplate;
  readonly relayServer: string | undefined;
}

/** Writes Kubernetes secrets, one a cluster, and so has no destination. */
export interface ArgoCdOutput extends Common {
  readonly type: 'kubernetes/argo-cd';
  readonly selectors: readonly KubernetesSelector[];
  readonly secretNamespace: string | undefined;
  readonly secretNamePrefix: string;
  readonly secretLabels: Readonly<Record<string, string>>;
  readonly secretAnnotations: Readonly<Record<string, string>>;
  readonly project: string | undefined;
  readonly namespaces: readonly string[];
  readonly clusterResources: boolean;
  readonly clusterNameTemplate: string | undefined;
}

export interface SshHostOutput extends Written {
  readonly type: 'ssh_host';
  readonly principals: readonly string[];
  readonly caType: 'user' | 'openssh';
}

export interface SpiffeSvidOutput extends Written {
  readonly type: 'spiffe-svid';
  readonly svid: SvidRequest;
  readonly jwts: readonly { readonly audience: string; readonly fileName: string }[];
  readonly includeFederatedTrustBundles: boolean;
}

export interface SvidRequest {
  /** Begins with `/`. */
  readonly path: string;
  readonly hint: string | undefined;
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
}

export interface WorkloadIdentityX509Output extends Written {
  readonly type: 'workload-identity-x509';
  readonly selector: Selector;
  readonly includeFederatedTrustBundles: boolean;
}

export interface WorkloadIdentityJwtOutput extends Written {
  readonly type: 'workload-identity-jwt';
  readonly selector: Selector;
  readonly audiences: readonly string[];
}

export interface AwsRolesAnywhereOutput extends Written {
  readonly type: 'workload-identity-aws-roles-anywhere';
  readonly selector: Selector;
  readonly roleArn: string;
  readonly profileArn: string;
  readonly trustAnchorArn: string;
  readonly region: string | undefined;
  readonly sessionDurationMs: number;
  readonly sessionRenewalIntervalMs: number;
  readonly credentialProfileName: string;
  readonly artifactName: string;
  readonly overwriteCredentialFile: boolean;
}

export type OutputSettings =
  | IdentityOutput
  | ApplicationOutput
  | DatabaseOutput
  | KubernetesOutput
  | KubernetesV2Output
  | ArgoCdOutput
  | SshHostOutput
  | SpiffeSvidOutput
  | WorkloadIdentityX509Output
  | WorkloadIdentityJwtOutput
  | AwsRolesAnywhereOutput;

export type OutputType = OutputSettings['type'];

/** Where a thing stands in the configuration. */
export interface Placement {
  /** As in `outputs[0]`, or `--destination`. */
  readonly path: string;
  /** Counted from 1; `undefined` when it does not come from a file. */
  readonly line: number | undefined;
}

/** An output in its place, with its own lifetime or the configuration's. */
export type Output = OutputSettings & Placement & { readonly ttlMs: number; readonly renewalIntervalMs: number };
