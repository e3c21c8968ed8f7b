/** ListResources: what the caller's roles let it see, filtered, sorted and a page at a time. */
import { z } from 'zod';
import { callerOf } from './caller.ts';
import type { Call } from './grpc.ts';
import type { Labels, Reachable } from './labels.ts';
import { parsePredicate } from './predicate.ts';
import { resourceHeader } from './resource-header.ts';
import type { Application, Database, KubernetesCluster } from './resources-data.ts';
import { badParameter, TeleportError } from './teleport-errors.ts';
import { mayReach, type World } from './world.ts';

const Request = z.object({
  resource_type: z.string(),
  namespace: z.string(),
  limit: z.number(),
  start_key: z.string(),
  labels: z.record(z.string(), z.string()),
  predicate_expression: z.string(),
  search_keywords: z.array(z.string()),
  sort_by: z.object({ is_desc: z.boolean(), field: z.string() }).nullable(),
  need_total_count: z.boolean(),
});

type ListRequest = z.infer<typeof Request>;

/** By what each type may be sorted (`SortByCustom` of api/types). */
const SORTABLE: Readonly<Record<string, readonly string[]>> = {
  kube_server: ['name', 'description'],
  kube_cluster: ['name', 'description'],
  db_server: ['name', 'description', 'type'],
  app_server: ['name', 'description', 'publicAddress'],
};

/** As many as Teleport lists for a client that names no limit (`DefaultChunkSize` of api/defaults). */
const DEFAULT_LIMIT = 1000;

/** A resource as one of the agents that serve it registers it. */
interface Registered {
  /** By which pages begin. */
  readonly key: string;
  readonly name: string;
  readonly labels: Labels;
  readonly reachedAs: Reachable;
  /** What search keywords are looked for in, besides the labels and the name. */
  readonly searchable: readonly string[];
  /** Values to sort by, besides the name; nothing here has a description. */
  readonly fields: Readonly<Record<string, string>>;
  /** What lists with a total have only once; several agents may serve it. Undefined for what they list as it is. */
  readonly identity: string | undefined;
  readonly message: object;
}

export function listResources(world: World, message: unknown, call: Call): object {
  const request = Request.parse(message);
  Object.assign(call.record.fields, {
    resourceType: request.resource_type,
    predicate: request.predicate_expression,
    labels: request.labels,
    startKey: request.start_key,
  });
  if (request.limit < 0) {
    throw badParameter('negative parameter limit');
  }
  const { roles } = callerOf(call);
  const visible = registered(world, request).filter(({ labels, reachedAs }) =>
    mayReach(world, roles, reachedAs, labels),
  );
  return needsWholeList(request) ? pageOfWholeList(visible, request) : pageByKey(visible, request);
}

/** `RequiresFakePagination` of api/client/proto/types.go: sorting and counting need everything at once. */
function needsWholeList({ need_total_count: counted, resource_type: type, sort_by: sortBy }: ListRequest): boolean {
  return counted || (sortBy !== null && sortBy.field !== '') || type === 'kube_cluster';
}

/** `listResourcesWithSort` and `FakePaginate` of lib/auth and lib/services/local. */
function pageOfWholeList(visible: readonly Registered[], request: ListRequest): object {
  const matches = filterOf(request);
  const found = withoutRepeats(sorted(visible, request).filter(matches));
  const start = Math.max(
    0,
    found.findIndex(({ key }) => key === request.start_key),
  );
  return { ...page(found.slice(start), request), total_count: found.length };
}

/** In the order of the keys; the key of the next page is that of its first resource. */
function pageByKey(visible: readonly Registered[], request: ListRequest): object {
  const matches = filterOf(request);
  const ordered = visible.toSorted((a, b) => compareText(a.key, b.key));
  return page(
    ordered.filter((resource) => resource.key >= request.start_key && matches(resource)),
    request,
  );
}

function page(resources: readonly Registered[], { limit: asked }: ListRequest): object {
  const limit = asked === 0 ? DEFAULT_LIMIT : asked;
  return {
    resources: resources.slice(0, limit).map(({ message }) => message),
    next_key: resources[limit]?.key ?? '',
  };
}

/** Labels, the predicate and every search keyword must match: a keyword in any case, as a part of any field. */
function filterOf(request: ListRequest): (resource: Registered) => boolean {
  const satisfies = parsePredicate(request.predicate_expression);
  const keywords = request.search_keywords.map((keyword) => keyword.toLowerCase());
  return (resource) => {
    const { labels, name, searchable } = resource;
    const texts = [...Object.entries(labels).flat(), name, ...searchable].map((text) => text.toLowerCase());
    return (
      Object.entries(request.labels).every(([key, value]) => labels[key] === value) &&
      keywords.every((keyword) => texts.some((text) => text.includes(keyword))) &&
      satisfies(resource)
    );
  };
}

