/** The Proxy: one port, where the ClientHello decides the purpose of a connection. */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import type { AppGateway } from './app-gateway.ts';
import { peekClientHello, type ClientHello } from './client-hello.ts';
import { clientIdentity } from './client-identity.ts';
import { terminateTls } from '../connection.ts';
import { MYSQL_PROTOCOL, serveRouted, serveUnrouted } from './database-proxy.ts';
import { hasPings, PingConnection, withoutPings } from './ping-connection.ts';
import type { GrpcServer } from '../auth/grpc.ts';
import { isKubeServerName, serveKube } from './kube-proxy.ts';
import { startsWithSsh, TUNNEL_PROTOCOL, type ReverseTunnel } from './reverse-tunnel.ts';
import { listen, type ListenHost, type TcpListener } from '../tcp-listener.ts';
import { serveTransport, SSH_GRPC_PROTOCOL, type TransportParts } from './transport-port.ts';
import type { WebApi } from './web-api.ts';
import type { Identity } from '../data/identity.ts';
import type { Profile } from '../data/profiles.ts';
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

const TCP_PROTOCOL = 'teleport-tcp';
/** Of applications that speak the Model Context Protocol (RFD 209). */
const MCP_PROTOCOL = 'teleport-mcp';
const FIRST_MAJOR_WITH_MCP = 18;

/**
 * The Proxy's own list of protocols, from which it chooses: the first one that the client offers, in the order of this
 * list, whichever protocol routed the connection (`SupportedProtocols` of lib/srv/alpnproxy/common/protocols.go). A name
 * with pings is therefore chosen whenever it is offered.
 */
function supportedProtocols({ major }: Profile): readonly string[] {
  const raw = [TCP_PROTOCOL, ...(major < FIRST_MAJOR_WITH_MCP ? [] : [MCP_PROTOCOL])];
  return [
    ...[...raw, ...DATABASE_PROTOCOLS].map((protocol) => `${protocol}-ping`),
    HTTP_PROTOCOL,
    HTTP2_PROTOCOL,
    'teleport-proxy-ssh',
    TUNNEL_PROTOCOL,
    AUTH_PREFIX,
    ...raw,
    SSH_GRPC_PROTOCOL,
    JOIN_PROTOCOL,
    'teleport-proxy-grpc-mtls',
    ...DATABASE_PROTOCOLS,
  ];
}

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
  /** Of the protocols that end in `-ping`; undefined means Teleport's own 30 seconds. */
  readonly protocolPingIntervalMs: number | undefined;
}

/** So that clients can resume their TLS sessions, at the web port and inside upgrades. */
const ticketKeys = randomBytes(48);

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
    record.fields.route = await handlerOf(hello, parts)(parts, arrival, hello);
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
function handlerOf({ alpn, serverName }: ClientHello, { routesAuth, world }: ProxyParts): Handler {
  if (isKubeServerName(serverName)) {
    return serveKubernetes;
  }
  const offered = alpn.length === 0 ? [HTTP_PROTOCOL] : alpn;
  const known = supportedProtocols(world.profile);
  const [handler] = offered.flatMap((protocol) => {
    const isAuth = protocol.startsWith(AUTH_PREFIX);
    const isKnown = isAuth ? routesAuth : known.includes(protocol) || protocol.startsWith(MYSQL_PREFIX);
    return (isKnown ? handlerOfProtocol(protocol) : undefined) ?? [];
  });
  if (handler === undefined) {
    throw new Error(`no handler for the protocols ${offered.join(', ')}`);
  }
  return handler;
}

/** Of a client that names the version of its server, in base64. */
const MYSQL_PREFIX = `${MYSQL_PROTOCOL}-`;

