/** The output type `kubernetes`: a certificate for one Kubernetes cluster, in a kubeconfig. */
import type { OutputFile } from '../files/destination.ts';
import { resourceName } from '../schema/common.ts';
import { documentation, joined, key, keys, type ValuesOf } from '../schema/keys.ts';
import { AUTHORITY_FILES, IDENTITY_FILES, KUBECONFIG_FILES } from './file-list.ts';
import { settingPlace } from './find-resource.ts';
import { authorityFiles, type BaseFilesInput, identityAndKeyFiles } from './identity-files.ts';
import type { WrittenOutput } from './result.ts';
import { contextNames, findKubeCluster, kubeAccess } from './kube-access.ts';
import { kubeconfig, type KubeconfigInput, readKubeconfig } from './kubeconfig.ts';
import { KUBECONFIG_KEYS } from './kubeconfig-keys.ts';
import type { OutputOf } from './output.ts';
import { outputType } from './output-type.ts';
import { fileFailure, readIdentity } from './read-back.ts';
import { finishOutput, outputLocation, type OutputWork, requestIdentity, withLookupSession } from './work.ts';

const ADVICE =
  'write the full name, or select by labels: "type: kubernetes/v2" and "selectors: [{labels: {KEY: VALUE}}]"';

const kubernetesKeys = joined(
  keys({
    kubernetesCluster: key(
      'kubernetes_cluster',
      resourceName('kubernetes_cluster must not be empty', ADVICE),
      documentation('Name of the Kubernetes cluster in Teleport.'),
    ),
  }),
  KUBECONFIG_KEYS,
);

type KubernetesOutput = OutputOf<'kubernetes', ValuesOf<typeof kubernetesKeys>>;

export const kubernetes = outputType('kubernetes', {
  help: documentation('A kubeconfig for one Kubernetes cluster.'),
  keys: kubernetesKeys,
  resource: ({ kubernetesCluster }) => kubernetesCluster,
  use: () => ({ kind: 'kubernetes' }),
  routedKey: 'suite',
  produce,
  files: [...IDENTITY_FILES, ...AUTHORITY_FILES, ...KUBECONFIG_FILES],
  readBack: async (_output, files) => {
    const { credentials, route } = readIdentity(files);
    const names = await readKubeconfig(files);
    if (route?.kind !== 'kubernetes') throw fileFailure('tlscert', 'is for no Kubernetes cluster');
    return { ...credentials, kubeconfig: names };
  },
});

async function produce(output: KubernetesOutput, work: OutputWork): Promise<WrittenOutput> {
  const { run, session, joined } = work;
  const { destination, kubernetesCluster, path } = output;
  const cluster = await withLookupSession(output, work, ({ api }) =>
    findKubeCluster(api, kubernetesCluster, settingPlace(path, 'kubernetes_cluster')),
  );
  const route = { kind: 'kubernetes', kubernetesCluster: cluster.name } as const;
  const issued = await requestIdentity(output, work, { keyPair: await work.keys.routed, route });
  run.journal.outputDone('certificates', `certificates for ${path}: Kubernetes cluster ${cluster.name}`);
  const location = outputLocation(destination, run);
  const { identity } = issued;
  const access = await kubeAccess(output, work, { identity, location });
  const [name = ''] = contextNames(output, joined.cluster.clusterName, [cluster]);
  const files = await kubernetesFiles({
    identity,
    authorities: await session.authorities,
    kubeconfig: { ...access, userName: name, contexts: [{ name, path: '', namespace: undefined }] },
  });
  return finishOutput(output, work, { issued, location, files, kubeconfig: { contexts: [name], user: name } });
}

interface KubernetesFilesInput extends BaseFilesInput {
  readonly kubeconfig: KubeconfigInput;
}

/** In the order in which tbot writes them. */
export async function kubernetesFiles(input: KubernetesFilesInput): Promise<readonly OutputFile[]> {
  return [...identityAndKeyFiles(input), ...authorityFiles(input.authorities), await kubeconfig(input.kubeconfig)];
}
