/** The files of the outputs for Kubernetes. */
import type { Authorities } from '../certs/authorities.ts';
import type { Identity } from '../certs/identity.ts';
import { identityFile } from './identity-file.ts';
import { authorityFile, keyFiles } from './key-files.ts';
import { kubeconfig, type KubeconfigInput } from './kubeconfig.ts';
import type { OutputFile } from './output-file.ts';

export interface KubernetesFilesInput {
  readonly identity: Identity;
  readonly authorities: Authorities;
  readonly kubeconfig: KubeconfigInput;
}

/** Of `kubernetes`, whose certificate is good for one Kubernetes cluster; in the order in which tbot writes them. */
export function kubernetesFiles(input: KubernetesFilesInput): readonly OutputFile[] {
  const { authorities, identity } = input;
  return [
    { name: 'identity', contents: identityFile(identity, authorities.host) },
    ...keyFiles(identity),
    authorityFile('teleport-host-ca.crt', authorities.host),
    authorityFile('teleport-user-ca.crt', authorities.user),
    authorityFile('teleport-database-ca.crt', authorities.database),
    kubeconfig(input.kubeconfig),
  ];
}

/** Of `kubernetes/v2`, whose contexts say in their path which Kubernetes cluster they mean. */
export function kubernetesV2Files(input: KubernetesFilesInput): readonly OutputFile[] {
  const { authorities, identity } = input;
  return [
    { name: 'identity', contents: identityFile(identity, authorities.host) },
    ...keyFiles(identity),
    kubeconfig(input.kubeconfig),
    authorityFile('teleport-host-ca.crt', authorities.host),
  ];
}
