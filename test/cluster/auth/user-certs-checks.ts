/** The reasons to refuse GenerateUserCerts, in Teleport's order. */
import type { SessionHolder } from '../data/app-sessions.ts';
import { LEAF_CLUSTER_NAMES } from '../data/data.ts';
import type { ApplicationRoute, DatabaseRoute, Identity } from '../data/identity.ts';
import { accessDenied, badParameter, notFound } from '../data/teleport-errors.ts';
import { toDate } from './timestamp.ts';
import type { UserCertsRequest } from './user-certs-request.ts';
import { findRole, type World } from '../world.ts';

/** The possible usages of a certificate, by their number. */
const USAGES: readonly (readonly string[])[] = [
  [],
  [],
  ['usage:kube'],
  ['usage:db'],
  ['usage:apps'],
  ['usage:windows_desktop'],
];

/** What an accepted request grants. */
export interface Grant {
  readonly roles: readonly string[];
  readonly usages: readonly string[];
  readonly routeToCluster: string;
  readonly kubernetesCluster: string | undefined;
  readonly database: DatabaseRoute | undefined;
  readonly application: ApplicationRoute | undefined;
  readonly expires: Date;
  readonly impersonates: boolean;
}

export function checkUserCertsRequest(world: World, request: UserCertsRequest, caller: Identity): Grant {
  const impersonates = request.use_role_requests || request.role_requests.length > 0;
  checkMayReissue(caller, impersonates);
  if (findRole(world, caller.userName) === undefined) {
    throw accessDenied('access denied');
  }
  const expires = request.expires ? toDate(request.expires) : new Date(0);
  if (expires.getTime() <= Date.now()) {
    throw accessDenied('access denied: client credentials have expired, please relogin.');
  }
  checkUserName(request, caller, impersonates);
  const roles = impersonates ? checkRoles(world, request, caller) : caller.roles;
  return {
    roles,
    usages: usagesOf(request.usage),
    routeToCluster: checkRoute(world, request.route_to_cluster),
    kubernetesCluster: checkKubernetesRoute(world, request),
    database: databaseRoute(request),
    application: applicationRoute(world, request, { userName: caller.userName, roles, expires }),
    expires,
    impersonates,
  };
}

function checkMayReissue(caller: Identity, impersonates: boolean): void {
  if (caller.disallowReissue) {
    throw accessDenied('access denied: identity is not allowed to reissue certificates');
  }
  if (caller.impersonator !== undefined && impersonates) {
    throw accessDenied('access denied: impersonated roles can not request other roles');
  }
}

function checkUserName(request: UserCertsRequest, caller: Identity, impersonates: boolean): void {
  if (request.username === caller.userName) {
    return;
  }
  throw accessDenied(
    impersonates
      ? `User ${caller.userName} requested user certificates for ${request.username} and added role requests. This is not supported.`
      : `access denied: user "${caller.userName}" may not impersonate user "${request.username}"`,
  );
}

/** One role of the caller must grant all requested roles. */
function checkRoles(world: World, request: UserCertsRequest, caller: Identity): readonly string[] {
  const asked = request.role_requests;
  if (asked.length === 0) {
    throw badParameter('at least one role request is required');
  }
  const missing = asked.find((name) => findRole(world, name) === undefined);
  if (missing !== undefined) {
    throw notFound(`role ${missing} is not found`);
  }
  const granted = caller.roles.some((holding) => {
    const impersonates = findRole(world, holding)?.impersonates ?? [];
    return asked.every((name) => impersonates.includes(name));
  });
  if (!granted) {
    const list = asked.map((name) => JSON.stringify(name)).join(' ');
    throw accessDenied(`user "${caller.userName}" has requested role impersonation for [${list}]`);
  }
  return asked;
}

function usagesOf(number: number): readonly string[] {
  const usages = USAGES[number];
  if (usages === undefined) {
    throw badParameter(`unsupported cert usage ${String(number)}`);
  }
  return usages;
}

function checkRoute({ clusterName }: World, cluster: string): string {
  if (cluster !== '' && cluster !== clusterName && !LEAF_CLUSTER_NAMES.includes(cluster)) {
    throw notFound(`remote cluster "${cluster}" is not found`);
  }
  return cluster === '' ? clusterName : cluster;
}

/**
 * Access to a Kubernetes cluster is checked when it is used. Here the cluster must only exist, unless it belongs to a
 * leaf.
 */
function checkKubernetesRoute(world: World, request: UserCertsRequest): string | undefined {
  const { kubernetes_cluster: name, route_to_cluster: teleportCluster } = request;
  if (name === '') {
    return undefined;
  }
  const isOwn = teleportCluster === '' || teleportCluster === world.clusterName;
  if (isOwn && !world.resources.kubernetesClusters.some((one) => one.name === name)) {
    throw badParameter(`Kubernetes cluster "${name}" is not registered in this Teleport cluster`);
  }
  return name;
}

/** The database service decides who may log in, when the certificate is used. */
function databaseRoute({ route_to_database: route }: UserCertsRequest): DatabaseRoute | undefined {
  if (route === null || route.service_name === '') {
    return undefined;
  }
  const { service_name: service, protocol, username: user, database: name } = route;
  if (protocol === '') {
    throw badParameter('database protocol is required');
  }
  return { service, protocol, user, name };
}

/** From v16 on, the session is created here. v16 still accepts one from the client, and v15 requires it. */
function applicationRoute(
  world: World,
  { route_to_app: route }: UserCertsRequest,
  holder: SessionHolder,
): ApplicationRoute | undefined {
  if (route === null || route.name === '') {
    return undefined;
  }
  const { name, public_addr: publicAddress, cluster_name: cluster } = route;
  if (world.profile.major < 16 || (world.profile.major === 16 && route.session_id !== '')) {
    return { name, publicAddress, cluster, sessionId: route.session_id };
  }
  const { sessionId } = world.appSessions.create(world, publicAddress, holder);
  return { name, publicAddress, cluster, sessionId };
}