function handlerOfProtocol(protocol: string): Handler | undefined {
  const name = protocol.startsWith(MYSQL_PREFIX) ? MYSQL_PROTOCOL : withoutPings(protocol);
  switch (name) {
    case SSH_GRPC_PROTOCOL:
      return (parts, { socket }, hello) => serveTransport(parts, socket, hello);
    case JOIN_PROTOCOL:
      return insideWebTls(serveJoins);
    case TUNNEL_PROTOCOL:
      return insideWebTls(serveTunnel);
    case HTTP_PROTOCOL:
    case HTTP2_PROTOCOL:
      return insideWebTls(serveWeb);
    case TCP_PROTOCOL:
    case MCP_PROTOCOL:
      return insideWebTls(serveTcp);
    default:
      if (DATABASE_PROTOCOLS.includes(name)) {
        return insideWebTls((parts, connection) => serveDatabase(parts, connection, name));
      }
      return name.startsWith(AUTH_PREFIX)
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

/** A connection after the handshake with the Proxy's web certificate. */
interface Terminated extends Arrival {
  readonly hello: ClientHello;
  readonly secure: TLSSocket;
  /** Its bytes, without the packets of a protocol with pings. */
  readonly bytes: Duplex;
  /** Of the certificate that the client has shown, if it has one. */
  readonly identity: Identity | undefined;
}

/**
 * The Proxy asks every client for a certificate and closes the connection if it has an invalid one; with a route to a
 * database in it, the connection is for that database, whatever protocol was offered (`handleConn` of
 * lib/srv/alpnproxy/proxy.go).
 */
function insideWebTls(serve: (parts: ProxyParts, connection: Terminated) => string | Promise<string>): Handler {
  return async (parts, arrival, hello) => {
    const secure = await terminateTls(arrival.socket, {
      certificate: webCertificate(parts, arrival),
      alpn: supportedProtocols(parts.world.profile),
      requestCert: true,
    });
    if (parts.world.faults.proxyConnections === 'silent-after-tls') {
      secure.resume();
      return 'nowhere';
    }
    const identity = clientIdentity(secure);
    const bytes = hasPings(secure.alpnProtocol) ? new PingConnection(secure, parts.protocolPingIntervalMs) : secure;
    if (identity?.database !== undefined) {
      await serveRouted(parts.world, bytes, identity);
      return 'database';
    }
    return serve(parts, { ...arrival, hello, secure, bytes, identity });
  };
}

function serveJoins({ grpc }: ProxyParts, { hello, secure }: Terminated): string {
  grpc.accept({ listener: 'proxy', hello, socket: secure, identity: undefined, certificatesSent: 0 });
  return 'join-service';
}

function serveTunnel({ tunnel }: ProxyParts, { hello, secure }: Terminated): string {
  tunnel.serve(secure, hello).catch(() => secure.destroy());
  return 'reverse-tunnel';
}

async function serveDatabase(parts: ProxyParts, { bytes }: Terminated, protocol: string): Promise<string> {
  await serveUnrouted(parts.world, bytes, { protocol, certificate: parts.teleportCertificate });
  return 'database';
}

async function serveTcp({ applications }: ProxyParts, { bytes, identity }: Terminated): Promise<string> {
  await applications.carry(bytes, identity);
  return 'application';
}

/** Every request with a client certificate is for the application in it (`HasClientCert` of lib/web/app). */
function serveWeb(parts: ProxyParts, { hello, identity, innerPort, secure }: Terminated): string {
  if (identity !== undefined || parts.applications.isPublicAddress(hello.serverName)) {
    parts.applications.accept(secure, identity);
    return 'application';
  }
  const { profile } = parts.world;
  parts.webApi.accept(secure, { hello, upgrades: { profile, innerPort, pingIntervalMs: parts.upgradePingIntervalMs } });
  return 'web';
}

/**
 * Inside an upgrade, the host certificate replaces the web certificate, which the load balancer has presented. Both are
 * for clients with a certificate of the user authority.
 */
function webCertificate({ teleportCertificate, web }: ProxyParts, { upgraded }: Arrival): SecureContextOptions {
  const certificate = upgraded ? teleportCertificate : { ...web.tls, ca: teleportCertificate.ca };
  return { ...certificate, ticketKeys };
}
