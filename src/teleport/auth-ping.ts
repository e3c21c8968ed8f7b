/** Asks an Auth Service that is reached directly, before the join, what cluster it belongs to. */
import { withDeadline } from '../effects/time.ts';
import type { Retries } from '../effects/retry.ts';
import { MachineIdError } from '../errors.ts';
import { type GrpcConnection, grpcOver } from '../grpc/client.ts';
import { AuthService } from '../grpc/gen/teleport/legacy/authservice_pb.ts';
import { type Address, parseAddress } from '../net/address.ts';
import { dialTls } from '../net/dial.ts';
import { authFailure, authName } from '../net/failures.ts';
import { oneLine } from '../net/network-error.ts';
import type { Network } from '../net/network.ts';
import type { WireTrace } from '../net/trace.ts';
import { authCaller } from './auth-call.ts';
import type { AuthVerification } from './auth-trust.ts';
import { API_DOMAIN, isClusterName } from './names.ts';
import { type ClusterFacts, parseServerVersion } from './ping.ts';
import { suiteName } from './suite.ts';

export interface AuthServer {
  readonly address: Address;
  readonly verification: AuthVerification;
  readonly network: Network;
  readonly retries: Pick<Retries, 'attemptMs'>;
  readonly trace?: WireTrace | undefined;
}

/** What an Auth Service reports before the join. */
export interface AuthReport {
  readonly cluster: Pick<ClusterFacts, 'clusterName' | 'serverVersion' | 'suite'>;
  /** Public address of a Proxy, if the Auth Service knows one. */
  readonly proxyAddress: Address | undefined;
}

/**
 * Runs the work on one verified connection, which is closed afterwards.
 * @throws MachineIdError AUTH_UNREACHABLE, AUTH_UNTRUSTED, TIMEOUT, or what the work throws
 */
export async function atAuthServer<T>(
  server: AuthServer & { readonly signal: AbortSignal },
  work: (connection: GrpcConnection, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { address, retries, signal: outer } = server;
  const place = { address, isDirect: true };
  const deadline = { waitingFor: authName(place), unreached: address, timeoutMs: retries.attemptMs(), signal: outer };
  return withDeadline(deadline, async (signal) => {
    let connection: GrpcConnection | undefined;
    try {
      connection = await connect(server, signal);
      return await work(connection, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw authFailure(place, error);
    } finally {
      connection?.close();
    }
  });
}

/**
 * Asks on a connection that is only for that.
 * @throws MachineIdError AUTH_UNREACHABLE, AUTH_UNTRUSTED, RESPONSE_INVALID, TIMEOUT, or what the call throws
 */
export function reportOfAuthServer(server: AuthServer & { readonly signal: AbortSignal }): Promise<AuthReport> {
  return atAuthServer(server, (connection, signal) => askAuthServer(server, connection, signal));
}

async function connect(
  { address, network, trace, verification: { authorities: ca, verify } }: AuthServer,
  signal: AbortSignal,
): Promise<GrpcConnection> {
  const wire = trace?.connection('Auth Service');
  const handshake = { serverName: API_DOMAIN, alpn: GRPC_ALPN, signal, wire };
  const socket = await dialTls({ ...handshake, address, network, verify, ...(verify ? { ca } : {}) });
  return grpcOver(socket, API_DOMAIN, wire);
}

/** The Auth Service tells gRPC from HTTP by ALPN (protocol reference 2.6). */
export const GRPC_ALPN = ['h2'];
export const REST_ALPN = ['http/1.1'];

/** @throws MachineIdError RESPONSE_INVALID, or what the call throws */
export async function askAuthServer(
  { address, retries }: Pick<AuthServer, 'address' | 'retries'>,
  connection: Pick<GrpcConnection, 'call'>,
  signal: AbortSignal,
): Promise<AuthReport> {
  const place = { address, isDirect: true };
  const call = authCaller({ place, retries, attempts: (attempt) => attempt(), signal });
  const said = await call('Ping', (at) => connection.call(AuthService.ping, {}, at));
  const serverVersion = parseServerVersion(said.serverVersion);
  if (serverVersion === undefined) throw unreadable('version', said.serverVersion);
  if (!isClusterName(said.clusterName)) throw unreadable('name of the cluster', said.clusterName);
  return {
    cluster: { clusterName: said.clusterName, serverVersion, suite: suiteName(said.signatureAlgorithmSuite) },
    proxyAddress: parseAddress(said.proxyPublicAddr, WEB_PORT),
  };
}

const WEB_PORT = 443;

function unreadable(what: string, said: string): MachineIdError {
  return new MachineIdError(
    'RESPONSE_INVALID',
    `the Auth Service reports its ${what} as ${JSON.stringify(oneLine(said))}`,
    {
      hint: 'Check that the address is that of the Auth Service of a cluster, version 15.3.7 or later.',
    },
  );
}
