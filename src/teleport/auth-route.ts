/** Dials the Auth Service through the Proxy, using the server name that reaches it. */
import type { TLSSocket } from 'node:tls';
import { type Clock, sharedController } from '../effects/time.ts';
import type { Secret } from '../effects/secret.ts';
import { MachineIdError } from '../errors.ts';
import type { Address } from '../net/address.ts';
import { dialTls } from '../net/dial.ts';
import { authFailure } from '../net/failures.ts';
import { causes, errorCode, networkFailure } from '../net/network-error.ts';
import type { Network } from '../net/network.ts';
import type { WireConnection, WireTrace } from '../net/trace.ts';
import { API_DOMAIN, authAlpn, encodedClusterName } from './names.ts';

/**
 * - `cluster`: `<hex(cluster)>.teleport.cluster.local`, which Teleport Cloud routes by (gravitational/teleport 25534).
 * - `proxy`: the Proxy's own host, for firewalls that drop `*.teleport.cluster.local` (gravitational/teleport 66656).
 */
export type AuthNaming = 'cluster' | 'proxy';

/** The naming that reached the Auth Service; all later connections of a run use it. */
export interface AuthRoute {
  naming: AuthNaming | undefined;
}

export interface AuthTarget {
  /** The Proxy's web address. */
  readonly address: Address;
  readonly clusterName: string;
}

export interface RouteDial extends AuthTarget {
  readonly network: Network;
  /** PEM of the cluster's own authorities. */
  readonly authorities: readonly string[];
  /** Exactly one certificate: the Auth Service rejects a chain. */
  readonly certificatePem: string;
  readonly privateKeyPem: Secret;
  readonly route: AuthRoute;
  /** Called with a sentence if the cluster's name fails and the Proxy's host is tried. */
  readonly onOtherName: (reason: string) => void;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly trace?: WireTrace | undefined;
}

export interface DialResult {
  readonly socket: TLSSocket;
  readonly naming: AuthNaming;
  readonly wire: WireConnection | undefined;
}

/** How long a ClientHello may get no response before the other name is tried in parallel. */
const SILENCE_MS = 2000;

/** The server name to send. An IP address is not sent as SNI. */
export function authServerName(naming: AuthNaming, { address, clusterName }: AuthTarget): string {
  return naming === 'cluster' ? encodedClusterName(clusterName) : address.host;
}

/**
 * The first connection may try both names: the cluster's first, then once the Proxy's host, if the first attempt fails in a
 * way that may depend on the name, or gets no response for two seconds.
 * @throws MachineIdError if both names failed, otherwise Node's own error
 */
export async function dialAuthRoute(dial: RouteDial): Promise<DialResult> {
  const { route } = dial;
  const reached = await (route.naming === undefined ? dialByEither(dial) : startAttempt(dial, route.naming).result);
  route.naming = reached.naming;
  return reached;
}

async function dialByEither(dial: RouteDial): Promise<DialResult> {
  const first = startAttempt(dial, 'cluster');
  const outcome = await firstOutcome(first, dial);
  if (outcome.kind === 'reached') return outcome.reached;
  dial.signal.throwIfAborted();
  if (outcome.kind === 'failed' && !(first.isConnected() && mayDependOnName(outcome.error))) throw outcome.error;
  const why =
    outcome.kind === 'failed' ? networkFailure(outcome.error).detail : `no response within ${SILENCE_MS / 1000} s`;
  dial.onOtherName(
    `cannot reach the Auth Service with the server name ${authServerName('cluster', dial)} (${why}); trying ${authServerName('proxy', dial)}`,
  );
  return firstToConnect(dial, [first, startAttempt(dial, 'proxy')]);
}

interface Attempt {
  readonly naming: AuthNaming;
  readonly result: Promise<DialResult>;
  /** Resolves when the ClientHello can be sent. */
  readonly connected: Promise<void>;
  readonly isConnected: () => boolean;
  /** Stops the attempt and closes its connection, if any. */
  readonly abandon: () => void;
}

