/** The Proxy: one port on which the ClientHello decides what a connection is for. */
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import type { AppGateway } from './app-gateway.ts';
import { identify } from './auth.ts';
import { authCertificate } from './auth-certificate.ts';
import { peekClientHello, type ClientHello } from './client-hello.ts';
import { terminateTls } from './connection.ts';
import type { GrpcServer } from './grpc.ts';
import { isKubeServerName, serveKube } from './kube-proxy.ts';
import { startsWithSsh, TUNNEL_PROTOCOL, type ReverseTunnel } from './reverse-tunnel.ts';
import { listen, type TcpListener } from './tcp-listener.ts';
import type { WebApi } from './web-api.ts';
import type { WebAuthority } from './web-authority.ts';
import { encodedClusterDomain, type World } from './world.ts';

const AUTH_PREFIX = 'teleport-auth@';
const JOIN_PROTOCOL = 'teleport-proxy-grpc';
const SSH_GRPC_PROTOCOL = 'teleport-proxy-ssh-grpc';

const PROTOCOLS: readonly string[] = [JOIN_PROTOCOL, 'http/1.1', TUNNEL_PROTOCOL];

export interface ProxyParts {
  readonly world: World;
  readonly web: WebAuthority;
  readonly webApi: WebApi;
  /** For clients without a certificate. */
  readonly grpc: GrpcServer;
  /** For clients with one: the way to nodes. */
  readonly sshGrpc: GrpcServer;
  readonly authPort: number;
  readonly applications: AppGateway;
  /** Of the host authority. */
  readonly teleportCertificate: SecureContextOptions;
  readonly tunnel: ReverseTunnel;
  /** Undefined for Teleport's own 30 seconds. */
  readonly upgradePingIntervalMs: number | undefined;
}

/** A connection as it came: to the Proxy's port, or within a connection upgrade. */
interface Arrival {
  readonly socket: Socket;
  readonly upgraded: boolean;
  /** Where what comes within an upgrade of this connection is routed. */
  readonly innerPort: number;
}

export async function startProxy(port: number, parts: ProxyParts): Promise<TcpListener> {
  const inner: TcpListener = await listen(0, (socket) => {
    route(parts, { socket, upgraded: true, innerPort: inner.port }).catch(() => socket.destroy());
  });
  const outer = await listen(port, (socket) => {
    if (parts.world.faults.proxyConnections !== 'silent-after-tcp') {
      accept(parts, socket, inner.port).catch(() => socket.destroy());
    }
  });
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
    record.fields.route = hello.alpn[0]?.startsWith(AUTH_PREFIX)
      ? forwardToAuth(parts, socket, hello.alpn[0].slice(AUTH_PREFIX.length))
      : await routeByServer(parts, arrival, hello);
    record.outcome = 'ok';
  } catch (error) {
    record.outcome = `refused: ${String(error)}`;
    throw error;
  }
}

async function routeByServer(parts: ProxyParts, arrival: Arrival, hello: ClientHello): Promise<string> {
  const { socket, upgraded } = arrival;
  if (hello.alpn[0] === SSH_GRPC_PROTOCOL) {
    return serveNodes(parts, socket, hello);
  }
  if (isKubeServerName(hello.serverName)) {
    await serveKube(parts.world, socket, { hello, certificate: parts.teleportCertificate });
    return 'kubernetes';
  }
  if (parts.applications.serves(hello.serverName)) {
    await parts.applications.accept(socket, upgraded ? parts.teleportCertificate : parts.web.tls);
    return 'application';
  }
  return serve(parts, arrival, hello);
}

/** TLS towards Auth is not for the Proxy to end: the bytes go on as they came. */
function forwardToAuth(parts: ProxyParts, socket: Socket, domain: string): 'auth' {
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

/** Here the Proxy shows its Teleport certificate instead of the web one, and demands the client's. */
async function serveNodes({ world, sshGrpc }: ProxyParts, socket: Socket, hello: ClientHello): Promise<'nodes'> {
  const certificate = await authCertificate(world, undefined);
  const secure = await terminateTls(socket, { certificate, alpn: ['h2'], requestCert: true });
  const connection = identify(secure, hello, 'proxy');
  if (connection.identity === undefined) {
    throw new Error('a client certificate is required');
  }
  sshGrpc.accept(connection);
  return 'nodes';
}

/** Within an upgrade the host certificate stands in for the web certificate, which a load balancer has shown already. */
async function serve(parts: ProxyParts, arrival: Arrival, hello: ClientHello): Promise<string> {
  const certificate = arrival.upgraded ? parts.teleportCertificate : parts.web.tls;
  const secure = await terminateTls(arrival.socket, { certificate, alpn: PROTOCOLS, requestCert: false });
  if (parts.world.faults.proxyConnections === 'silent-after-tls') {
    secure.resume();
    return 'nowhere';
  }
  if (secure.alpnProtocol === JOIN_PROTOCOL) {
    parts.grpc.accept({ listener: 'proxy', hello, socket: secure, identity: undefined, certificatesSent: 0 });
    return 'join-service';
  }
  if (secure.alpnProtocol === TUNNEL_PROTOCOL) {
    parts.tunnel.serve(secure, hello).catch(() => secure.destroy());
    return 'reverse-tunnel';
  }
  const { profile } = parts.world;
  const upgrades = { profile, innerPort: arrival.innerPort, pingIntervalMs: parts.upgradePingIntervalMs };
  parts.webApi.accept(secure, { hello, upgrades });
  return 'web';
}
