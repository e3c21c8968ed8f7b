/** Starts an embedded Teleport cluster: Proxy, Auth and the OIDC issuer that it trusts. */
import { createHash } from 'node:crypto';
import { serveAccount } from './auth/account-service.ts';
import { AppGateway } from './proxy/app-gateway.ts';
import { AppSessions } from './data/app-sessions.ts';
import { guardAuthCalls, startAuth } from './auth/auth.ts';
import { serveAuthService } from './auth/auth-service.ts';
import { loadAuthorities } from './data/authorities.ts';
import {
  BOT_NAME,
  CLUSTER_NAME,
  CONTEXT_ID,
  JOIN_TOKEN_NAME,
  LEAF_CLUSTER_NAMES,
  ORGANIZATION_ID,
  PROJECT_ID,
  resources,
  type Resources,
} from './data/data.ts';
import type { Faults } from './faults.ts';
import { type FrontKind, startFront } from './proxy/front.ts';
import { GrpcServer, type Http2Options } from './auth/grpc.ts';
import { peekClientHello } from './proxy/client-hello.ts';
import { serveKube } from './proxy/kube-proxy.ts';
import { listen } from './tcp-listener.ts';
import { proxyCertificate } from './proxy/teleport-certificate.ts';
import { startIssuer } from './issuer/issuer.ts';
import { serveRegistration } from './auth/join-legacy.ts';
import { serveJoinService } from './auth/join-service.ts';
import { publicKeyDer } from './crypto/keys.ts';
import { mintToken, type MintOptions } from './issuer/mint.ts';
import { oidcVerifier } from './issuer/oidc-verifier.ts';
import { type Build, COMMUNITY, DEFAULT_TELEPORT_VERSION, profileOf, type Switches } from './data/profiles.ts';
import { startPostgresProxy } from './proxy/postgres-proxy.ts';
import { startProxy } from './proxy/proxy.ts';
import { Records } from './records.ts';
import { createNodes, type Node } from './data/nodes.ts';
import { ReverseTunnel } from './proxy/reverse-tunnel.ts';
import { createFederatedDomains, serveFederations } from './auth/spiffe-federation.ts';
import { serveSpiffeSigning } from './auth/spiffe-signing.ts';
import { serveTransportService } from './proxy/transport-service.ts';
import { serveTrustService } from './auth/trust-service.ts';
import { WebApi } from './proxy/web-api.ts';
import { loadIssuerKey, loadWebAuthority, prepareDirectory } from './issuer/web-authority.ts';
import { serveWorkloadIssuance } from './auth/workload-issuance.ts';
import { serveWorkloadRevocation } from './auth/workload-revocation.ts';
import { ownAuthority, type World } from './world.ts';

/** gravitational/teleport#47853. */
const FIRST_MAJOR_WITH_GRPC_REGISTRATION = 17;

export interface ClusterOptions extends Switches {
  /** Keeps the authorities, so that another start in the same directory has the same ones. */
  readonly dir: string;
  /** The Teleport version to behave as, from 15 to 19. */
  readonly teleport?: string;
  /** Told by version 17 and later. */
  readonly build?: Build;
  /** The Proxy's port; 0, the default, for a free one. */
  readonly port?: number;
  /** A device between the clients and the Proxy; none by default. */
  readonly front?: FrontKind;
  /** How long a front that terminates TLS leaves a connection idle; the 60 seconds of an AWS ALB by default. */
  readonly frontIdleMs?: number;
  /** Up to 109 bytes in UTF-8; `example.teleport.test` by default. */
  readonly clusterName?: string;
  /** Unix users that the role `access` may log in as, besides `root` and `ci`. */
  readonly extraLogins?: readonly string[];
  readonly faults?: Partial<Faults>;
  /** Whether the Proxy's one port does for everything, the default, or Kubernetes and the tunnel have their own. */
  readonly tlsRouting?: boolean;
  /** How often a connection upgrade is pinged, if the client asked for pings; Teleport's 30 seconds unless given. */
  readonly upgradePingIntervalMs?: number;
  readonly http2?: Http2Options;
}

export interface ClusterInfo {
  readonly proxy: string;
  readonly auth: string;
  readonly cluster: string;
  readonly teleport: string;
  readonly webCa: string;
  readonly caPin: string;
  readonly joinToken: string;
  readonly bot: string;
  readonly organizationId: string;
  readonly projectId: string;
  readonly contextId: string;
  /** The Proxy's listener for PostgreSQL. */
  readonly postgres: string;
}

export interface Cluster {
  readonly info: ClusterInfo;
  readonly records: Records;
  /** May be changed while the cluster runs. */
  readonly faults: Faults;
  /** Hosts of this cluster and its leaf; a test starts their sshd and says where it listens. */
  readonly nodes: readonly Node[];
  /** A test that starts a database or an application says here where it listens. */
  readonly resources: Resources;
  readonly world: World;
  readonly mint: (options?: MintOptions) => Promise<string>;
  readonly close: () => Promise<void>;
}

/** The name in the Proxy's web certificate. */
const TENANT_HOST = 'localhost';

