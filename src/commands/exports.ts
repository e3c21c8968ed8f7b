/** The variables that a run hands on to later steps: paths and names only. */
import { join } from 'node:path';
import { utcTime } from '../crypto/validity.ts';
import type { RunResult } from '../produce/result.ts';

/** tctl takes a Proxy's address as `TELEPORT_AUTH_SERVER` too. The first output on disk is the one that is named. */
export function exportedVariables({ proxy, cluster, outputs }: RunResult): ReadonlyMap<string, string> {
  const variables = new Map([
    ['TELEPORT_PROXY', proxy],
    ['TELEPORT_AUTH_SERVER', proxy],
    ['TELEPORT_CLUSTER', cluster],
  ]);
  const first = outputs.find(({ files }) => files.includes('identity'));
  if (first !== undefined) {
    variables.set('TELEPORT_IDENTITY_FILE', join(first.destination, 'identity'));
    variables.set('MACHINE_ID_DESTINATION', first.destination);
    variables.set('MACHINE_ID_EXPIRES_AT', utcTime(first.expiresAtMs));
  }
  return variables;
}
