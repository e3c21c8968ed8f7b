/** What an output is called where people read of it. */
import type { SupportedOutput } from '../config/supported.ts';

/** Its own name, or else its type. */
export function outputLabel({ name, type }: SupportedOutput): string {
  return name ?? type;
}

/** What its credentials are for, in the words of the configuration; undefined for the whole cluster. */
export function outputResource(output: SupportedOutput): string | undefined {
  switch (output.type) {
    case 'identity':
      return output.cluster;
    case 'application':
      return output.appName;
    case 'database':
      return output.service;
    case 'kubernetes':
      return output.kubernetesCluster;
    case 'kubernetes/v2':
      return output.selectors.map(selectorText).join('; ');
    case 'ssh_host':
      return output.principals.join(', ');
    case 'spiffe-svid':
      return output.svid.path;
    case 'workload-identity-aws-roles-anywhere':
      return output.roleArn;
    case 'workload-identity-x509':
    case 'workload-identity-jwt':
      return selectorText(output.selector);
    default:
      return output satisfies never;
  }
}

interface Selector {
  readonly name: string | undefined;
  readonly labels: Readonly<Record<string, string | readonly string[]>>;
}

function selectorText({ labels, name }: Selector): string {
  const pairs = Object.entries(labels).map(([key, values]) => `${key}=${String(values)}`);
  return name ?? pairs.join(', ');
}
