/** What the kubeconfig of an output says besides its contexts: where the Proxy is, and how to come by the certificate. */
import type { Supported } from '../config/supported.ts';
import { keptNodeOptions } from '../effects/node-options.ts';
import { MachineIdError } from '../errors.ts';
import type { Identity } from '../certs/identity.ts';
import type { KubeconfigInput } from '../outputs/kubeconfig.ts';
import { contextName } from '../outputs/context-name.ts';
import { oneLine } from '../teleport/trace-error.ts';
import { kubeEndpoint } from '../teleport/kube-endpoint.ts';
import type { Named } from './find-resource.ts';
import type { Place } from './place.ts';
import type { OutputWork } from './work.ts';

type KubernetesOutput = Supported<'kubernetes' | 'kubernetes/v2'>;
type KubeAccess = Pick<KubeconfigInput, 'endpoint' | 'hostAuthorities' | 'credentials'>;

/** @throws MachineIdError CLUSTER_UNSUITABLE */
export async function kubeAccess(
  output: KubernetesOutput,
  { run, joined, session }: OutputWork,
  { identity, place }: { readonly identity: Identity; readonly place: Place },
): Promise<KubeAccess> {
  const { world, plan } = run;
  const { cluster } = joined;
  const webAddress = plan.useProxyAddr ? plan.address : cluster.webAddress;
  const endpoint = kubeEndpoint({ ...cluster, webAddress }) ?? noEndpoint(output.path);
  const { host } = await session.authorities;
  const { directory } = place;
  return {
    endpoint,
    hostAuthorities: host.filter(({ clusterName }) => clusterName === cluster.clusterName),
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
  const place = `${path}.context_name_template`;
  const names = clusters.map(({ name: kubeName, labels }) => {
    const context = contextName(contextNameTemplate, { clusterName, kubeName, labels });
    return 'name' in context ? context.name : missingLabel(place, kubeName, context.missingLabel);
  });
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice === undefined) return names;
  throw new MachineIdError(
    'RESOURCE_UNKNOWN',
    `${place}: more than one context would have the name ${JSON.stringify(oneLine(twice))}`,
    { hint: 'Let the template hold {{.KubeName}}, which is another one for each Kubernetes cluster.' },
  );
}

function missingLabel(place: string, kubeName: string, label: string): never {
  throw new MachineIdError(
    'RESOURCE_UNKNOWN',
    `${place}: Kubernetes cluster "${oneLine(kubeName)}" has no label "${label}"`,
    { hint: 'Take a label that every selected cluster has, or select by that label too.' },
  );
}

function noEndpoint(path: string): never {
  throw new MachineIdError('CLUSTER_UNSUITABLE', `${path}: the Proxy does not say where Kubernetes is reached`, {
    hint: 'Switch TLS routing on (proxy_listener_mode: multiplex), or give the Proxy a kube_listen_addr.',
  });
}
