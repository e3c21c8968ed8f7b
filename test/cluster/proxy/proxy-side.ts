/** Everything that clients reach at the Proxy: the web port with what stands before it, and the other ports. */
import { isIP } from 'node:net';
import { AppGateway } from './app-gateway.ts';
import { startFront, type FrontKind } from './front.ts';
import { Gate } from './gate.ts';
import type { PublicAddresses } from './ping.ts';
import { startProxy } from './proxy.ts';
import { ReverseTunnel } from './reverse-tunnel.ts';
import { startSeparatePorts } from './separate-ports.ts';
import { proxyCertificate } from './teleport-certificate.ts';
import { serveTransportService } from './transport-service.ts';
import { WebApi } from './web-api.ts';
import { GrpcServer, type Http2Options } from '../auth/grpc.ts';
import type { OidcVerifier } from '../issuer/oidc-verifier.ts';
import type { WebAuthority } from '../issuer/web-authority.ts';
import type { ListenHost } from '../tcp-listener.ts';
import type { World } from '../world.ts';

export interface ProxyOptions {
  /** The Proxy's port; 0, the default, for a free one. */
  readonly port?: number;
  /** A device between the clients and the Proxy; none by default. `separate` is `tlsRouting: false`. */
  readonly front?: FrontKind | 'separate';
  /** Whether the connections to the web port can be broken, stalled and delayed, whatever stands in front of it. */
  readonly gate?: boolean;
  /** How long a front that terminates TLS leaves a connection idle; the 60 seconds of an AWS ALB by default. */
  readonly frontIdleMs?: number;
  /** Whether the Proxy's one port does for everything, the default, or SSH, Kubernetes and the tunnel have their own. */
  readonly tlsRouting?: boolean;
  /** Whether the web port routes `teleport-auth@` to Auth, with TLS routing and without; it does by default. */
  readonly webRoutesAuth?: boolean;
  /** How often a connection upgrade is pinged, if the client asked for pings; Teleport's 30 seconds unless given. */
  readonly upgradePingIntervalMs?: number;
  /** How often a protocol whose name ends in `-ping` is pinged; Teleport's 30 seconds unless given. */
  readonly protocolPingIntervalMs?: number;
  readonly http2?: Http2Options;
  /** Where the ports that clients reach are; 127.0.0.1 by default. */
  readonly listenHost?: ListenHost;
  /** The web address that the Proxy is known by, `host:port`, port 0 for its own; where it can be reached, by default. */
  readonly publicAddress?: string;
  /** Further hosts that clients may know it by; ping does not report them. */
  readonly otherHosts?: readonly string[];
  /** Of the other ports; none by default. */
  readonly publicAddresses?: Omit<PublicAddresses, 'web'>;
}

export interface ProxySide {
  /** Where the ports can be reached; all but PostgreSQL's are the web port with TLS routing. */
  readonly addresses: Readonly<Record<'proxy' | 'ssh' | 'tunnel' | 'kube' | 'postgres', string>>;
  /** As ping reports it. */
  readonly publicAddress: string;
  /** For clients without a certificate. */
  readonly grpc: GrpcServer;
  readonly gate: Gate | undefined;
  readonly close: () => Promise<void>;
}

export interface ProxyNeeds {
  readonly world: World;
  readonly web: WebAuthority;
  readonly verifier: OidcVerifier;
  readonly authPort: number;
}

/** The name in the Proxy's web certificate. */
const TENANT_HOST = 'localhost';

/** As listeners name where they are. */
const LISTENER_HOSTS: Readonly<Record<ListenHost, string>> = { '127.0.0.1': '127.0.0.1', '::1': '[::1]', both: '[::]' };

export function hasTlsRouting({ front, tlsRouting }: ProxyOptions): boolean {
  return tlsRouting ?? front !== 'separate';
}

