/**
 * Where the Proxy serves its transport service: by its ALPN protocol at the web port, and on the SSH port of clusters
 * without TLS routing, where all TLS leads to it (`listeners.sshGRPC` of lib/service/service.go).
 */
import type { Socket } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { clientAuthorities, identify } from '../auth/auth.ts';
import type { GrpcServer } from '../auth/grpc.ts';
import { peekClientHello, type ClientHello } from './client-hello.ts';
import { terminateTls } from '../connection.ts';
import { startsWithSsh } from './reverse-tunnel.ts';
import type { World } from '../world.ts';

export const SSH_GRPC_PROTOCOL = 'teleport-proxy-ssh-grpc';

/** Earlier versions choose no protocol (GT#41500, GT#43473). */
const FIRST_MAJOR_WITH_TRANSPORT_ALPN = 17;

export interface TransportParts {
  readonly world: World;
  /** For clients with a certificate. */
  readonly sshGrpc: GrpcServer;
  /** Of the host authority. */
  readonly teleportCertificate: SecureContextOptions;
}

/** The Proxy shows its Teleport certificate, and demands the client's. */
export async function serveTransport(
  { sshGrpc, teleportCertificate, world }: TransportParts,
  socket: Socket,
  hello: ClientHello,
): Promise<string> {
  const secure = await terminateTls(socket, {
    certificate: { ...teleportCertificate, ca: clientAuthorities(world, hello.serverName) },
    alpn: world.profile.major >= FIRST_MAJOR_WITH_TRANSPORT_ALPN ? ['h2', SSH_GRPC_PROTOCOL] : [],
    requestCert: true,
  });
  const connection = identify(secure, hello, 'proxy');
  if (connection.identity === undefined) {
    throw new Error('a client certificate is required');
  }
  sshGrpc.accept(connection);
  return 'nodes';
}

/** A connection to the SSH port. SSH without TLS gets the identification of the Proxy and no more. */
export async function serveSshPort(parts: TransportParts, socket: Socket): Promise<void> {
  if (await startsWithSsh(socket)) {
    socket.end('SSH-2.0-Teleport\r\n');
    return;
  }
  const hello = await peekClientHello(socket);
  const record = parts.world.records.add({
    listener: 'proxy',
    kind: 'connection',
    ...hello,
    fields: { port: 'ssh' },
  });
  try {
    record.fields.route = await serveTransport(parts, socket, hello);
    record.outcome = 'ok';
  } catch (error) {
    record.outcome = `refused: ${String(error)}`;
    throw error;
  }
}
