/** The outputs that write files, each with the settings of its type. */
import { MachineIdError, type Problem } from '../errors.ts';
import type { Common } from '../schema/common.ts';
import type { Destination, DirectoryDestination, MemoryDestination } from '../schema/destination.ts';
import type { ContextTemplate } from './context-name.ts';

/** What a client program expects beside the files that every output has. */
export type DatabaseFormat = 'default' | 'tls' | 'mongo' | 'cockroach';

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
export interface ConfigLocation {
  /** As in `outputs[0]`, or `--destination`. */
  readonly path: string;
  /** Counted from 1; `undefined` when it does not come from a file. */
  readonly line: number | undefined;
}

/** An output in its place, with its own lifetime or the configuration's. */
export type Output = OutputSettings & ConfigLocation & { readonly ttlMs: number; readonly renewalIntervalMs: number };

// Refuses the outputs of a plan that this version cannot write, or that the version of the cluster does not allow.

const ARGO_CD =
  'output type "kubernetes/argo-cd" is not written by a CI job: it keeps the Secrets of an Argo CD up to date, and what a job writes ends with its certificates; run tbot beside that Argo CD, and for kubectl in this job use an output of type "kubernetes/v2"';

const KUBERNETES_SECRET =
  'destination type "kubernetes_secret" is not written by a CI job: a job is no pod and needs no Secret for what its own steps read; use type "directory", and where a Secret is wanted all the same, make it in a later step: kubectl create secret generic NAME --from-file=DIR';

/** The types that a job has a use for. */
type SupportedType = Exclude<Output['type'], 'kubernetes/argo-cd'>;

/** An output of the type in a place that this version writes to. */
export type Supported<T extends SupportedType> = Extract<Output, { readonly type: T }> & {
  readonly destination: DirectoryDestination | MemoryDestination;
};

export type SupportedIdentity = Supported<'identity'>;

/** An output that this version writes. */
export type SupportedOutput = Supported<SupportedType>;

/** The outputs of the plan; throws `OUTPUT_UNSUPPORTED` with every one that a run in a job cannot or need not write. */
export function supportedOutputs({ outputs }: { readonly outputs: readonly Output[] }): readonly SupportedOutput[] {
  const problems = outputs.flatMap((output) => {
    const reason = unsupported(output);
    if (reason === undefined) return [];
    return [{ path: output.path, ...(output.line === undefined ? {} : { line: output.line }), message: reason }];
  });
  if (problems.length === 0) return outputs.filter(isSupported);
  const [first = '', ...others] = problems.map(lineOf);
  throw new MachineIdError('OUTPUT_UNSUPPORTED', first, {
    lines: others,
    hint: 'Change or remove these outputs; everything else in the file can stay as it is.',
    problems,
  });
}

/** The first version whose tbot refuses the key `roles`. */
const FIRST_MAJOR_WITHOUT_ROLES = 19;

interface Items {
  readonly outputs: readonly Output[];
  readonly services: readonly (ConfigLocation & { readonly roles: readonly string[] })[];
}

/**
 * Refuses the keys of the plan that a version of Teleport no longer has. Leaving `roles` out silently would give an
 * output more rights than its file asks for.
 * @param who is of that version, for example `the cluster example.com runs`
 * @throws MachineIdError CLUSTER_UNSUPPORTED with every such key
 */
export function refuseRemovedKeys(
  { outputs, services }: Items,
  version: { readonly major: number; readonly text: string },
  who: string,
): void {
  if (version.major < FIRST_MAJOR_WITHOUT_ROLES) return;
  const problems = [...outputs, ...services].flatMap(({ line, path, roles }) => {
    if (roles.length === 0) return [];
    const message = `the key "roles" was removed in Teleport ${FIRST_MAJOR_WITHOUT_ROLES}, and ${who} ${version.text}`;
    return [{ path: `${path}.roles`, ...(line === undefined ? {} : { line }), message }];
  });
  if (problems.length === 0) return;
  const [first = '', ...others] = problems.map(lineOf);
  throw new MachineIdError('CLUSTER_UNSUPPORTED', first, {
    lines: others,
    hint: 'Remove "roles": the output then gets all roles of the bot. For fewer roles, use another bot and join token that have only those.',
    problems,
  });
}

function lineOf({ line, message, path }: Problem): string {
  return `${path}${line === undefined ? '' : ` (line ${line})`}: ${message}`;
}

function isSupported(output: Output): output is SupportedOutput {
  return unsupported(output) === undefined;
}

/** Why `output` cannot be written, or `undefined` when it can. */
function unsupported(output: Output): string | undefined {
  if (output.type === 'kubernetes/argo-cd') return ARGO_CD;
  if (output.destination.type === 'kubernetes_secret') return KUBERNETES_SECRET;
  const key = unsupportedKey(output);
  return key === undefined ? undefined : `${key} is not supported yet by this version`;
}

function unsupportedKey(output: Output): string | undefined {
  if (output.type === 'identity' && output.delegationSessionId !== undefined) return 'delegation_session_id';
  if ('relayServer' in output && output.relayServer !== undefined) return 'relay_server';
  return undefined;
}

// What an output is called where people read of it.

/** Its own name, or else its type. */
export function outputLabel({ name, type }: SupportedOutput): string {
  return name ?? type;
}

/** What its credentials are for, in the words of the configuration; undefined for the whole cluster. */
export function outputResource(output: SupportedOutput): string | undefined {
  switch (output.type) {
    case 'identity':
      return output.cluster;
    case 'application':
      return output.appName;
    case 'database':
      return output.service;
    case 'kubernetes':
      return output.kubernetesCluster;
    case 'kubernetes/v2':
      return output.selectors.map(selectorText).join('; ');
    case 'ssh_host':
      return output.principals.join(', ');
    case 'spiffe-svid':
      return output.svid.path;
    case 'workload-identity-aws-roles-anywhere':
      return output.roleArn;
    case 'workload-identity-x509':
    case 'workload-identity-jwt':
      return selectorText(output.selector);
    default:
      return output satisfies never;
  }
}

interface LabelledSelector {
  readonly name: string | undefined;
  readonly labels: Readonly<Record<string, string | readonly string[]>>;
}

function selectorText({ labels, name }: LabelledSelector): string {
  const pairs = Object.entries(labels).map(([key, values]) => `${key}=${String(values)}`);
  return name ?? pairs.join(', ');
}
