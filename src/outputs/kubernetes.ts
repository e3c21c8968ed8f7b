/** The files of the outputs for Kubernetes. */
import { authorityFiles, type BaseFilesInput, identityAndKeyFiles } from './base-files.ts';
import { authorityFile } from './key-files.ts';
import { kubeconfig, type KubeconfigInput } from './kubeconfig.ts';
import type { OutputFile } from './output-file.ts';

export interface KubernetesFilesInput extends BaseFilesInput {
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
