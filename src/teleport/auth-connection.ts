/** The connection to a cluster's Auth Service, opened again when it breaks. */
import { withDeadline } from '../effects/time.ts';
import type { Attempts, Retries } from '../effects/retry.ts';
import { MachineIdError } from '../errors.ts';
import { type GrpcConnection, grpcOver } from '../grpc/client.ts';
import { GrpcError } from '../grpc/status.ts';
import { authFailure, authName, tlsTerminatedError } from '../net/failures.ts';
import { authServerName, dialAuthRoute, type RouteDial } from './auth-route.ts';
import { upgradeNote } from './connection-upgrade.ts';
import { API_DOMAIN } from './names.ts';

interface AuthDial extends RouteDial {
  readonly retries: Retries;
}

/**
 * Calls that fail with their connection are repeated on a new one; every method that a bot calls is safe to repeat.
 * @throws MachineIdError AUTH_UNREACHABLE, AUTH_UNTRUSTED, AUTH_DENIED, TIMEOUT
 */
export function connectAuth(dial: AuthDial): Promise<Reconnecting> {
  const { retries, signal } = dial;
  return openReconnecting({ open: () => dialAuth(dial), next: nextConnection, retries, signal });
}

/** If an Auth Service is unavailable, the Proxy may choose another one for the next connection. */
function nextConnection({ cause }: MachineIdError): NextConnection {
  if (!(cause instanceof GrpcError) || cause.status === 'Canceled') return 'other, this one is broken';
  return cause.status === 'Unavailable' ? 'other' : 'same';
}

/**
 * TLS routing: the Proxy reads the first ALPN value and copies the bytes to the Auth Service, which terminates the mutual
 * TLS session. Clusters without TLS routing register the same route on their web listener.
 * @throws MachineIdError AUTH_UNREACHABLE, AUTH_UNTRUSTED, AUTH_DENIED, CLUSTER_UNSUPPORTED, TIMEOUT
 */
async function dialAuth(dial: AuthDial): Promise<GrpcConnection> {
  const { address, clusterName, retries, route, signal: outer } = dial;
  const place = { address, isDirect: route.way === 'direct' };
  const waitingFor = authName(place);
  if (!place.isDirect) checkNameLength(clusterName);
  const { socket, wire } = await withDeadline(
    { waitingFor, unreached: { ...address, isReachable: true }, timeoutMs: retries.attemptMs(), signal: outer },
    async (signal) => {
      try {
        return await dialAuthRoute({ ...dial, signal });
      } catch (error) {
        signal.throwIfAborted();
        throw authFailure(place, error, upgradeNote(dial.upgrades.finding(address)));
      }
    },
  ).catch((error: unknown) => {
    throw withSilenceCauses(error, dial);
  });
  if (socket.alpnProtocol !== 'h2') {
    socket.destroy();
    const chosen =
      socket.alpnProtocol === false ? 'no ALPN protocol' : `the ALPN protocol ${String(socket.alpnProtocol)}`;
    const cause = new Error(`the server chose ${chosen}, expected h2`);
    const note = upgradeNote(dial.upgrades.finding(address));
    throw place.isDirect
      ? authFailure(place, cause)
      : tlsTerminatedError('AUTH_UNREACHABLE', { where: waitingFor, address, cause, note });
  }
  return grpcOver(socket, API_DOMAIN, wire);
}

/** The bot has joined through the same port, and the Proxy's own name was tried too: the server name is not the reason. */
function withSilenceCauses(error: unknown, dial: RouteDial): unknown {
  const isFirst = dial.route.way === undefined && dial.upgrades.known(dial.address) !== true;
  if (!(error instanceof MachineIdError) || error.code !== 'TIMEOUT' || !isFirst) return error;
  const names = (['cluster-name', 'proxy-name'] as const).map((way) => authServerName(way, dial));
  return error.withLikelyCauses([
    `a firewall drops connections with Teleport's ALPN (teleport-auth@...): the join got an answer on the same port, but connections with the TLS server names ${names.join(' and ')} did not`,
    'the Proxy has lost its connection to the Auth Service since the join',
  ]);
}

/** An ALPN value has at most 255 bytes (RFC 7301 section 3.1), and hex encoding doubles the length of the name. */
const MAX_CLUSTER_NAME_BYTES = 109;

function checkNameLength(clusterName: string): void {
  const bytes = Buffer.byteLength(clusterName);
  if (bytes <= MAX_CLUSTER_NAME_BYTES) return;
  throw new MachineIdError(
    'CLUSTER_UNSUPPORTED',
    `the cluster's name has ${bytes} bytes, expected at most ${MAX_CLUSTER_NAME_BYTES}: a longer one does not fit into the ALPN value for the Auth Service`,
    { hint: 'Use --engine tbot (orb parameter engine: tbot) for this cluster.' },
  );
}

/** Which connection the next try needs; one that is not broken still completes its other calls. */
export type NextConnection = 'same' | 'other' | 'other, this one is broken';

export interface Reconnecting extends GrpcConnection {
  /**
   * Runs an attempt that calls over this connection, and repeats it according to the retry policy, so it must be safe to
   * repeat. Attempts that fail together share the next connection and the wait for it.
   * @throws MachineIdError the failure of the last attempt, or of opening a connection for it
   */
  readonly attempts: <T>(attempt: () => Promise<T>) => Promise<T>;
}

interface ReconnectOptions {
  /** @throws MachineIdError */
  readonly open: () => Promise<GrpcConnection>;
  /** Called for each transient failure. */
  readonly next: (failure: MachineIdError) => NextConnection;
  readonly retries: Retries;
  readonly signal: AbortSignal;
}

/** What an attempt used. */
interface Used {
  readonly used: Promise<GrpcConnection>;
  readonly connection: GrpcConnection;
  readonly tries: Attempts;
}

/** @throws the error of the last try to open the connection */
export async function openReconnecting({ open, next, retries, signal }: ReconnectOptions): Promise<Reconnecting> {
  const reopen = () => retries.run(open, signal);
  const retired: GrpcConnection[] = [];
  let current = reopen();
  await current;

  /** Resolves when the next try is due. The first attempt that fails opens the next connection for all of them. */
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
