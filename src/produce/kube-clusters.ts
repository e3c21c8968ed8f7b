/** Looks Kubernetes clusters up, as far as the roles of an output let them be seen. */
import type { AuthApi } from '../certs/auth-api.ts';
import type { KubernetesSelector } from '../config/output.ts';
import { MachineIdError } from '../errors.ts';
import { findResource, type Named, namePredicate, onceEach } from './find-resource.ts';

type Lister = Pick<AuthApi, 'listResources'>;

export interface SelectedCluster extends Named {
  readonly namespace: string | undefined;
}

export interface Selection {
  /** Each cluster once, as the first selector that fits it says. */
  readonly clusters: readonly SelectedCluster[];
  /** Sentences about selectors that fit nothing. */
  readonly warnings: readonly string[];
}

/**
 * @param place as in `outputs[0].kubernetes_cluster`
 * @throws MachineIdError RESOURCE_UNKNOWN
 */
export async function findKubeCluster(api: Lister, name: string, place: string): Promise<Named> {
  const hint =
    'Compare the name with "tctl get kube_server", and kubernetes_labels of the roles with the labels of the cluster.';
  return findResource(await list(api, namePredicate(name)), { name, kind: 'Kubernetes cluster', place, hint });
}

/**
 * In the order of the selectors, those of one selector by their names. A name must fit a cluster, labels need not as
 * long as something else does: tbot writes a kubeconfig without a cluster then, which no step can use.
 * @param place as in `outputs[0]`
 * @throws MachineIdError RESOURCE_UNKNOWN
 */
export async function selectKubeClusters(
  api: Lister,
  selectors: readonly KubernetesSelector[],
  place: string,
): Promise<Selection> {
  const selections = await Promise.all(
    selectors.map((selector, at) => select(api, selector, `${place}.selectors[${at}]`)),
  );
  const clusters = onceEach(selections.flatMap((one) => one.clusters));
  const warnings = selections.flatMap((one) => one.warnings);
  if (clusters.length === 0) throw nothingSelected(warnings, selectors, place);
  return { clusters, warnings };
}

async function select(api: Lister, selector: KubernetesSelector, place: string): Promise<Selection> {
  const { defaultNamespace: namespace, labels, name } = selector;
  if (name !== undefined) {
    const cluster = await findKubeCluster(api, name, `${place}.name`);
    return { clusters: [{ ...cluster, namespace }], warnings: [] };
  }
  const found = (await list(api, '', labels)).map((cluster) => ({ ...cluster, namespace }));
  const wanted = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return {
    clusters: found.sort((one, other) => (one.name < other.name ? -1 : 1)),
    warnings:
      found.length > 0 ? [] : [`${place}: no Kubernetes cluster that the output may use has ${wanted.join(', ')}`],
  };
}

function nothingSelected(
  warnings: readonly string[],
  selectors: readonly KubernetesSelector[],
  place: string,
): MachineIdError {
  const [message = `${place}: no Kubernetes cluster fits`, ...lines] = warnings;
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