function sorted(resources: readonly Registered[], { resource_type: type, sort_by: sortBy }: ListRequest): Registered[] {
  const byKey = resources.toSorted((a, b) => compareText(a.key, b.key));
  if (sortBy === null || sortBy.field === '') {
    return byKey;
  }
  const field = sortBy.field;
  if (!SORTABLE[type]?.includes(field)) {
    throw new TeleportError('NotImplemented', `sorting by field "${field}" for resource "${type}" is not supported`);
  }
  const direction = sortBy.is_desc ? -1 : 1;
  const valueOf = ({ fields, name }: Registered): string => (field === 'name' ? name : (fields[field] ?? ''));
  return byKey.sort((a, b) => direction * compareText(valueOf(a), valueOf(b)));
}

function compareText(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

function withoutRepeats(resources: readonly Registered[]): Registered[] {
  const seen = new Set<string>();
  return resources.filter(({ identity }) => {
    const isFirst = identity === undefined || !seen.has(identity);
    seen.add(identity ?? '');
    return isFirst;
  });
}

/** Where an agent runs. */
interface Host {
  readonly id: string;
  readonly name: string;
}

const HOSTS: readonly Host[] = [
  { id: '4f7c1f52-6f0b-4c0e-9d0c-0a3f5a1b0001', name: 'agent-1.example.internal' },
  { id: '4f7c1f52-6f0b-4c0e-9d0c-0a3f5a1b0002', name: 'agent-2.example.internal' },
];

function registered(world: World, request: ListRequest): readonly Registered[] {
  const { resources } = world;
  const type = request.resource_type;
  switch (type) {
    case 'kube_server':
      return resources.kubernetesClusters.flatMap((one) => onHosts(one, (host) => kubernetesServer(world, one, host)));
    case 'kube_cluster':
      return resources.kubernetesClusters.map(kubernetesCluster);
    case 'db_server':
      return resources.databases.flatMap((one) => onHosts(one, (host) => databaseServer(world, one, host)));
    case 'app_server':
      return resources.applications.flatMap((one) => onHosts(one, (host) => appServer(world, one, host)));
    default:
      // Texts of `listResourcesWithSort` in lib/auth and of `ListResources` in lib/cache and lib/services/local.
      throw new TeleportError(
        'NotImplemented',
        needsWholeList(request)
          ? `resource type "${type}" is not supported for listResourcesWithSort`
          : `${type} not implemented at ListResources`,
      );
  }
}

function onHosts({ agents }: { readonly agents: number }, register: (host: Host) => Registered): Registered[] {
  return HOSTS.slice(0, agents).map(register);
}

/** Named after the resource, as `NewAppServerV3FromApp` and the like of api/types do; told apart by the host. */
function serverHeader(kind: string, name: string): object {
  return resourceHeader(kind, 'v3', name);
}

function hostFields({ profile }: World, host: Host): object {
  return { version: profile.version, hostname: host.name, host_id: host.id };
}

function kubernetesServer(world: World, one: KubernetesCluster, host: Host): Registered {
  const spec = { ...hostFields(world, host), cluster: clusterMessage(one) };
  return {
    ...kubernetesCluster(one),
    key: `${host.id}/${one.name}`,
    identity: undefined,
    message: { kubernetes_server: { ...serverHeader('kube_server', one.name), spec } },
  };
}

function kubernetesCluster(one: KubernetesCluster): Registered {
  return {
    key: one.name,
    name: one.name,
    labels: one.labels,
    reachedAs: 'kubernetes',
    searchable: [],
    fields: {},
    identity: one.name,
    message: { kube_cluster: clusterMessage(one) },
  };
}

function clusterMessage({ name, labels }: KubernetesCluster): object {
  return resourceHeader('kube_cluster', 'v3', name, labels);
}

function databaseServer(world: World, { name, labels, protocol, uri }: Database, host: Host): Registered {
  const database = { ...resourceHeader('db', 'v3', name, labels), spec: { protocol, uri } };
  const type = 'self-hosted';
  return {
    key: `${host.id}/${name}`,
    name,
    labels,
    reachedAs: 'database',
    searchable: [protocol, type],
    fields: { type },
    identity: name,
    message: {
      database_server: { ...serverHeader('db_server', name), spec: { ...hostFields(world, host), database } },
    },
  };
}

function appServer(world: World, { name, labels, uri, publicAddress }: Application, host: Host): Registered {
  const app = { ...resourceHeader('app', 'v3', name, labels), spec: { uri, public_addr: publicAddress } };
  return {
    key: `${host.id}/${name}`,
    name,
    labels,
    reachedAs: 'application',
    searchable: [publicAddress],
    fields: { publicAddress },
    identity: `${name} ${publicAddress}`,
    message: { app_server: { ...serverHeader('app_server', name), spec: { ...hostFields(world, host), app } } },
  };
}