/** Hosts that clients know it by, without IP addresses and the tenant's host. */
export function publicNames({ otherHosts = [], publicAddress, publicAddresses = {} }: ProxyOptions): readonly string[] {
  const hosts = [publicAddress, ...Object.values(publicAddresses)].flatMap((address) =>
    address === undefined ? [] : [address.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')],
  );
  return [...new Set([...hosts, ...otherHosts])].filter((host) => isIP(host) === 0 && host !== TENANT_HOST);
}

export async function startProxySide(needs: ProxyNeeds, options: ProxyOptions): Promise<ProxySide> {
  const { authPort, verifier, web, world } = needs;
  const { http2 = {}, listenHost = '127.0.0.1', port = 0, publicAddresses = {}, webRoutesAuth = true } = options;
  const tlsRouting = hasTlsRouting(options);
  const grpc = new GrpcServer(world, () => undefined, http2, world.limiters?.proxy);
  const sshGrpc = new GrpcServer(world, () => undefined, http2);
  serveTransportService(sshGrpc, world, authPort);
  const teleportCertificate = await proxyCertificate(world, publicNames(options));
  const tunnel = await ReverseTunnel.create(world, authPort);
  const transport = { world, sshGrpc, teleportCertificate };
  const ports = await startSeparatePorts({ ...transport, tunnel }, listenHost);

  let ownPort = 0;
  const { gate: wantsGate = false } = options;
  const gate: Gate | undefined = wantsGate
    ? await Gate.start(port, () => front?.port ?? ownPort, listenHost)
    : undefined;
  const front =
    options.front === undefined || options.front === 'plain' || options.front === 'separate'
      ? undefined
      : await startFront(options.front, wantsGate ? 0 : port, {
          tenantHost: TENANT_HOST,
          clusterName: world.clusterName,
          publicNames: publicNames(options),
          records: world.records,
          certificate: web.tls,
          idleMs: options.frontIdleMs,
          host: wantsGate ? '127.0.0.1' : listenHost,
          proxyPort: () => ownPort,
        });
  const at = (number: number): string => `${TENANT_HOST}:${String(number)}`;
  const webPort = (): number => gate?.port ?? front?.port ?? ownPort;
  const publicAddress = (): string => options.publicAddress?.replace(/:0$/, `:${String(webPort())}`) ?? at(webPort());
  const webApi = new WebApi(world, verifier, () => ({
    host: LISTENER_HOSTS[listenHost],
    port: webPort(),
    sshPort: ports.ssh.port,
    tunnelPort: ports.tunnel.port,
    kubePort: ports.kube.port,
    postgresPort: ports.postgres.port,
    tlsRouting,
    publicAddresses: { ...publicAddresses, web: publicAddress() },
  }));
  const proxy = await startProxy(
    front === undefined && !wantsGate ? port : 0,
    {
      ...transport,
      web,
      webApi,
      grpc,
      authPort,
      routesAuth: webRoutesAuth,
      applications: new AppGateway(world),
      tunnel,
      upgradePingIntervalMs: options.upgradePingIntervalMs,
      protocolPingIntervalMs: options.protocolPingIntervalMs,
    },
    front === undefined && !wantsGate ? listenHost : undefined,
  );
  ownPort = proxy.port;
  const separate = (number: number): string => at(tlsRouting ? webPort() : number);
  return {
    addresses: {
      proxy: at(webPort()),
      ssh: separate(ports.ssh.port),
      tunnel: separate(ports.tunnel.port),
      kube: separate(ports.kube.port),
      postgres: at(ports.postgres.port),
    },
    publicAddress: publicAddress(),
    grpc,
    gate,
    close: async () => {
      grpc.close();
      sshGrpc.close();
      const listeners = [
        ...(gate === undefined ? [] : [gate]),
        ...(front === undefined ? [] : [front]),
        proxy,
        ports.ssh,
        ports.tunnel,
        ports.kube,
        ports.postgres,
      ];
      await Promise.all(listeners.map((listener) => listener.close()));
    },
  };
}
