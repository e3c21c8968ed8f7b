/** The connection to a cluster's Auth Service, through its Proxy. */
import type { Clock } from '../effects/clock.ts';
import { withDeadline } from '../effects/deadline.ts';
import type { Secret } from '../effects/secret.ts';
import { MachineIdError } from '../errors.ts';
import { type Address, formatAddress } from './address.ts';
import { API_DOMAIN, authAlpn } from './cluster-name.ts';
import { dialTls } from './dial.ts';
import { authFailure } from './failures.ts';
import { type GrpcConnection, grpcOver } from './grpc.ts';
import { GrpcError, GrpcReplyError } from './grpc-error.ts';
import { openReconnecting } from './reconnect.ts';
import type { WireTrace } from './wire-trace.ts';

/** A load balancer or an Auth Service that restarts is back soon. */
const RECONNECT_DELAYS_MS = [300, 1000];

export interface AuthDial {
  /** The Proxy's web address. */
  readonly address: Address;
  readonly clusterName: string;
  /** PEM of the cluster's own authorities. */
  readonly authorities: readonly string[];
  /** Exactly one certificate: with more, the Auth Service refuses the caller. */
  readonly certificatePem: string;
  readonly privateKeyPem: Secret;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Told of each connection that broke, or could not be had, and is opened again. */
  readonly onRetry: (error: unknown, delayMs: number) => void;
  readonly trace?: WireTrace | undefined;
}

/**
 * Calls that break with their connection are made again on another; all methods that a bot calls may be called twice.
 * @throws MachineIdError AUTH_UNREACHABLE, AUTH_UNTRUSTED, AUTH_DENIED, TIMEOUT
 */
export function connectAuth(dial: AuthDial): Promise<GrpcConnection> {
  const { address, clock, onRetry, signal } = dial;
  return openReconnecting({
    open: () => dialAuth(dial),
    isBroken: (error) => isBroken(address, error),
    delaysMs: RECONNECT_DELAYS_MS,
    onRetry: (error, delayMs) => {
      onRetry(error instanceof GrpcError ? error : authFailure(address, error), delayMs);
    },
    clock,
    signal,
  });
}

/** Canceled is what an Auth Service says that goes away; another answer stays the same when it is asked for again. */
function isBroken(address: Address, error: unknown): boolean {
  if (error instanceof GrpcError) return error.status === 'Canceled';
  // Without a cause: there is a connection, and what it leads to is wrong.
  if (error instanceof GrpcReplyError || (error instanceof MachineIdError && error.cause === undefined)) return false;
  return authFailure(address, error).code === 'AUTH_UNREACHABLE';
}

/**
 * TLS routing: the Proxy reads the first ALPN value and copies the bytes to the Auth Service, where the one TLS session
 * ends with mutual authentication. Clusters without TLS routing register the same route on their web listener.
 * @throws MachineIdError AUTH_UNREACHABLE, AUTH_UNTRUSTED, AUTH_DENIED, TIMEOUT
 */
async function dialAuth(dial: AuthDial): Promise<GrpcConnection> {
  const { address, clusterName, timeoutMs, signal: outer } = dial;
  const waitingFor = `the Auth Service behind ${formatAddress(address)}`;
  const wire = dial.trace?.connection('Auth Service');
  const socket = await withDeadline({ waitingFor, timeoutMs, signal: outer }, async (signal) => {
    try {
      return await dialTls({
        address,
        serverName: API_DOMAIN,
        alpn: [authAlpn(clusterName), 'h2'],
        ca: dial.authorities,
        client: { certificate: dial.certificatePem, key: dial.privateKeyPem.reveal() },
        signal,
        wire,
      });
    } catch (error) {
      signal.throwIfAborted();
      throw authFailure(address, error);
    }
  });
  if (socket.alpnProtocol !== 'h2') {
    socket.destroy();
    throw new MachineIdError(
      'AUTH_UNREACHABLE',
      `${waitingFor} chose the protocol ${String(socket.alpnProtocol)}, expected h2`,
      {
        hint: 'Something on the way drops ALPN, as load balancers that open TLS do: give an address that reaches the Proxy itself.',
      },
    );
  }
  return grpcOver(socket, API_DOMAIN, wire);
}