function startAttempt(dial: RouteDial, naming: AuthNaming): Attempt {
  const { address, authorities, certificatePem, clusterName, network, privateKeyPem, signal: outer } = dial;
  const wire = dial.trace?.connection('Auth Service');
  const controller = sharedController();
  const end = () => {
    controller.abort(outer.aborted ? outer.reason : new Error('the other server name was faster'));
  };
  outer.addEventListener('abort', end, { once: true });
  if (outer.aborted) end();
  let isConnected = false;
  let onConnect: () => void = () => undefined;
  const connected = new Promise<void>((resolve) => {
    onConnect = () => {
      isConnected = true;
      resolve();
    };
  });
  const result = dialTls({
    network,
    address,
    serverName: authServerName(naming, dial),
    certificateName: API_DOMAIN,
    alpn: [authAlpn(clusterName), 'h2'],
    ca: authorities,
    client: { certificate: certificatePem, key: privateKeyPem.reveal() },
    signal: controller.signal,
    onConnect,
    wire,
  })
    .then((socket) => ({ socket, naming, wire }))
    .finally(() => {
      outer.removeEventListener('abort', end);
    });
  // The caller may wait only for the other attempt.
  result.catch(() => undefined);
  const abandon = () => {
    end();
    result.then(
      ({ socket }) => socket.destroy(),
      () => undefined,
    );
  };
  return { naming, result, connected, isConnected: () => isConnected, abandon };
}

type Outcome =
  | { readonly kind: 'reached'; readonly reached: DialResult }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'silent' };

async function firstOutcome({ connected, result }: Attempt, { clock }: RouteDial): Promise<Outcome> {
  const over = new AbortController();
  const silence = async (): Promise<Outcome> => {
    await connected;
    await clock.sleep(SILENCE_MS, over.signal).catch(() => undefined);
    return { kind: 'silent' };
  };
  const end = result.then(
    (reached): Outcome => ({ kind: 'reached', reached }),
    (error: unknown): Outcome => ({ kind: 'failed', error }),
  );
  try {
    return await Promise.race([end, silence()]);
  } finally {
    over.abort();
  }
}

/** A failed certificate check counts too: SNI-based routing may have led to another server. */
function mayDependOnName(error: unknown): boolean {
  const problem = networkFailure(error);
  if (problem.kind !== 'untrusted') return problem.kind === 'unreachable' || problem.kind === 'wrong-protocol';
  return !causes(error).some((one) => /^CERT_(HAS_EXPIRED|NOT_YET_VALID)$/.test(errorCode(one)));
}

async function firstToConnect(dial: RouteDial, attempts: readonly [Attempt, Attempt]): Promise<DialResult> {
  try {
    const reached = await Promise.any(attempts.map(({ result }) => result));
    for (const { abandon, naming } of attempts) if (naming !== reached.naming) abandon();
    return reached;
  } catch {
    dial.signal.throwIfAborted();
    const [byCluster, byProxy] = await Promise.all(
      attempts.map(({ result }) => result.catch((error: unknown) => error)),
    );
    throw bothNamesFailed(dial, byCluster, byProxy);
  }
}

/** The second failure explains more than a first one that is only a broken connection. */
function bothNamesFailed(dial: RouteDial, byCluster: unknown, byProxy: unknown): MachineIdError {
  const [first, second] = [byCluster, byProxy].map((error) => authFailure(dial.address, error));
  const clearer = first?.code === 'AUTH_UNREACHABLE' ? second : first;
  const { code, hint, likelyCauses, message } = clearer ?? authFailure(dial.address, byCluster);
  const names = [authServerName('cluster', dial), authServerName('proxy', dial)];
  return new MachineIdError(code, `${message}; tried the server names ${names.join(' and ')}`, {
    hint,
    likelyCauses,
    cause: clearer?.cause,
    transient: clearer?.transient,
  });
}
