/** The connection to a cluster's Auth Service, through its Proxy. */
import { withDeadline } from '../effects/time.ts';
import type { Attempts, Retries } from '../effects/retry.ts';
import { MachineIdError } from '../errors.ts';
import { type GrpcConnection, grpcOver } from '../grpc/client.ts';
import { GrpcError } from '../grpc/status.ts';
import { formatAddress } from '../net/address.ts';
import { authFailure, tlsTerminatedError } from '../net/failures.ts';
import { dialAuthRoute, type RouteDial } from './auth-route.ts';
import { API_DOMAIN } from './names.ts';

interface AuthDial extends RouteDial {
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
 * @throws MachineIdError AUTH_UNREACHABLE, AUTH_UNTRUSTED, AUTH_DENIED, CLUSTER_UNSUPPORTED, TIMEOUT
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
    throw tlsTerminatedError('AUTH_UNREACHABLE', waitingFor, new Error(`${chosen} was chosen, expected h2`));
  }
  return grpcOver(socket, API_DOMAIN, wire);
}

/** The hexadecimal name takes two bytes for each of its own, and an ALPN value has 255 at most (RFC 7301 section 3.1). */
const MAX_CLUSTER_NAME_BYTES = 109;

function checkNameLength(clusterName: string): void {
  const bytes = Buffer.byteLength(clusterName);
  if (bytes <= MAX_CLUSTER_NAME_BYTES) return;
  throw new MachineIdError(
    'CLUSTER_UNSUPPORTED',
    `the name of the cluster has ${bytes} bytes, expected at most ${MAX_CLUSTER_NAME_BYTES}: it does not fit into the route to the Auth Service`,
    { hint: 'Use --engine tbot (orb parameter engine: tbot) for this cluster.' },
  );
}

// A gRPC connection that is opened again when it breaks: what a load balancer cuts must not end a job.

/** Which connection the next try needs; one that is not broken still carries the other calls to their end. */
export type NextConnection = 'same' | 'other' | 'other, as this one is broken';

export interface Reconnecting extends GrpcConnection {
  /**
   * Makes an attempt that calls over this connection, and makes it again as the policy says: it must be one that may be
   * made twice. Attempts that break together share the next connection and the wait for it.
   * @throws MachineIdError the failure of the last attempt, or of opening a connection for it
   */
  readonly attempts: <T>(attempt: () => Promise<T>) => Promise<T>;
}

interface ReconnectOptions {
  /** @throws MachineIdError */
  readonly open: () => Promise<GrpcConnection>;
  /** Is asked about failures that may pass. */
  readonly next: (failure: MachineIdError) => NextConnection;
  readonly retries: Retries;
  readonly signal: AbortSignal;
}

/** What an attempt was made with. */
interface Used {
  readonly used: Promise<GrpcConnection>;
  readonly connection: GrpcConnection;
  readonly tries: Attempts;
}

/** @throws what the last try at opening the connection threw */
export async function openReconnecting({ open, next, retries, signal }: ReconnectOptions): Promise<Reconnecting> {
  const reopen = () => retries.run(open, signal);
  const retired: GrpcConnection[] = [];
  let current = reopen();
  await current;

  /** Resolves when the next try is due; the first that fails opens the next connection for all. */
  const afterFailure = (error: unknown, { used, connection, tries }: Used): Promise<void> | void => {
    const which = error instanceof MachineIdError && error.transient !== undefined ? next(error) : 'same';
    if (which === 'same') return tries.waitToRetry(error);
    if (current !== used) {
      tries.countFailure(error);
      return;
    }
    if (which === 'other') retired.push(connection);
    else connection.close();
    current = tries.waitToRetry(error).then(reopen);
    // The next attempt awaits it.
    current.catch(() => undefined);
  };
  return {
    call: async (method, request, options) => (await current).call(method, request, options),
    stream: async function* (method, requests, options) {
      yield* (await current).stream(method, requests, options);
    },
    attempts: async (attempt) => {
      const tries = retries.begin(signal);
      for (;;) {
        const used = current;
        const connection = await used;
        try {
          return await attempt();
        } catch (error) {
          await afterFailure(error, { used, connection, tries });
        }
      }
    },
    close: () => {
      for (const connection of retired) connection.close();
      current.then(
        (connection) => {
          connection.close();
        },
        () => undefined,
      );
    },
  };
}
