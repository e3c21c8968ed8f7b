/**
 * Calls for facts about the client itself, the settings of the cluster and its leaf clusters, in the older and newer
 * forms.
 */
import { z } from 'zod';
import { callerOf, rolesOfCaller } from './caller.ts';
import { LEAF_CLUSTER_NAMES } from '../data/data.ts';
import type { Call, GrpcServer } from './grpc.ts';
import type { Profile } from '../data/profiles.ts';
import { resourceHeader } from './resource-header.ts';
import { roleResource } from './role-resource.ts';
import { accessDenied, badParameter, notFound } from '../data/teleport-errors.ts';
import { fromDate } from './timestamp.ts';
import type { World } from '../world.ts';

const AUTH_SERVICE = 'proto.AuthService';
const BALANCED_V1 = 2;
const MULTIPLEX = 1;
const ONE_TIME_PASSWORD = 1;
const NANOSECONDS = 1_000_000_000;
const HOUR_S = 60 * 60;
const DEFAULT_PAGE_SIZE = 200;
/**
 * The first version with `ClusterConfigService` and `PresenceService`; before, Auth listed leaf clusters only over
 * HTTP.
 */
const FIRST_MAJOR_WITH_NEWER_SERVICES = 16;

const UserRequest = z.object({ name: z.string(), current_user: z.boolean(), with_secrets: z.boolean() });
const ClusterRequest = z.object({ name: z.string() });
const PageRequest = z.object({ page_size: z.number(), page_token: z.string() });

export function serveAccount(server: GrpcServer, world: World, tlsRouting: boolean): void {
  const GetAuthPreference = { serve: () => authPreference(world.profile) };
  const GetClusterNetworkingConfig = {
    serve: (_request: unknown, call: Call) => networkingConfig(world, call, tlsRouting),
  };
  server.addUnary(AUTH_SERVICE, {
    // "anyone can read it, no harm in that" (`lib/auth/auth_with_roles.go`)
    GetDomainName: { anonymous: true, serve: () => ({ domain_name: world.clusterName }) },
    GetCurrentUser: { serve: (_request, call) => userOf(call) },
    GetAuthPreference,
    GetClusterNetworkingConfig,
  });
  server.addServerStream(AUTH_SERVICE, 'GetCurrentUserRoles', (send, call) => {
    for (const role of rolesOfCaller(world, call)) {
      send(roleResource(role));
    }
    return Promise.resolve('ended');
  });
  server.addUnary('teleport.users.v1.UsersService', {
    GetUser: { serve: (request, call) => ({ user: getUser(UserRequest.parse(request), call) }) },
  });
  if (world.profile.major >= FIRST_MAJOR_WITH_NEWER_SERVICES) {
    server.addUnary('teleport.clusterconfig.v1.ClusterConfigService', {
      GetAuthPreference,
      GetClusterNetworkingConfig,
    });
    server.addUnary('teleport.presence.v1.PresenceService', {
      GetRemoteCluster: { serve: (request) => getRemoteCluster(ClusterRequest.parse(request).name) },
      ListRemoteClusters: { serve: (request) => listRemoteClusters(PageRequest.parse(request)) },
    });
  }
}

/** As in `lib/auth/users/usersv1`: every user can read their own user; a bot cannot read others. */
function getUser(request: z.infer<typeof UserRequest>, call: Call): object {
  const { userName } = callerOf(call);
  if (request.name === '' && request.current_user) {
    return userOf(call);
  }
  if (request.with_secrets) {
    throw accessDenied('this request can be only executed by an admin');
  }
  if (request.name !== userName) {
    throw accessDenied('access denied to perform action "read" on "user"');
  }
  return userOf(call);
}

/** With the roles of the certificate, which replace those in the backend (`lib/authz`). */
function userOf(call: Call): object {
  const { botName, roles, userName } = callerOf(call);
  return {
    ...resourceHeader('user', 'v2', userName, { 'teleport.internal/bot': botName }),
    spec: { roles, created_by: { user: { name: 'system' } } },
  };
}

/** Every user can read it, through the implicit role; names and defaults are those of `api/types`. */
function authPreference({ major, suite }: Profile): object {
  return {
    ...resourceHeader('cluster_auth_preference', 'v2', 'cluster-auth-preference'),
    spec: {
      type: 'local',
      second_factor: 'otp',
      disconnect_expired_cert: { value: false },
      allow_local_auth: { value: true },
      locking_mode: 'best_effort',
      allow_passwordless: { value: false },
      allow_headless: { value: false },
      default_session_ttl: 12 * HOUR_S * NANOSECONDS,
      ...(major >= 17
        ? {
            signature_algorithm_suite: suite === 'balanced-v1' ? BALANCED_V1 : 0,
            second_factors: [ONE_TIME_PASSWORD],
          }
        : {}),
    },
  };
}

/** Unlike the other settings, it can be read only with a role that has a rule for it. */
function networkingConfig(world: World, call: Call, tlsRouting: boolean): object {
  if (!rolesOfCaller(world, call).some(({ readsNetworkingConfig }) => readsNetworkingConfig)) {
    throw accessDenied('access denied to perform action "read" on "cluster_networking_config"');
  }
  return {
    ...resourceHeader('cluster_networking_config', 'v2', 'cluster-networking-config'),
    spec: {
      keep_alive_interval: 300 * NANOSECONDS,
      keep_alive_count_max: 3,
      proxy_listener_mode: tlsRouting ? MULTIPLEX : 0,
      tunnel_strategy: { agent_mesh: {} },
    },
  };
}

function getRemoteCluster(name: string): object {
  if (name === '') {
    throw badParameter('name: must be specified');
  }
  if (!LEAF_CLUSTER_NAMES.includes(name)) {
    throw notFound(`remote cluster "${name}" is not found`);
  }
  return remoteCluster(name);
}

/** The token of the next page is the name of the page's first cluster. */
function listRemoteClusters(request: z.infer<typeof PageRequest>): object {
  const names = LEAF_CLUSTER_NAMES.toSorted().filter((name) => name >= request.page_token);
  const size = request.page_size > 0 ? Math.min(request.page_size, DEFAULT_PAGE_SIZE) : DEFAULT_PAGE_SIZE;
  return { remote_clusters: names.slice(0, size).map(remoteCluster), next_page_token: names[size] ?? '' };
}

function remoteCluster(name: string): object {
  return {
    ...resourceHeader('remote_cluster', 'v3', name),
    status: { connection: 'online', last_heartbeat: fromDate(new Date()) },
  };
}