export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const profile = profileOf(options.teleport ?? DEFAULT_TELEPORT_VERSION, options);
  const clusterName = options.clusterName ?? CLUSTER_NAME;
  prepareDirectory(options.dir);
  const [web, issuerKey, authorities] = await Promise.all([
    loadWebAuthority(options.dir),
    loadIssuerKey(options.dir),
    loadAuthorities(options.dir, { own: clusterName, leaves: LEAF_CLUSTER_NAMES }, profile.suite),
  ]);
  const records = new Records();
  const faults: Faults = { replies: {}, ...options.faults };
  const world: World = {
    clusterName,
    profile,
    build: options.build ?? COMMUNITY,
    resources: resources(options.extraLogins ?? []),
    nodes: createNodes(clusterName),
    authorities,
    records,
    faults,
    appSessions: new AppSessions(),
  };

  const issuer = await startIssuer(web, issuerKey, records);
  const issuerServer = `https://127.0.0.1:${String(issuer.port)}`;
  const verifier = oidcVerifier({ issuerServer, ca: web.certificatePem, errors: profile.oidcErrors });

  const http2 = options.http2 ?? {};
  const proxyGrpc = new GrpcServer(world, () => undefined, http2);
  const sshGrpc = new GrpcServer(world, () => undefined, http2);
  const authGrpc = new GrpcServer(world, guardAuthCalls(world), http2);
  const auth = await startAuth(world, authGrpc);
  serveTransportService(sshGrpc, world, auth.port);
  const teleportCertificate = await proxyCertificate(world);
  const tunnel = await ReverseTunnel.create(world, auth.port);
  const tunnelListener = await listen(0, (socket) => {
    tunnel.serve(socket, { serverName: undefined, alpn: [] }).catch(() => socket.destroy());
  });
  const kube = await listen(0, (socket) => {
    peekClientHello(socket)
      .then((hello) => serveKube(world, socket, { hello, certificate: teleportCertificate }))
      .catch(() => socket.destroy());
  });
  const postgres = await startPostgresProxy(world);
  const port = options.port ?? 0;
  let ownPort = 0;
  const front =
    options.front === undefined || options.front === 'plain'
      ? undefined
      : await startFront(options.front, port, {
          tenantHost: TENANT_HOST,
          clusterName,
          records,
          certificate: web.tls,
          idleMs: options.frontIdleMs,
          proxyPort: () => ownPort,
        });
  const webApi = new WebApi(world, verifier, {
    kubePort: kube.port,
    postgresPort: postgres.port,
    tunnelPort: tunnelListener.port,
    tlsRouting: options.tlsRouting ?? true,
    frontPort: front?.port,
  });
  const proxy = await startProxy(front === undefined ? port : 0, {
    world,
    web,
    webApi,
    grpc: proxyGrpc,
    sshGrpc,
    authPort: auth.port,
    applications: new AppGateway(world),
    teleportCertificate,
    tunnel,
    upgradePingIntervalMs: options.upgradePingIntervalMs,
  });
  ownPort = proxy.port;
  const proxyAddress = `${TENANT_HOST}:${String(front?.port ?? proxy.port)}`;
  serveAuthService(authGrpc, world, proxyAddress);
  serveAccount(authGrpc, world, options.tlsRouting ?? true);
  serveTrustService(authGrpc, world);
  serveWorkloads(authGrpc, world);
  if (profile.major >= 16) {
    serveFederations(authGrpc, await createFederatedDomains());
  }
  if (profile.registrationEndpoint && profile.major >= FIRST_MAJOR_WITH_GRPC_REGISTRATION) {
    serveRegistration(proxyGrpc, world, verifier);
    serveRegistration(authGrpc, world, verifier);
  }
  if (profile.joinService !== 'absent') {
    serveJoinService(proxyGrpc, world, verifier);
    serveJoinService(authGrpc, world, verifier);
  }

  return {
    info: {
      ...describe(world, proxyAddress, `127.0.0.1:${String(auth.port)}`, web.certificatePath),
      postgres: `localhost:${String(postgres.port)}`,
    },
    records,
    faults,
    nodes: world.nodes,
    resources: world.resources,
    world,
    mint: (mintOptions = {}) => mintToken(issuerKey, mintOptions),
    close: async () => {
      proxyGrpc.close();
      authGrpc.close();
      sshGrpc.close();
      const listeners = [...(front === undefined ? [] : [front]), proxy, auth, issuer, kube, postgres, tunnelListener];
      await Promise.all(listeners.map((listener) => listener.close()));
    },
  };
}

function serveWorkloads(server: GrpcServer, world: World): void {
  if (world.profile.workloadIdentities) {
    serveWorkloadIssuance(server, world);
    serveWorkloadRevocation(server, world);
  }
  if (world.profile.spiffeSigning !== 'absent') {
    serveSpiffeSigning(server, world);
  }
}

function describe(world: World, proxy: string, auth: string, webCa: string): Omit<ClusterInfo, 'postgres'> {
  const hostKey = publicKeyDer(ownAuthority(world, 'host').tls.privateKey);
  return {
    proxy,
    auth,
    cluster: world.clusterName,
    teleport: world.profile.version,
    webCa,
    caPin: `sha256:${createHash('sha256').update(hostKey).digest('hex')}`,
    joinToken: JOIN_TOKEN_NAME,
    bot: BOT_NAME,
    organizationId: ORGANIZATION_ID,
    projectId: PROJECT_ID,
    contextId: CONTEXT_ID,
  };
}
