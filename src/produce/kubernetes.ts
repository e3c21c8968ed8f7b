/** Produces a `kubernetes` output: a certificate for one Kubernetes cluster, in a kubeconfig. */
import type { Supported } from '../config/supported.ts';
import { kubernetesFiles } from '../outputs/kubernetes.ts';
import { contextNames, kubeAccess } from './kube-access.ts';
import { findKubeCluster } from './kube-clusters.ts';
import { settingPlace } from './find-resource.ts';
import { withOwnSession } from './own-session.ts';
import { placeOf } from './place.ts';
import type { WrittenOutput } from './result.ts';
import { askForIdentity, finishOutput, type OutputWork } from './work.ts';

/** @throws MachineIdError as asking, checking and writing do */
export async function produceKubernetes(output: Supported<'kubernetes'>, work: OutputWork): Promise<WrittenOutput> {
  const { run, session, joined } = work;
  const { destination, kubernetesCluster, path } = output;
  const cluster = await withOwnSession(output, work, ({ api }) =>
    findKubeCluster(api, kubernetesCluster, settingPlace(path, 'kubernetes_cluster')),
  );
  const route = { kind: 'kubernetes', kubernetesCluster: cluster.name } as const;
  const issued = await askForIdentity(output, work, { keyPair: await work.keys.routed, route });
  run.progress.done('certificates', `certificates for ${path}: Kubernetes cluster ${cluster.name}`);
  const place = placeOf(destination, run);
  const { identity } = issued;
  const access = await kubeAccess(output, work, { identity, place });
  const [name = ''] = contextNames(output, joined.cluster.clusterName, [cluster]);
  const files = kubernetesFiles({
    identity,
    authorities: await session.authorities,
    kubeconfig: { ...access, userName: name, contexts: [{ name, path: '', namespace: undefined }] },
  });
  return finishOutput(output, work, { issued, place, files, kubeconfig: { contexts: [name], user: name } });
}
