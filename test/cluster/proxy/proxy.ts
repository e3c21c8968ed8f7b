/** The Proxy: one port, where the ClientHello decides the purpose of a connection. */
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import type { AppGateway } from './app-gateway.ts';
import { peekClientHello, type ClientHello } from './client-hello.ts';
import { terminateTls } from '../connection.ts';
import type { GrpcServer } from '../auth/grpc.ts';
import { isKubeServerName, serveKube } from './kube-proxy.ts';
import { startsWithSsh, TUNNEL_PROTOCOL, type ReverseTunnel } from './reverse-tunnel.ts';
import { listen, type ListenHost, type TcpListener } from '../tcp-listener.ts';
import { serveTransport, SSH_GRPC_PROTOCOL, type TransportParts } from './transport-port.ts';
import type { WebApi } from './web-api.ts';
import type { WebAuthority } from '../issuer/web-authority.ts';
import { encodedClusterDomain } from '../world.ts';

const AUTH_PREFIX = 'teleport-auth@';
const JOIN_PROTOCOL = 'teleport-proxy-grpc';
const HTTP_PROTOCOL = 'http/1.1';
const HTTP2_PROTOCOL = 'h2';

const DATABASE_PROTOCOLS = [
  'postgres',
  'mysql',
  'mongodb',
  'oracle',
  'redis',
  'sqlserver',
  'snowflake',
  'cassandra',
  'elasticsearch',
  'opensearch',
  'dynamodb',
  'clickhouse',
  'spanner',
].map((name) => `teleport-${name}`);

/**
 * The Proxy's own list of protocols, from which it chooses: the first one that the client offers, in the order of this
 * list, whichever protocol routed the connection (`SupportedProtocols` of lib/srv/alpnproxy/common/protocols.go).
 */
const PROTOCOLS: readonly string[] = [
  ...['teleport-tcp', ...DATABASE_PROTOCOLS].map((protocol) => `${protocol}-ping`),
  HTTP_PROTOCOL,
  HTTP2_PROTOCOL,
  'teleport-proxy-ssh',
  TUNNEL_PROTOCOL,
  AUTH_PREFIX,
  'teleport-tcp',
  SSH_GRPC_PROTOCOL,
  JOIN_PROTOCOL,
  'teleport-proxy-grpc-mtls',
  ...DATABASE_PROTOCOLS,
];

export interface ProxyParts extends TransportParts {
  readonly web: WebAuthority;
  readonly webApi: WebApi;
  /** For clients without a certificate. */
  readonly grpc: GrpcServer;
  readonly authPort: number;
  /** Whether the web port routes `teleport-auth@` to Auth. */
  readonly routesAuth: boolean;
  readonly applications: AppGateway;
  readonly tunnel: ReverseTunnel;
  /** Undefined means Teleport's own 30 seconds. */
  readonly upgradePingIntervalMs: number | undefined;
}

/** The origin of a connection: the Proxy's port, or a connection upgrade. */
interface Arrival {
  readonly socket: Socket;
  readonly upgraded: boolean;
  /** Where upgraded connections inside this connection are routed. */
  readonly innerPort: number;
}

export async function startProxy(port: number, parts: ProxyParts, host?: ListenHost): Promise<TcpListener> {
  const inner: TcpListener = await listen(0, (socket) => {
    route(parts, { socket, upgraded: true, innerPort: inner.port }).catch(() => socket.destroy());
  });
  const onSocket = (socket: Socket): void => {
    if (parts.world.faults.proxyConnections !== 'silent-after-tcp') {
      accept(parts, socket, inner.port).catch(() => socket.destroy());
    }
  };
  const outer = await listen(port, onSocket, host);
  return {
    port: outer.port,
    close: async () => {
      await Promise.all([outer.close(), inner.close()]);
    },
  };
}

/** SSH and TLS share the port (Teleport's `lib/multiplexer`). */
async function accept(parts: ProxyParts, socket: Socket, innerPort: number): Promise<void> {
  if (await startsWithSsh(socket)) {
    await parts.tunnel.serve(socket, { serverName: undefined, alpn: [] });
  } else {
    await route(parts, { socket, upgraded: false, innerPort });
  }
}

async function route(parts: ProxyParts, arrival: Arrival): Promise<void> {
  const { socket, upgraded } = arrival;
  const hello = await peekClientHello(socket);
  const { records } = parts.world;
  const fields = upgraded ? { upgraded } : {};
  const record = records.add({ listener: 'proxy', kind: 'connection', ...hello, fields });
  try {
    record.fields.route = await handlerOf(hello, parts.routesAuth)(parts, arrival, hello);
    record.outcome = 'ok';
  } catch (error) {
    record.outcome = `refused: ${String(error)}`;
    throw error;
  }
}

