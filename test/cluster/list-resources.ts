/** ListResources: what the caller's roles let it see, a page at a time. */
import { z } from 'zod';
import { callerOf } from './caller.ts';
import type { Call } from './grpc.ts';
import { parsePredicate } from './predicate.ts';
import type { Application, Database, KubernetesCluster } from './resources-data.ts';
import { badParameter } from './teleport-errors.ts';
import type { World } from './world.ts';

const Request = z.object({
  resource_type: z.string(),
  namespace: z.string(),
  limit: z.number(),
  start_key: z.string(),
  labels: z.record(z.string(), z.string()),
  predicate_expression: z.string(),
});

interface Listed {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly roles: readonly string[];
  readonly agents: number;
  /** As one of its agents is listed. */
  readonly toMessage: (agent: string) => object;
}

export function listResources(world: World, message: unknown, call: Call): object {
  const request = Request.parse(message);
  Object.assign(call.record.fields, {
    resourceType: request.resource_type,
    predicate: request.predicate_expression,
    labels: request.labels,
    startKey: request.start_key,
  });
  const all = resourcesOf(world, request.resource_type);
  if (request.limit <= 0) {
    throw badParameter('nonpositive parameter limit');
  }
  const { roles } = callerOf(call);
  const matches = parsePredicate(request.predicate_expression);
  const servers = all
    .filter((resource) => resource.roles.some((role) => roles.includes(role)))
    .filter(({ labels }) => Object.entries(request.labels).every(([key, value]) => labels[key] === value))
    .filter(matches)
    .flatMap(serversOf);
  return page(servers, request.start_key, request.limit);
}

interface Server {
  readonly key: string;
  readonly resource: object;
}

function serversOf({ agents, name, toMessage }: Listed): Server[] {
  return Array.from({ length: agents }, (_, at) => {
    const agent = `agent-${String(at + 1)}`;
    return { key: `${agent}/${name}`, resource: toMessage(agent) };
  });
}

/** In the order of the keys; the key of the next page is that of its first server. */
function page(servers: readonly Server[], startKey: string, limit: number): object {
  const sorted = servers.toSorted((a, b) => (a.key < b.key ? -1 : 1)).filter(({ key }) => key >= startKey);
  return {
    resources: sorted.slice(0, limit).map(({ resource }) => resource),
    next_key: sorted[limit]?.key ?? '',
  };
}

function resourcesOf({ resources }: World, type: string): readonly Listed[] {
  switch (type) {
    case 'kube_server':
      return resources.kubernetesClusters.map((one) => ({
        ...one,
        toMessage: (agent) => kubernetesServer(one, agent),
      }));
    case 'db_server':
      return resources.databases.map((one) => ({ ...one, toMessage: (agent) => databaseServer(one, agent) }));
    case 'app_server':
      return resources.applications.map((one) => ({ ...one, toMessage: (agent) => appServer(one, agent) }));
    default:
      throw badParameter(`resource type ${type} is not supported for pagination`);
  }
}

function kubernetesServer({ name, labels }: KubernetesCluster, agent: string): object {
  const cluster = { kind: 'kube_cluster', version: 'v3', metadata: { name, labels } };
  return {
    kubernetes_server: {
      kind: 'kube_server',
      version: 'v3',
      metadata: { name },
      spec: { hostname: agent, host_id: agent, cluster },
    },
  };
}

function databaseServer({ name, labels, protocol, uri }: Database, agent: string): object {
  const database = { kind: 'db', version: 'v3', metadata: { name, labels }, spec: { protocol, uri } };
  return {
    database_server: {
      kind: 'db_server',
      version: 'v3',
      metadata: { name: `${name}-${agent}` },
      spec: { database },
    },
  };
}

function appServer({ name, labels, uri, publicAddress }: Application, agent: string): object {
  const app = { kind: 'app', version: 'v3', metadata: { name, labels }, spec: { uri, public_addr: publicAddress } };
  return {
    app_server: { kind: 'app_server', version: 'v3', metadata: { name: `${name}-${agent}` }, spec: { app } },
  };
}
