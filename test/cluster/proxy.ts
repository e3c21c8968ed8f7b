/** The Proxy: one port on which the ClientHello decides what a connection is for. */
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import type { AppGateway } from './app-gateway.ts';
import { identify } from './auth.ts';
import { authCertificate } from './auth-certificate.ts';
import { peekClientHello, type ClientHello } from './client-hello.ts';
import { terminateTls } from './connection.ts';
import { CLUSTER_NAME } from './data.ts';
import type { GrpcServer } from './grpc.ts';
import { isKubeServerName, serveKube } from './kube-proxy.ts';
import { listen, type TcpListener } from './tcp-listener.ts';
import type { WebApi } from './web-api.ts';
import type { WebAuthority } from './web-authority.ts';
import { encodedClusterDomain, type World } from './world.ts';

const AUTH_PREFIX = 'teleport-auth@';
const JOIN_PROTOCOL = 'teleport-proxy-grpc';
const SSH_GRPC_PROTOCOL = 'teleport-proxy-ssh-grpc';

/** A client that only probes for ALPN support offers the tunnel protocol; there is no tunnel behind it here. */
const PROTOCOLS: readonly string[] = [JOIN_PROTOCOL, 'http/1.1', 'teleport-reversetunnel'];

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
}

export function startProxy(port: number, parts: ProxyParts): Promise<TcpListener> {
  return listen(port, (socket) => {
    if (parts.world.faults.proxyConnections !== 'silent-after-tcp') {
      route(parts, socket).catch(() => socket.destroy());
    }
  });
}

async function route(parts: ProxyParts, socket: Socket): Promise<void> {
  const hello = await peekClientHello(socket);
  const { records } = parts.world;
  const record = records.add({ listener: 'proxy', kind: 'connection', ...hello, fields: {} });
  try {
    record.fields.route = hello.alpn[0]?.startsWith(AUTH_PREFIX)
      ? forwardToAuth(parts, socket, hello.alpn[0].slice(AUTH_PREFIX.length))
      : await routeByServer(parts, socket, hello);
    record.outcome = 'ok';
  } catch (error) {
    record.outcome = `refused: ${String(error)}`;
    throw error;
  }
}

async function routeByServer(parts: ProxyParts, socket: Socket, hello: ClientHello): Promise<string> {
  if (hello.alpn[0] === SSH_GRPC_PROTOCOL) {
    return serveNodes(parts, socket, hello);
  }
  if (isKubeServerName(hello.serverName)) {
    await serveKube(parts.world, socket, { hello, certificate: parts.teleportCertificate });
    return 'kubernetes';
  }
  if (parts.applications.serves(hello.serverName)) {
    await parts.applications.accept(socket);
    return 'application';
  }
  return serve(parts, socket, hello);
}

/** TLS towards Auth is not for the Proxy to end: the bytes go on as they came. */
function forwardToAuth(parts: ProxyParts, socket: Socket, domain: string): 'auth' {
  if (domain !== encodedClusterDomain(CLUSTER_NAME)) {
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

async function serve(parts: ProxyParts, socket: Socket, hello: ClientHello): Promise<string> {
  const { tls } = parts.web;
  const secure = await terminateTls(socket, { certificate: tls, alpn: PROTOCOLS, requestCert: false });
  if (parts.world.faults.proxyConnections === 'silent-after-tls') {
    secure.resume();
    return 'nowhere';
  }
  if (secure.alpnProtocol === JOIN_PROTOCOL) {
    parts.grpc.accept({ listener: 'proxy', hello, socket: secure, identity: undefined, certificatesSent: 0 });
    return 'join-service';
  }
  if (secure.alpnProtocol === 'http/1.1' || secure.alpnProtocol === false) {
    parts.webApi.accept(secure, hello);
    return 'web';
  }
  secure.destroy();
  return 'nowhere';
}
