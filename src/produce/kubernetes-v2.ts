/** Produces a `kubernetes/v2` output: one certificate for many Kubernetes clusters, and a kubeconfig with a context each. */
import type { Supported } from '../config/supported.ts';
import { MachineIdError } from '../errors.ts';
import { kubeClusterPath } from '../outputs/kubeconfig.ts';
import { kubernetesV2Files } from '../outputs/kubernetes.ts';
import { contextNames, kubeAccess } from './kube-access.ts';
import { type SelectedCluster, selectKubeClusters } from './kube-clusters.ts';
import { withOwnSession } from './own-session.ts';
import { placeOf } from './place.ts';
import type { WrittenOutput } from './result.ts';
import { finishOutput, type OutputWork } from './work.ts';

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
    const place = placeOf(output.destination, run);
    const { identity } = issued;
    const access = await kubeAccess(output, work, { identity, place });
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
      place,
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
    'CLUSTER_UNSUITABLE',
    `${path}: ${type} needs Teleport ${FIRST_MAJOR_WITH_PATHS} or later, and the cluster has ${serverVersion.text}`,
    { hint: 'Write one output of type "kubernetes" for each Kubernetes cluster.' },
  );
}
