/** Starts an embedded Teleport cluster: Proxy, Auth and the OIDC issuer that it trusts. */
import { createHash, type KeyObject } from 'node:crypto';
import { serveAccount } from './auth/account-service.ts';
import { AppSessions } from './data/app-sessions.ts';
import { guardAuthCalls, startAuth } from './auth/auth.ts';
import { serveAuthService } from './auth/auth-service.ts';
import { loadAuthorities, type KeyOptions } from './data/authorities.ts';
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
import { GrpcServer } from './auth/grpc.ts';
import { AuthRest } from './auth/rest.ts';
import { serverJwks, startIssuer, startServerIssuer } from './issuer/issuer.ts';
import { serveRegistration } from './auth/join-legacy.ts';
import { serveJoinService } from './auth/join-service.ts';
import { publicKeyDer } from './crypto/keys.ts';
import { mintToken, SERVER_HOST, SERVER_ISSUER, type MintOptions } from './issuer/mint.ts';
import { circleCiVerifier, type OidcVerifier } from './issuer/oidc-verifier.ts';
import { genericOidcVerifier } from './generic-oidc/verifier.ts';
import { type Limits, Limiters } from './limiter.ts';
import { AuthLog } from './log.ts';
import { type Build, COMMUNITY, DEFAULT_TELEPORT_VERSION, profileOf, type Switches } from './data/profiles.ts';
import { tctlCreate } from './data/tctl.ts';
import type { Gate } from './proxy/gate.ts';
import { KubeEvents } from './proxy/kube-api.ts';
import { hasTlsRouting, type ProxyOptions, publicNames, startProxySide } from './proxy/proxy-side.ts';
import { Records } from './records.ts';
import type { ListenHost } from './tcp-listener.ts';
import { createNodes, type Node } from './data/nodes.ts';
import { createFederatedDomains, serveFederations } from './auth/spiffe-federation.ts';
import { serveSpiffeSigning } from './auth/spiffe-signing.ts';
import { serveTrustService } from './auth/trust-service.ts';
import {
  loadIssuerKey,
  loadServerAuthority,
  loadWebAuthority,
  prepareDirectory,
  writeServerJwks,
} from './issuer/web-authority.ts';
import { serveWorkloadIssuance } from './auth/workload-issuance.ts';
import { serveWorkloadRevocation } from './auth/workload-revocation.ts';
import { ownAuthority, type World } from './world.ts';

/** gravitational/teleport#47853. */
const FIRST_MAJOR_WITH_GRPC_REGISTRATION = 17;

export interface ClusterOptions extends Switches, ProxyOptions, KeyOptions {
  /** Keeps the authorities, so that another start in the same directory uses the same ones. */
  readonly dir: string;
  /** The Teleport version to imitate, from 15 to 19. */
  readonly teleport?: string;
  /** Reported by version 17 and later. */
  readonly build?: Build;
  /** Up to 109 bytes in UTF-8; `example.teleport.test` by default. */
  readonly clusterName?: string;
  /** Unix users that the role `access` can log in as, in addition to `root` and `ci`. */
  readonly extraLogins?: readonly string[];
  /** Documents of token and bot resources, each text as a file for `tctl create -f`. */
  readonly tokens?: readonly string[];
  readonly faults?: Partial<Faults>;
  /** What it limits by the client's address; nothing by default. `{}` are Teleport's defaults. */
  readonly limits?: Limits;
  /** Whether Auth is all that clients reach: there is no Proxy then. */
  readonly authOnly?: boolean;
  /** What Auth's Ping reports as the Proxy's public address; that of the Proxy by default, and empty without one. */
  readonly proxyPublicAddr?: string;
}

export interface ClusterInfo {
  /** Empty without a Proxy, as are those of its ports. */
  readonly proxy: string;
  /** The Proxy's port for SSH and the transport service; the web port with TLS routing, as for the next two. */
  readonly ssh: string;
  readonly tunnel: string;
  readonly kube: string;
  readonly auth: string;
  readonly cluster: string;
  readonly teleport: string;
  readonly webCa: string;
  /** Of the key that the host authority signs with. */
  readonly caPin: string;
  /** Of all its keys: during a rotation, two. */
  readonly caPins: readonly string[];
  readonly joinToken: string;
  readonly bot: string;
  readonly organizationId: string;
  readonly projectId: string;
  readonly contextId: string;
  /** The Proxy's listener for PostgreSQL. */
  readonly postgres: string;
  /** Issuer of the CircleCI Server for the organization; the Auth Service reaches it by that name, no other program. */
  readonly serverIssuer: string;
  /** The same server at a name that every program can reach, which then is the issuer's. */
  readonly serverIssuerLocal: string;
  /** File of the private authority behind its certificate, PEM. */
  readonly serverCa: string;
  /** File of its keys. */
  readonly serverJwks: string;
}

export interface Cluster {
  readonly info: ClusterInfo;
  readonly records: Records;
  /** The Auth Service's log: the reasons of refusals that the client does not get. */
  readonly log: AuthLog;
  /** Can be changed while the cluster runs. */
  readonly faults: Faults;
  /** Undefined unless the option `gate` is set. */
  readonly gate: Gate | undefined;
  /** Nodes of this cluster and its leaf. A test starts their sshd and sets its port here. */
  readonly nodes: readonly Node[];
  /** A test that starts a database or an application sets its port here. */
  readonly resources: Resources;
  readonly world: World;
  readonly mint: (options?: MintOptions) => Promise<string>;
  readonly close: () => Promise<void>;
}

