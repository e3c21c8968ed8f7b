/** `proto.AuthService` and the bot heartbeat, as far as machine identities use them. */
import { z } from 'zod';
import type { Call, GrpcServer } from './grpc.ts';
import { tlsCertificates } from '../data/authorities.ts';
import { listResources } from './list-resources.ts';
import { callerOf } from './caller.ts';
import { resourceHeader } from './resource-header.ts';
import { roleResource } from './role-resource.ts';
import { accessDenied, badParameter, notFound } from '../data/teleport-errors.ts';
import { listUnifiedResources } from './unified-resources.ts';
import { generateUserCerts } from './user-certs.ts';
import { findRole, ownAuthority, type World } from '../world.ts';
import { certificatePem } from '../crypto/x509.ts';

const BALANCED_V1 = 2;
const RoleRequest = z.object({ name: z.string() });
const AppSessionRequest = z.object({ username: z.string(), public_addr: z.string(), cluster_name: z.string() });
const HeartbeatRequest = z.object({ heartbeat: z.object({}).loose().nullable() });

export function serveAuthService(server: GrpcServer, world: World, proxyAddress: string): void {
  server.addUnary('proto.AuthService', {
    Ping: { anonymous: true, serve: (_request, call) => ping(world, proxyAddress, call) },
    GetClusterCACert: {
      anonymous: true,
      serve: () => ({ tls_ca: Buffer.from(tlsCertificates(ownAuthority(world, 'host')).map(certificatePem).join('')) }),
    },
    GetRole: { serve: (request, call) => getRole(world, RoleRequest.parse(request).name, call) },
    GenerateUserCerts: { serve: (request, call) => generateUserCerts(world, request, call, callerOf(call)) },
    CreateAppSession: { serve: (request, call) => createAppSession(world, request, call) },
    ListResources: { serve: (request, call) => listResources(world, request, call) },
    ListUnifiedResources: { serve: (request, call) => listUnifiedResources(world, request, call) },
  });
  if (world.profile.heartbeats) {
    server.addUnary('teleport.machineid.v1.BotInstanceService', {
      SubmitHeartbeat: { serve: (request, call) => submitHeartbeat(request, call) },
    });
  }
}

function ping(world: World, proxyAddress: string, { connection }: Call): object {
  const { remoteAddress = '', remotePort = 0 } = connection.socket;
  return {
    cluster_name: world.clusterName,
    server_version: world.profile.version,
    server_features: features(world),
    proxy_public_addr: proxyAddress,
    is_boring: world.build.fips,
    remote_addr: `${remoteAddress}:${String(remotePort)}`,
    signature_algorithm_suite: world.profile.suite === 'balanced-v1' ? BALANCED_V1 : 0,
  };
}

/** Features of every build, and those of the enterprise build (lib/modules/modules.go); the map of them came with v17. */
function features({ build, profile }: World): object {
  const enterprise = build.edition === 'ent';
  const everywhere = { App: true, DB: true, Desktop: true, JoinActiveSessions: true, K8s: true };
  const licensed = enterprise ? { HSM: true, OIDC: true, SAML: true } : {};
  return {
    kubernetes: true,
    app: true,
    db: true,
    desktop: true,
    join_active_sessions: true,
    oidc: enterprise,
    saml: enterprise,
    access_controls: enterprise,
    advanced_access_workflows: enterprise,
    hsm: enterprise,
    ...(profile.major >= 17
      ? {
          entitlements: Object.fromEntries(
            Object.entries({ ...everywhere, ...licensed }).map(([name, enabled]) => [name, { enabled }]),
          ),
        }
      : {}),
  };
}

/** A holder of a role may read it; a bot may not read other roles. */
function getRole(world: World, name: string, call: Call): object {
  call.record.fields.role = name;
  if (!callerOf(call).roles.includes(name)) {
    throw accessDenied('access denied to perform action "read" on "role"');
  }
  const role = findRole(world, name);
  if (role === undefined) {
    throw notFound(`role ${name} is not found`);
  }
  return roleResource(role);
}

/** Only for the caller's own user, with the roles of the presented certificate. */
function createAppSession(world: World, message: unknown, call: Call): object {
  const { username, public_addr: publicAddress, cluster_name: cluster } = AppSessionRequest.parse(message);
  Object.assign(call.record.fields, { userName: username, publicAddress, cluster });
  const { userName, roles } = callerOf(call);
  if (username !== userName) {
    throw accessDenied('access denied');
  }
  if (cluster !== world.clusterName) {
    throw notFound(`cluster "${cluster}" is not found`);
  }
  const holder = { userName, roles, expires: new Date(call.connection.socket.getPeerCertificate().valid_to) };
  const { sessionId } = world.appSessions.create(world, publicAddress, holder);
  return { session: resourceHeader('web_session/app_session', 'v2', sessionId) };
}

function submitHeartbeat(request: unknown, call: Call): object {
  const { heartbeat } = HeartbeatRequest.parse(request);
  call.record.fields.heartbeat = heartbeat;
  // Texts and order of lib/auth/machineid/machineidv1/bot_instance_service.go.
  if (heartbeat === null) {
    throw badParameter('heartbeat: must be non-nil');
  }
  const { botInstanceId, botName } = callerOf(call);
  if (botName === '') {
    throw accessDenied('identity did not contain bot name');
  }
  if (botInstanceId === undefined) {
    throw accessDenied('identity did not contain bot instance ID');
  }
  return {};
}
