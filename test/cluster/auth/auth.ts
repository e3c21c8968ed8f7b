/** The Auth listener: mutual TLS, then gRPC or, for clients of earlier versions, HTTP. */
import type { Socket } from 'node:net';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import { authCertificate } from './auth-certificate.ts';
import { peekClientHello, type ClientHello } from '../proxy/client-hello.ts';
import { certificatesFrom, terminateTls, type Connection } from '../connection.ts';
import type { Faults } from '../faults.ts';
import type { Call, GrpcServer } from './grpc.ts';
import type { AuthRest } from './rest.ts';
import { tlsCertificates } from '../data/authorities.ts';
import { fromCertificate } from '../data/identity.ts';
import type { Listener } from '../records.ts';
import { listen, type ListenHost, type TcpListener } from '../tcp-listener.ts';
import { accessDenied } from '../data/teleport-errors.ts';
import { encodedClusterDomain, type World } from '../world.ts';
import { certificatePem } from '../crypto/x509.ts';

export interface AuthListener extends TcpListener {
  /** On 127.0.0.1, for the Proxy. */
  readonly innerPort: number;
}

interface AuthApis {
  readonly grpc: GrpcServer;
  readonly rest: AuthRest;
}

export async function startAuth(world: World, apis: AuthApis, host?: ListenHost): Promise<AuthListener> {
  const contexts = new Map<Faults['authCertificate'], Promise<SecureContextOptions>>();
  const currentContext = (): Promise<SecureContextOptions> => {
    const fault = world.faults.authCertificate;
    const context = contexts.get(fault) ?? authCertificate(world, fault);
    contexts.set(fault, context);
    return context;
  };
  await currentContext();
  const onSocket = (socket: Socket): void => {
    if (world.faults.authConnections !== 'silent-after-tcp') {
      serve(world, apis, socket, currentContext).catch(() => socket.destroy());
    }
  };
  const outer = await listen(0, onSocket, host);
  if (host !== '::1') {
    return { ...outer, innerPort: outer.port };
  }
  const inner = await listen(0, onSocket);
  const close = async (): Promise<void> => {
    await Promise.all([outer.close(), inner.close()]);
  };
  return { port: outer.port, innerPort: inner.port, close };
}

async function serve(
  world: World,
  apis: AuthApis,
  socket: Socket,
  context: () => Promise<SecureContextOptions>,
): Promise<void> {
  const hello = await peekClientHello(socket);
  const record = world.records.add({ listener: 'auth', kind: 'connection', ...hello, fields: {} });
  try {
    const certificate = { ...(await context()), ca: clientAuthorities(world, hello.serverName) };
    const secure = await terminateTls(socket, { certificate, alpn: ['h2', 'http/1.1'], requestCert: true });
    const connection = identify(secure, hello, 'auth');
    record.fields.user = connection.identity?.userName;
    record.fields.api = secure.alpnProtocol === 'h2' ? 'grpc' : 'http';
    (secure.alpnProtocol === 'h2' ? apis.grpc : apis.rest).accept(connection);
    record.outcome = 'ok';
  } catch (error) {
    record.outcome = `refused: ${String(error)}`;
    throw error;
  }
}

/** Accepts a client without a certificate as anonymous, and rejects one with an invalid certificate. */
export function identify(socket: TLSSocket, hello: ClientHello, listener: Listener): Connection {
  const certificates = certificatesFrom(socket);
  const [leaf] = certificates;
  if (leaf !== undefined && !socket.authorized) {
    throw new Error(`client certificate: ${String(socket.authorizationError)}`);
  }
  const identity = leaf && fromCertificate(leaf.raw);
  return { listener, hello, socket, identity, certificatesSent: certificates.length };
}

/**
 * The authorities whose certificates are accepted: users and hosts of the cluster that the server name encodes,
 * otherwise of all clusters. Any other name only logs a line (`GetConfigForClient` of
 * lib/auth/clienttlsconfiggenerator.go).
 */
export function clientAuthorities({ authorities }: World, serverName: string | undefined): string[] {
  const ofClients = authorities.filter(({ type }) => type === 'host' || type === 'user');
  const ofName = ofClients.filter(({ cluster }) => encodedClusterDomain(cluster) === serverName);
  return (ofName.length === 0 ? ofClients : ofName).flatMap(tlsCertificates).map(certificatePem);
}

/** What Auth checks on every call, for any method. */
export function guardAuthCalls(world: World): (call: Call) => void {
  return ({ connection, metadata }) => {
    if (connection.certificatesSent > 1) {
      throw accessDenied('access denied: intermediaries are not supported');
    }
    if (connection.identity !== undefined && connection.identity.usages.length > 0) {
      throw accessDenied('access denied: invalid client certificate');
    }
    checkClientVersion(world, metadata.get('version')[0]);
  };
}

/** Clients that do not report their version are not checked. */
function checkClientVersion(world: World, version: string | Buffer | undefined): void {
  const major = /^(\d+)\.\d+\.\d+/.exec(String(version))?.[1];
  if (version !== undefined && world.profile.major >= 16 && !(Number(major) >= world.profile.major - 1)) {
    throw accessDenied('client version is unsupported');
  }
}
