/** What a kubeconfig needs: the address of the Proxy, the Kubernetes clusters, and the names of their contexts. */
import type { AuthApi } from '../auth/auth-api.ts';
import type { Identity } from '../auth/issue.ts';
import { keptNodeOptions } from '../effects/node-options.ts';
import { MachineIdError } from '../errors.ts';
import { oneLine } from '../net/network-error.ts';
import { withGivenAddresses } from '../teleport/given-address.ts';
import { kubeEndpoint } from '../teleport/kube-endpoint.ts';
import { contextName, type ContextTemplate } from './context-name.ts';
import { findResource, type Named, namePredicate, onceEach } from './find-resource.ts';
import type { KubeconfigInput } from './kubeconfig.ts';
import type { KubernetesSelector } from './selectors.ts';
import type { OutputLocation, OutputWork } from './work.ts';

/** What both output types for Kubernetes have. */
interface KubernetesOutput {
  readonly path: string;
  readonly execPlugin: boolean;
  readonly contextNameTemplate: ContextTemplate;
}

type KubeAccess = Pick<KubeconfigInput, 'endpoint' | 'hostAuthorities' | 'credentials'>;

/** @throws MachineIdError CLUSTER_UNSUPPORTED, or if no Proxy can be asked */
export async function kubeAccess(
  output: KubernetesOutput,
  { run, joined, session }: OutputWork,
  { identity, location }: { readonly identity: Identity; readonly location: OutputLocation },
): Promise<KubeAccess> {
  const { world, plan } = run;
  const proxy = await joined.proxy();
  const endpoint = kubeEndpoint(withGivenAddresses(proxy, plan)) ?? noEndpoint(output.path);
  const { host } = await session.authorities;
  const { directory } = location;
  return {
    endpoint,
    hostAuthorities: host.filter(({ clusterName }) => clusterName === joined.cluster.clusterName),
    credentials:
      output.execPlugin && directory !== undefined
        ? {
            kind: 'exec',
            command: world.nodePath,
            args: [world.bundlePath, 'kube-credentials', `--destination-dir=${directory}`],
            nodeOptions: keptNodeOptions(world.environment.NODE_OPTIONS),
          }
        : { kind: 'inline', identity },
  };
}

/**
 * The names of the contexts, in the order of the clusters.
 * @throws MachineIdError RESOURCE_UNKNOWN when two would have one name, or a label of the template is missing
 */
export function contextNames(
  { contextNameTemplate, path }: Pick<KubernetesOutput, 'contextNameTemplate' | 'path'>,
  clusterName: string,
  clusters: readonly Named[],
): readonly string[] {
  const location = `${path}.context_name_template`;
  const names = clusters.map(({ name: kubeName, labels }) => {
    const context = contextName(contextNameTemplate, { clusterName, kubeName, labels });
    return 'name' in context ? context.name : missingLabel(location, kubeName, context.missingLabel);
  });
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice === undefined) return names;
  throw new MachineIdError(
    'RESOURCE_UNKNOWN',
    `${location}: more than one context would have the name ${JSON.stringify(oneLine(twice))}`,
    { hint: 'Use {{.KubeName}} in the template; it differs for each Kubernetes cluster.' },
  );
}

function missingLabel(location: string, kubeName: string, label: string): never {
  throw new MachineIdError(
    'RESOURCE_UNKNOWN',
    `${location}: Kubernetes cluster "${oneLine(kubeName)}" has no label "${label}"`,
    { hint: 'Use a label that every selected cluster has, or select by that label too.' },
  );
}

function noEndpoint(path: string): never {
  throw new MachineIdError('CLUSTER_UNSUPPORTED', `${path}: the Proxy reports no address for Kubernetes`, {
    hint: 'Turn on TLS routing (proxy_listener_mode: multiplex), or set kube_listen_addr of the Proxy.',
  });
}

// Lookup of Kubernetes clusters that the roles of an output allow it to see.

type Lister = Pick<AuthApi, 'listResources'>;

export interface SelectedCluster extends Named {
  readonly namespace: string | undefined;
}

interface Selection {
  /** Each cluster once, with the namespace of the first selector that matches it. */
  readonly clusters: readonly SelectedCluster[];
  /** Sentences about selectors that match nothing. */
  readonly warnings: readonly string[];
}

/**
 * @param location as in `outputs[0].kubernetes_cluster`
 * @throws MachineIdError RESOURCE_UNKNOWN
 */
export async function findKubeCluster(api: Lister, name: string, location: string): Promise<Named> {
  const hint =
    'Compare the name with "tctl get kube_server", and kubernetes_labels of the roles with the labels of the cluster.';
  return findResource(await list(api, namePredicate(name)), { name, kind: 'Kubernetes cluster', location, hint });
}

/**
 * In the order of the selectors, those of one selector sorted by name. A name must match a cluster. Labels need not, if
 * another selector matches: with no match at all, tbot writes a kubeconfig without clusters, which no step can use.
 * @param location as in `outputs[0]`
 * @throws MachineIdError RESOURCE_UNKNOWN
 */
export async function selectKubeClusters(
  api: Lister,
  selectors: readonly KubernetesSelector[],
  location: string,
): Promise<Selection> {
  const selections = await Promise.all(
    selectors.map((selector, at) => select(api, selector, `${location}.selectors[${at}]`)),
  );
  const clusters = onceEach(selections.flatMap((one) => one.clusters));
  const warnings = selections.flatMap((one) => one.warnings);
  if (clusters.length === 0) throw nothingSelected(warnings, selectors, location);
  return { clusters, warnings };
}

async function select(api: Lister, selector: KubernetesSelector, location: string): Promise<Selection> {
  const { defaultNamespace: namespace, labels, name } = selector;
  if (name !== undefined) {
    const cluster = await findKubeCluster(api, name, `${location}.name`);
    return { clusters: [{ ...cluster, namespace }], warnings: [] };
  }
  const found = (await list(api, '', labels)).map((cluster) => ({ ...cluster, namespace }));
  const wanted = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return {
    clusters: found.sort((one, other) => (one.name < other.name ? -1 : 1)),
    warnings:
      found.length > 0 ? [] : [`${location}: no Kubernetes cluster that the output may use has ${wanted.join(', ')}`],
  };
}

function nothingSelected(
  warnings: readonly string[],
  selectors: readonly KubernetesSelector[],
  location: string,
): MachineIdError {
  const [message = `${location}: no Kubernetes cluster matches`, ...lines] = warnings;
  const wildcard = selectors.some(({ labels }) => JSON.stringify(labels).includes('*'));
  return new MachineIdError('RESOURCE_UNKNOWN', message, {
    lines,
    hint: `${wildcard ? 'Labels are compared literally, so that "*" is not a wildcard: write labels that the clusters have. ' : ''}Compare the labels with "tctl get kube_server", and kubernetes_labels of the roles with the labels of the clusters.`,
  });
}

async function list(api: Lister, predicate: string, labels: Readonly<Record<string, string>> = {}): Promise<Named[]> {
  const servers = await api.listResources({ resourceType: 'kube_server', predicate, labels });
  return servers.flatMap(({ resource }) => {
    const metadata = resource.case === 'kubernetesServer' ? resource.value.spec?.cluster?.metadata : undefined;
    return metadata === undefined ? [] : [{ name: metadata.name, labels: metadata.labels }];
  });
}
