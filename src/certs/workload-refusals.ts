/** Explains why the Auth Service issued no workload identity. */
import type { Refusals } from './auth-call.ts';
import { describeSelector, type WorkloadSelector } from './workload-selector.ts';

export function workloadRefusals(selector: WorkloadSelector): Refusals {
  const wanted = describeSelector(selector);
  return new Map([
    [
      'NotFound',
      {
        code: 'RESOURCE_UNKNOWN',
        message: (said) => `the cluster has no ${wanted}: ${said}`,
        hint: 'Compare the name with those of "tctl get workload_identity".',
      },
    ],
    [
      'PermissionDenied',
      {
        code: 'AUTH_DENIED',
        message: (said) => `the Auth Service refused the ${wanted}: ${said}`,
        hint: 'A role of the output must have workload_identity_labels that fit it, and a rule with the verbs read and list on workload_identity; its own rules must admit this bot.',
      },
    ],
    [
      'Unimplemented',
      {
        code: 'CLUSTER_UNSUITABLE',
        message: (said) => `this cluster issues no workload identities, as Teleport does from 17 on: ${said}`,
        hint: 'Upgrade the cluster, or use an output of the type spiffe-svid.',
      },
    ],
  ]);
}