const WITHOUT_PROXY = { proxy: '', ssh: '', tunnel: '', kube: '', postgres: '' };

/** @throws TeleportError if a document in `tokens` is refused */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  if (options.authOnly === true && options.front !== undefined && options.front !== 'plain') {
    throw new RangeError(`without a Proxy there is nothing behind the front ${options.front}`);
  }
  const profile = profileOf(options.teleport ?? DEFAULT_TELEPORT_VERSION, options);
  const clusterName = options.clusterName ?? CLUSTER_NAME;
  const ownResources = resources(options.extraLogins ?? []);
  for (const text of options.tokens ?? []) {
    tctlCreate(ownResources, text, profile);
  }
  prepareDirectory(options.dir);
  const [web, serverWeb, issuerKey, authorities] = await Promise.all([
    loadWebAuthority(options.dir, publicNames(options)),
    loadServerAuthority(options.dir),
    loadIssuerKey(options.dir),
    loadAuthorities(options.dir, { own: clusterName, leaves: LEAF_CLUSTER_NAMES }, profile.suite, options),
  ]);
  const records = new Records();
  const faults: Faults = { replies: {}, ...options.faults };
  const world: World = {
    clusterName,
    profile,
    build: options.build ?? COMMUNITY,
    resources: ownResources,
    nodes: createNodes(clusterName),
    authorities,
    records,
    log: new AuthLog(),
    faults,
    limiters: options.limits === undefined ? undefined : new Limiters(options.limits),
    appSessions: new AppSessions(),
    kubeEvents: new KubeEvents(),
  };

  const issuer = await startIssuer(web, issuerKey, records);
  const circleciServer = await startServerIssuer(serverWeb, issuerKey, records);
  const issuerServer = `https://127.0.0.1:${String(issuer.port)}`;
  const verifier: OidcVerifier = {
    circleci: circleCiVerifier({ issuerServer, ca: web.certificatePem, errors: profile.oidcErrors }),
    genericOidc: genericOidcVerifier({
      systemRoots: web.certificatePem,
      hosts: new Map([
        ['oidc.circleci.com', { port: issuer.port, servername: 'localhost' }],
        [SERVER_HOST, { port: circleciServer.port, servername: SERVER_HOST }],
      ]),
    }),
  };

  const authGrpc = new GrpcServer(world, guardAuthCalls(world), options.http2 ?? {}, world.limiters?.auth);
  const auth = await startAuth(world, { grpc: authGrpc, rest: new AuthRest(world, verifier) }, options.listenHost);
  const proxy =
    options.authOnly === true
      ? undefined
      : await startProxySide({ world, web, verifier, authPort: auth.innerPort }, options);
  serveAuthService(authGrpc, world, options.proxyPublicAddr ?? proxy?.publicAddress ?? '');
  serveAccount(authGrpc, world, hasTlsRouting(options));
  serveTrustService(authGrpc, world);
  serveWorkloads(authGrpc, world);
  if (profile.major >= 16) {
    serveFederations(authGrpc, await createFederatedDomains());
  }
  const joinServers = [authGrpc, ...(proxy === undefined ? [] : [proxy.grpc])];
  if (profile.registrationEndpoint && profile.major >= FIRST_MAJOR_WITH_GRPC_REGISTRATION) {
    for (const server of joinServers) {
      serveRegistration(server, world, verifier);
    }
  }
  if (profile.joinService !== 'absent') {
    for (const server of joinServers) {
      serveJoinService(server, world, verifier);
    }
  }

  return {
    info: {
      ...describe(world, addressOfAuth(auth.port, options.listenHost), web.certificatePath),
      ...(proxy?.addresses ?? WITHOUT_PROXY),
      serverIssuer: `${SERVER_ISSUER}/org/${ORGANIZATION_ID}`,
      serverIssuerLocal: `https://localhost:${String(circleciServer.port)}/org/${ORGANIZATION_ID}`,
      serverCa: serverWeb.certificatePath,
      serverJwks: writeServerJwks(options.dir, serverJwks(issuerKey)),
    },
    records,
    log: world.log,
    faults,
    gate: proxy?.gate,
    nodes: world.nodes,
    resources: world.resources,
    world,
    mint: (mintOptions = {}) => mintToken(issuerKey, mintOptions),
    close: async () => {
      authGrpc.close();
      await Promise.all(
        [auth, issuer, circleciServer, ...(proxy === undefined ? [] : [proxy])].map((part) => part.close()),
      );
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

function addressOfAuth(port: number, host: ListenHost = '127.0.0.1'): string {
  return `${{ '127.0.0.1': '127.0.0.1', '::1': '[::1]', both: 'localhost' }[host]}:${String(port)}`;
}

function describe(
  world: World,
  auth: string,
  webCa: string,
): Omit<ClusterInfo, keyof typeof WITHOUT_PROXY | `server${string}`> {
  const { active, additional } = ownAuthority(world, 'host');
  const pins = [...active, ...additional].map(({ tls }) => pinOf(tls.privateKey));
  return {
    auth,
    cluster: world.clusterName,
    teleport: world.profile.version,
    webCa,
    caPin: pins[0] ?? '',
    caPins: pins,
    joinToken: JOIN_TOKEN_NAME,
    bot: BOT_NAME,
    organizationId: ORGANIZATION_ID,
    projectId: PROJECT_ID,
    contextId: CONTEXT_ID,
  };
}

function pinOf(key: KeyObject): string {
  return `sha256:${createHash('sha256').update(publicKeyDer(key)).digest('hex')}`;
}
