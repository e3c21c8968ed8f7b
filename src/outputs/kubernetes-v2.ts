/** The output type `kubernetes/v2`: one certificate for several Kubernetes clusters, with a context for each. */
import { MachineIdError } from '../errors.ts';
import type { OutputFile } from '../files/destination.ts';
import { documentation, joined, key, keys, type ValuesOf } from '../schema/keys.ts';
import { AUTHORITY_FILES, IDENTITY_FILES, KUBECONFIG_FILES } from './file-list.ts';
import { authorityFile, type BaseFilesInput, identityAndKeyFiles } from './identity-files.ts';
import type { WrittenOutput } from './result.ts';
import { contextNames, kubeAccess, type SelectedCluster, selectKubeClusters } from './kube-access.ts';
import { kubeClusterPath, kubeconfig, type KubeconfigInput, readKubeconfig, requireClusters } from './kubeconfig.ts';
import { KUBECONFIG_KEYS } from './kubeconfig-keys.ts';
import type { OutputOf } from './output.ts';
import { outputType } from './output-type.ts';
import { readIdentity } from './read-back.ts';
import { type KubernetesSelector, kubernetesSelectors, selectorText, writeKubernetesSelector } from './selectors.ts';
import { finishOutput, outputLocation, type OutputWork, withOwnSession } from './work.ts';

const kubernetesV2Keys = joined(
  keys({
    selectors: key(
      'selectors',
      kubernetesSelectors,
      documentation('Which Kubernetes clusters, each by `name` or by `labels`.'),
      {
        write: (selectors: readonly KubernetesSelector[]) => selectors.map(writeKubernetesSelector),
      },
    ),
  }),
  KUBECONFIG_KEYS,
);

type KubernetesV2 = OutputOf<'kubernetes/v2', ValuesOf<typeof kubernetesV2Keys>>;

export const kubernetesV2 = outputType('kubernetes/v2', {
  help: documentation(
    'A kubeconfig with a context for each Kubernetes cluster that matches a selector. Requires Teleport 17.',
  ),
  keys: kubernetesV2Keys,
  takesRoles: false,
  resource: ({ selectors }) => selectors.map(selectorText).join('; '),
  use: () => ({ kind: 'kubernetes' }),
  produce,
  files: [
    ...IDENTITY_FILES,
    ...KUBECONFIG_FILES,
    ...AUTHORITY_FILES.filter(({ name }) => name === 'teleport-host-ca.crt'),
  ],
  readBack: async (_output, files) => {
    requireClusters(files);
    return { ...readIdentity(files).credentials, kubeconfig: await readKubeconfig(files) };
  },
});

/** The first Proxy that distinguishes Kubernetes clusters by the path of a request. */
const FIRST_MAJOR_WITH_PATHS = 17;

async function produce(output: KubernetesV2, work: OutputWork): Promise<WrittenOutput> {
  const { run, session } = work;
  requirePaths(output, work);
  return withOwnSession(output, work, async ({ api, issued }) => {
    const { clusters, warnings } = await selectKubeClusters(api, output.selectors, output.path);
    for (const warning of warnings) run.journal.warn(warning);
    const names = clusters.map(({ name }) => name).join(', ');
    run.journal.outputDone('certificates', `certificates for ${output.path}: Kubernetes clusters ${names || '(none)'}`);
    const location = outputLocation(output.destination, run);
    const { identity } = issued;
    const access = await kubeAccess(output, work, { identity, location });
    const { clusterName } = work.joined.cluster;
    const contexts = contextsOf(output, clusterName, clusters);
    const user = userName(output, work);
    const files = await kubernetesV2Files({
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

/** As in tbot for the first output. Others differ: kubectl merges the files and keeps the first user of a name. */
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
    `${path}: ${type} needs Teleport ${FIRST_MAJOR_WITH_PATHS} or later, but the cluster runs ${serverVersion.text}`,
    { hint: 'Write one output of type "kubernetes" for each Kubernetes cluster.' },
  );
}

interface KubernetesV2FilesInput extends BaseFilesInput {
  /** The path of each context says which Kubernetes cluster it means. */
  readonly kubeconfig: KubeconfigInput;
}

/** In the order in which tbot writes them. */
export async function kubernetesV2Files(input: KubernetesV2FilesInput): Promise<readonly OutputFile[]> {
  return [
    ...identityAndKeyFiles(input),
    await kubeconfig(input.kubeconfig),
    authorityFile('teleport-host-ca.crt', input.authorities.host),
  ];
}
