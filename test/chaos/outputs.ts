/** The item of a tbot.yaml for each output that cases write. */
import type { Phase } from './plan.ts';
import type { TunnelPhase } from './tunnel.ts';

type OutputName = Exclude<Phase, 'discovery' | 'join' | 'auth' | 'ssh-transport' | TunnelPhase>;

const ITEMS: Readonly<Record<OutputName, string>> = {
  identity: 'type: identity',
  ssh_host: 'type: ssh_host, principals: [a.example.com]',
  kubernetes: 'type: kubernetes, kubernetes_cluster: dev',
  'kubernetes/v2': 'type: kubernetes/v2, selectors: [{ name: dev }]',
  database: 'type: database, service: orders, username: ci, database: orders',
  application: 'type: application, app_name: dashboard',
  'spiffe-svid': 'type: spiffe-svid, svid: { path: /ci/build }',
  'workload-identity-x509': 'type: workload-identity-x509, selector: { name: ci-svid }',
  'workload-identity-jwt': 'type: workload-identity-jwt, selector: { name: ci-svid }, audiences: [a]',
};

/** The output that a run of the phase writes. */
export function outputOf(phase: Phase): OutputName {
  return isOutput(phase) ? phase : 'identity';
}

function isOutput(phase: Phase): phase is OutputName {
  return phase in ITEMS;
}

export function configText(
  output: OutputName,
  { address, joinToken, path }: { readonly address: string; readonly joinToken: string; readonly path: string },
): string {
  return `version: v2
proxy_server: ${address}
onboarding: { join_method: circleci, token: ${joinToken} }
outputs:
  - { ${ITEMS[output]}, destination: { type: directory, path: ${path} } }
`;
}
