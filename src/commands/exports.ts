/** The variables that a run hands on to later steps: paths and names only. */
import { join } from 'node:path';
import { utcTime } from '../crypto/validity.ts';
import type { RunResult } from '../produce/result.ts';

/**
 * tctl takes a Proxy's address as `TELEPORT_AUTH_SERVER` too. Of several outputs on disk the first is named, an
 * `identity` before others, whose certificates are good for less.
 */
export function exportedVariables({ proxy, cluster, outputs }: RunResult): ReadonlyMap<string, string> {
  const variables = new Map([
    ['TELEPORT_PROXY', proxy],
    ['TELEPORT_AUTH_SERVER', proxy],
    ['TELEPORT_CLUSTER', cluster],
  ]);
  const identities = outputs.filter(({ files }) => files.includes('identity'));
  const first = identities.find(({ type }) => type === 'identity') ?? identities[0];
  if (first !== undefined) {
    const identityFile = join(first.destination, 'identity');
    variables.set('TELEPORT_IDENTITY_FILE', identityFile);
    variables.set('TF_TELEPORT_ADDR', proxy);
    variables.set('TF_TELEPORT_IDENTITY_FILE_PATH', identityFile);
    variables.set('MACHINE_ID_DESTINATION', first.destination);
    variables.set('MACHINE_ID_EXPIRES_AT', utcTime(first.expiresAtMs));
  }
  const kubeconfig = outputs.find(({ files }) => files.includes('kubeconfig.yaml'));
  if (kubeconfig !== undefined) variables.set('KUBECONFIG', join(kubeconfig.destination, 'kubeconfig.yaml'));
  return variables;
}
