/** A role as Teleport's RoleV6 message (field numbers: api/proto/teleport/legacy/types/types.proto). */
import type { Role } from '../data/data.ts';
import type { LabelSelector } from '../data/labels.ts';
import { resourceHeader } from './resource-header.ts';

const NANOSECONDS_PER_MILLISECOND = 1_000_000;

/**
 * What the generated role of a bot allows in addition to impersonation (lib/auth/machineid/machineidv1/bot_service.go).
 */
const BOT_RULES = [{ resources: ['cert_authority'], verbs: ['readnosecrets'] }];

export function roleResource(role: Role): object {
  return {
    ...resourceHeader('role', 'v7', role.name),
    spec: {
      options: { max_session_ttl: role.maxSessionTtlMs * NANOSECONDS_PER_MILLISECOND },
      allow: conditions(role),
    },
  };
}

function conditions(role: Role): object {
  const { application, database, kubernetes, node } = role.reaches;
  return {
    logins: role.logins,
    namespaces: ['default'],
    node_labels: selector(node),
    app_labels: selector(application),
    kubernetes_labels: selector(kubernetes),
    kubernetes_groups: role.kubernetesGroups,
    kubernetes_users: role.kubernetesUsers,
    db_labels: selector(database),
    db_names: role.databaseNames,
    db_users: role.databaseUsers,
    impersonate: role.impersonates.length === 0 ? undefined : { roles: role.impersonates },
    rules: rules(role),
    spiffe: role.spiffe.map(({ pathPrefix, dnsSuffix }) => ({ path: `${pathPrefix}*`, dns_sans: [`*${dnsSuffix}`] })),
    workload_identity_labels: selector(role.workloadIdentityLabels),
  };
}

function selector(labels: LabelSelector = {}): object {
  return { values: Object.fromEntries(Object.entries(labels).map(([key, values]) => [key, { values }])) };
}

function rules({
  certifiesHosts,
  impersonates,
  readsNetworkingConfig,
  workloadIdentityLabels,
}: Role): readonly object[] {
  const usesWorkloads = Object.keys(workloadIdentityLabels).length > 0;
  return [
    ...(impersonates.length === 0 ? [] : BOT_RULES),
    ...(certifiesHosts ? [{ resources: ['host_cert'], verbs: ['create', 'list', 'read'] }] : []),
    ...(readsNetworkingConfig ? [{ resources: ['cluster_networking_config'], verbs: ['read'] }] : []),
    ...(usesWorkloads ? [{ resources: ['workload_identity'], verbs: ['list', 'read'] }] : []),
  ];
}
