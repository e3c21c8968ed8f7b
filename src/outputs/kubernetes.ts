/** Produces a `kubernetes` output: a certificate for one Kubernetes cluster, in a kubeconfig. */
import { MachineIdError } from '../errors.ts';
import type { OutputFile } from '../files/destination.ts';
import { settingPlace } from './find-resource.ts';
import { authorityFile, authorityFiles, type BaseFilesInput, identityAndKeyFiles } from './identity-files.ts';
import type { WrittenOutput } from './journal.ts';
import { contextNames, findKubeCluster, kubeAccess, type SelectedCluster, selectKubeClusters } from './kube-access.ts';
import { kubeClusterPath, kubeconfig, type KubeconfigInput } from './kubeconfig.ts';
import type { Supported } from './output.ts';
import { finishOutput, outputLocation, type OutputWork, requestIdentity, withOwnSession } from './work.ts';

/** @throws MachineIdError as asking, checking and writing do */
export async function produceKubernetes(output: Supported<'kubernetes'>, work: OutputWork): Promise<WrittenOutput> {
  const { run, session, joined } = work;
  const { destination, kubernetesCluster, path } = output;
  const cluster = await withOwnSession(output, work, ({ api }) =>
    findKubeCluster(api, kubernetesCluster, settingPlace(path, 'kubernetes_cluster')),
  );
  const route = { kind: 'kubernetes', kubernetesCluster: cluster.name } as const;
  const issued = await requestIdentity(output, work, { keyPair: await work.keys.routed, route });
  run.progress.done('certificates', `certificates for ${path}: Kubernetes cluster ${cluster.name}`);
  const location = outputLocation(destination, run);
  const { identity } = issued;
  const access = await kubeAccess(output, work, { identity, location });
  const [name = ''] = contextNames(output, joined.cluster.clusterName, [cluster]);
  const files = kubernetesFiles({
    identity,
    authorities: await session.authorities,
    kubeconfig: { ...access, userName: name, contexts: [{ name, path: '', namespace: undefined }] },
  });
  return finishOutput(output, work, { issued, location, files, kubeconfig: { contexts: [name], user: name } });
}

// Produces a `kubernetes/v2` output: one certificate for many Kubernetes clusters, and a kubeconfig with a context
// each.

type KubernetesV2 = Supported<'kubernetes/v2'>;

/** The first Proxy that tells Kubernetes clusters apart by the path of a request. */
const FIRST_MAJOR_WITH_PATHS = 17;

/** @throws MachineIdError as asking, checking and writing do */
export async function produceKubernetesV2(output: KubernetesV2, work: OutputWork): Promise<WrittenOutput> {
  const { run, session } = work;
  requirePaths(output, work);
  return withOwnSession(output, work, async ({ api, issued }) => {
    const { clusters, warnings } = await selectKubeClusters(api, output.selectors, output.path);
    for (const warning of warnings) run.log.warn(warning);
    const names = clusters.map(({ name }) => name).join(', ');
    run.progress.done('certificates', `certificates for ${output.path}: Kubernetes clusters ${names || '(none)'}`);
    const location = outputLocation(output.destination, run);
    const { identity } = issued;
    const access = await kubeAccess(output, work, { identity, location });
    const { clusterName } = work.joined.cluster;
    const contexts = contextsOf(output, clusterName, clusters);
    const user = userName(output, work);
    const files = kubernetesV2Files({
      identity,
      authorities: await session.authorities,
      kubeconfig: { ...access, userName: user, contexts },
    });
    return finishOutput(output, work, {
      issued,
      location,
      files,
      kubeconfig: { contexts: contexts.map(({ name }) => name), user },
    });
  });
}

/** tbot's name for the first; kubectl, to which all are given together, would use the first one's user for the others too. */
function userName({ path, type }: KubernetesV2, { joined, run }: OutputWork): string {
  const { clusterName } = joined.cluster;
  const at = run.outputs.filter((other) => other.type === type).findIndex((other) => other.path === path);
  return at <= 0 ? clusterName : `${clusterName}-${at + 1}`;
}

function contextsOf(output: KubernetesV2, clusterName: string, clusters: readonly SelectedCluster[]) {
  const names = contextNames(output, clusterName, clusters);
  return clusters.map(({ name: kubeName, namespace }, at) => ({
    name: names[at] ?? kubeName,
    path: kubeClusterPath(clusterName, kubeName),
    namespace,
  }));
}

function requirePaths({ path, type }: KubernetesV2, { joined }: OutputWork): void {
  const { serverVersion } = joined.cluster;
  if (serverVersion.major >= FIRST_MAJOR_WITH_PATHS) return;
  throw new MachineIdError(
    'CLUSTER_UNSUPPORTED',
    `${path}: ${type} needs Teleport ${FIRST_MAJOR_WITH_PATHS} or later, and the cluster has ${serverVersion.text}`,
    { hint: 'Write one output of type "kubernetes" for each Kubernetes cluster.' },
  );
}

// The files of the outputs for Kubernetes.

interface KubernetesFilesInput extends BaseFilesInput {
  readonly kubeconfig: KubeconfigInput;
}

/** Of `kubernetes`, whose certificate is good for one Kubernetes cluster; in the order in which tbot writes them. */
export function kubernetesFiles(input: KubernetesFilesInput): readonly OutputFile[] {
  return [...identityAndKeyFiles(input), ...authorityFiles(input.authorities), kubeconfig(input.kubeconfig)];
}

/** Of `kubernetes/v2`, whose contexts say in their path which Kubernetes cluster they mean. */
export function kubernetesV2Files(input: KubernetesFilesInput): readonly OutputFile[] {
  return [
    ...identityAndKeyFiles(input),
    kubeconfig(input.kubeconfig),
    authorityFile('teleport-host-ca.crt', input.authorities.host),
  ];
}
