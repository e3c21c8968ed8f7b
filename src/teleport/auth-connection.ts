/** The connection to a cluster's Auth Service, through its Proxy. */
import { withDeadline } from '../effects/deadline.ts';
import type { Retries } from '../effects/retry.ts';
import { MachineIdError } from '../errors.ts';
import { formatAddress } from './address.ts';
import { dialAuthRoute, type RouteDial } from './auth-route.ts';
import { API_DOMAIN } from './cluster-name.ts';
import { authFailure, endsTls } from './failures.ts';
import { type GrpcConnection, grpcOver } from './grpc.ts';
import { GrpcError } from './grpc-error.ts';
import { type NextConnection, openReconnecting, type Reconnecting } from './reconnect.ts';

export interface AuthDial extends RouteDial {
  readonly retries: Retries;
}

/**
 * Calls that fail with their connection are made again on another; all methods that a bot calls may be called twice.
 * @throws MachineIdError AUTH_UNREACHABLE, AUTH_UNTRUSTED, AUTH_DENIED, TIMEOUT
 */
export function connectAuth(dial: AuthDial): Promise<Reconnecting> {
  const { retries, signal } = dial;
  return openReconnecting({ open: () => dialAuth(dial), next: nextConnection, retries, signal });
}

/** An Auth Service that is not available may have another beside it, which the Proxy may choose for the next connection. */
function nextConnection({ cause }: MachineIdError): NextConnection {
  if (!(cause instanceof GrpcError) || cause.status === 'Canceled') return 'other, as this one is broken';
  return cause.status === 'Unavailable' ? 'other' : 'same';
}

/**
 * TLS routing: the Proxy reads the first ALPN value and copies the bytes to the Auth Service, where the one TLS session
 * ends with mutual authentication. Clusters without TLS routing register the same route on their web listener.
 * @throws MachineIdError AUTH_UNREACHABLE, AUTH_UNTRUSTED, AUTH_DENIED, CLUSTER_UNSUITABLE, TIMEOUT
 */
async function dialAuth(dial: AuthDial): Promise<GrpcConnection> {
  const { address, clusterName, retries, signal: outer } = dial;
  const waitingFor = `the Auth Service behind ${formatAddress(address)}`;
  checkNameLength(clusterName);
  const { socket, wire } = await withDeadline(
    { waitingFor, timeoutMs: retries.attemptMs(), signal: outer },
    async (signal) => {
      try {
        return await dialAuthRoute({ ...dial, signal });
      } catch (error) {
        signal.throwIfAborted();
        throw authFailure(address, error);
      }
    },
  );
  if (socket.alpnProtocol !== 'h2') {
    socket.destroy();
    const chosen =
      socket.alpnProtocol === false ? 'no ALPN protocol' : `the ALPN protocol ${String(socket.alpnProtocol)}`;
    throw endsTls('AUTH_UNREACHABLE', waitingFor, new Error(`${chosen} was chosen, expected h2`));
  }
  return grpcOver(socket, API_DOMAIN, wire);
}

/** The hexadecimal name takes two bytes for each of its own, and an ALPN value has 255 at most (RFC 7301 section 3.1). */
const LONGEST_CLUSTER_NAME_BYTES = 109;

function checkNameLength(clusterName: string): void {
  const bytes = Buffer.byteLength(clusterName);
  if (bytes <= LONGEST_CLUSTER_NAME_BYTES) return;
  throw new MachineIdError(
    'CLUSTER_UNSUITABLE',
    `the name of the cluster has ${bytes} bytes, expected at most ${LONGEST_CLUSTER_NAME_BYTES}: it does not fit into the route to the Auth Service`,
    { hint: 'Use --engine tbot (orb parameter engine: tbot) for this cluster.' },
  );
}