type Handler = (parts: ProxyParts, arrival: Arrival, hello: ClientHello) => string | Promise<string>;

/**
 * Routed by server name for Kubernetes; otherwise by the first of the client's protocols that has a handler. A client
 * that offers none speaks HTTP (`getHandlerDescBaseOnClientHelloMsg` of lib/srv/alpnproxy/proxy.go).
 * @throws Error if no protocol has a handler: the connection is then closed without an alert
 */
function handlerOf({ alpn, serverName }: ClientHello, routesAuth: boolean): Handler {
  if (isKubeServerName(serverName)) {
    return serveKubernetes;
  }
  const offered = alpn.length === 0 ? [HTTP_PROTOCOL] : alpn;
  const [handler] = offered.flatMap((protocol) => handlerOfProtocol(protocol, routesAuth) ?? []);
  if (handler === undefined) {
    throw new Error(`no handler for the protocols ${offered.join(', ')}`);
  }
  return handler;
}

function handlerOfProtocol(protocol: string, routesAuth: boolean): Handler | undefined {
  switch (protocol) {
    case SSH_GRPC_PROTOCOL:
      return (parts, { socket }, hello) => serveTransport(parts, socket, hello);
    case JOIN_PROTOCOL:
      return serveJoins;
    case TUNNEL_PROTOCOL:
      return serveTunnel;
    case HTTP_PROTOCOL:
    case HTTP2_PROTOCOL:
      return serveWeb;
    default:
      return routesAuth && protocol.startsWith(AUTH_PREFIX)
        ? (parts, { socket }, { alpn }) => forwardToAuth(parts, socket, alpn)
        : undefined;
  }
}

async function serveKubernetes(
  { world, teleportCertificate }: ProxyParts,
  { socket }: Arrival,
  hello: ClientHello,
): Promise<string> {
  await serveKube(world, socket, { hello, certificate: teleportCertificate });
  return 'kubernetes';
}

/**
 * The Proxy does not terminate TLS to Auth: it forwards the bytes unchanged. The cluster is that of the client's first
 * protocol, whichever one selected this handler (lib/srv/alpnproxy/auth/auth_proxy.go).
 */
function forwardToAuth(parts: ProxyParts, socket: Socket, [first = '']: readonly string[]): 'auth' {
  const domain = first.startsWith(AUTH_PREFIX) ? first.slice(AUTH_PREFIX.length) : 'no cluster';
  if (domain !== encodedClusterDomain(parts.world.clusterName)) {
    throw new Error(`no Auth server known for ${domain}`);
  }
  const auth = connect(parts.authPort, '127.0.0.1');
  auth.setNoDelay(true);
  auth.on('error', () => socket.destroy());
  auth.on('close', () => socket.destroy());
  socket.on('close', () => auth.destroy());
  socket.pipe(auth).pipe(socket);
  return 'auth';
}

async function serveJoins(parts: ProxyParts, arrival: Arrival, hello: ClientHello): Promise<string> {
  return withWebTls(parts, arrival, (socket) => {
    parts.grpc.accept({ listener: 'proxy', hello, socket, identity: undefined, certificatesSent: 0 });
    return 'join-service';
  });
}

async function serveTunnel(parts: ProxyParts, arrival: Arrival, hello: ClientHello): Promise<string> {
  return withWebTls(parts, arrival, (socket) => {
    parts.tunnel.serve(socket, hello).catch(() => socket.destroy());
    return 'reverse-tunnel';
  });
}

async function serveWeb(parts: ProxyParts, arrival: Arrival, hello: ClientHello): Promise<string> {
  if (parts.applications.serves(hello.serverName)) {
    await parts.applications.accept(arrival.socket, webCertificate(parts, arrival));
    return 'application';
  }
  return withWebTls(parts, arrival, (socket) => {
    const { profile } = parts.world;
    const upgrades = { profile, innerPort: arrival.innerPort, pingIntervalMs: parts.upgradePingIntervalMs };
    parts.webApi.accept(socket, { hello, upgrades });
    return 'web';
  });
}

async function withWebTls(parts: ProxyParts, arrival: Arrival, serve: (socket: TLSSocket) => string): Promise<string> {
  const certificate = webCertificate(parts, arrival);
  const secure = await terminateTls(arrival.socket, { certificate, alpn: PROTOCOLS, requestCert: false });
  if (parts.world.faults.proxyConnections === 'silent-after-tls') {
    secure.resume();
    return 'nowhere';
  }
  return serve(secure);
}

/** Inside an upgrade, the host certificate replaces the web certificate, which the load balancer has presented. */
function webCertificate({ teleportCertificate, web }: ProxyParts, { upgraded }: Arrival): SecureContextOptions {
  return upgraded ? teleportCertificate : web.tls;
}
