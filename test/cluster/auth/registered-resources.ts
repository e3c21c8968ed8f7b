/** The resources that can be listed, as their agents register them at Auth. */
import type { Labels, Reachable } from '../data/labels.ts';
import type { Node } from '../data/nodes.ts';
import { parsePredicate } from '../data/predicate.ts';
import { resourceHeader } from './resource-header.ts';
import type { Application, Database, KubernetesCluster } from '../data/resources-data.ts';
import { findRole, mayReach, type World } from '../world.ts';

/** A resource as registered by one of the agents that serve it. */
export interface Registered {
  /** The key that pages begin with. */
  readonly key: string;
  readonly name: string;
  /** Its name in predicates and for users if it differs from the name, as for nodes. */
  readonly shownAs?: string;
  /** The kind of resource in the server's name, such as `db` in `db_server`. */
  readonly kind: 'node' | 'app' | 'db' | 'kube_cluster';
  readonly labels: Labels;
  readonly reachedAs: Reachable;
  /** The fields that search keywords are compared with, in addition to the labels and the name. */
  readonly searchable: readonly string[];
  /** Values to sort by, in addition to the name; no resource here has a description. */
  readonly fields: Readonly<Record<string, string>>;
  /**
   * The name for lists with a total, which contain a resource only once even if several agents serve it. Undefined for
   * types that are listed unchanged.
   */
  readonly identity: string | undefined;
  readonly message: object;
}

/** How clients filter a list. */
export interface Filter {
  readonly labels: Labels;
  readonly predicate_expression: string;
  readonly search_keywords: readonly string[];
}

/** Labels, predicate and all search keywords must match. A keyword matches part of any field, in any case. */
export function filterOf(request: Filter): (resource: Registered) => boolean {
  const satisfies = parsePredicate(request.predicate_expression);
  const keywords = request.search_keywords.map((keyword) => keyword.toLowerCase());
  return (resource) => {
    const { labels, name, searchable } = resource;
    const texts = [...Object.entries(labels).flat(), name, ...searchable].map((text) => text.toLowerCase());
    return (
      Object.entries(request.labels).every(([key, value]) => labels[key] === value) &&
      keywords.every((keyword) => texts.some((text) => text.includes(keyword))) &&
      satisfies({ name: resource.shownAs ?? name, labels })
    );
  };
}

/** As listed, with the logins that the caller's roles allow if they were requested and the resource has logins. */
export function toPaginated(world: World, roles: readonly string[], resource: Registered, withLogins: boolean): object {
  if (!withLogins || resource.kind !== 'node') {
    return resource.message;
  }
  const allowed = roles.filter((role) => mayReach(world, [role], 'node', resource.labels));
  const logins = allowed.flatMap((name) => findRole(world, name)?.logins ?? []);
  return { ...resource.message, logins: [...new Set(logins)] };
}

export function compareText(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

/** The host of an agent. */
interface Host {
  readonly id: string;
  readonly name: string;
}

const HOSTS: readonly Host[] = [
  { id: '4f7c1f52-6f0b-4c0e-9d0c-0a3f5a1b0001', name: 'agent-1.example.internal' },
  { id: '4f7c1f52-6f0b-4c0e-9d0c-0a3f5a1b0002', name: 'agent-2.example.internal' },
];

const TYPES = ['node', 'kube_server', 'kube_cluster', 'db_server', 'app_server'] as const;

export type ListedType = (typeof TYPES)[number];

export function isListedType(text: string): text is ListedType {
  return TYPES.some((type) => type === text);
}

export function registered(world: World, type: ListedType): readonly Registered[] {
  const { nodes, resources } = world;
  switch (type) {
    case 'node':
      return nodes.filter(({ cluster }) => cluster === world.clusterName).map((one) => node(world, one));
    case 'kube_server':
      return resources.kubernetesClusters.flatMap((one) => onHosts(one, (host) => kubernetesServer(world, one, host)));
    case 'kube_cluster':
      return resources.kubernetesClusters.map(kubernetesCluster);
    case 'db_server':
      return resources.databases.flatMap((one) => onHosts(one, (host) => databaseServer(world, one, host)));
    case 'app_server':
      return resources.applications.flatMap((one) => onHosts(one, (host) => appServer(world, one, host)));
  }
}

/** Nodes are connected by a reverse tunnel, so they have no address (`ServerV2` of api/types). */
function node({ profile }: World, { id, labels, name }: Node): Registered {
  const spec = { hostname: name, use_tunnel: true, version: profile.version };
  return {
    key: id,
    name: id,
    shownAs: name,
    kind: 'node',
    labels,
    reachedAs: 'node',
    searchable: [name, 'tunnel'],
    fields: { hostname: name, addr: '' },
    identity: id,
    message: { node: { ...resourceHeader('node', 'v2', id, labels), spec } },
  };
}

function onHosts({ agents }: { readonly agents: number }, register: (host: Host) => Registered): Registered[] {
  return HOSTS.slice(0, agents).map(register);
}

/** Named after the resource, as `NewAppServerV3FromApp` and others of api/types do; the host distinguishes them. */
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
    kind: 'kube_cluster',
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
    kind: 'db',
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
    kind: 'app',
    labels,
    reachedAs: 'application',
    searchable: [publicAddress],
    fields: { publicAddress },
    identity: `${name} ${publicAddress}`,
    message: { app_server: { ...serverHeader('app_server', name), spec: { ...hostFields(world, host), app } } },
  };
}
