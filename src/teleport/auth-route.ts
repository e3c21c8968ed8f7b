/** Dials the Auth Service, directly or through the Proxy by the way that reaches it. */
import type { TLSSocket } from 'node:tls';
import { type Clock, sharedController } from '../effects/time.ts';
import type { Secret } from '../effects/secret.ts';
import { MachineIdError } from '../errors.ts';
import { loadHttp2 } from '../grpc/session.ts';
import type { Address } from '../net/address.ts';
import { dialTls } from '../net/dial.ts';
import { authFailure } from '../net/failures.ts';
import { causes, errorCode, networkFailure } from '../net/network-error.ts';
import type { Network } from '../net/network.ts';
import type { WireConnection, WireTrace } from '../net/trace.ts';
import { type Upgrades, upgradeNote } from './connection-upgrade.ts';
import { API_DOMAIN, authAlpn, encodedClusterName } from './names.ts';
import { dialProxyCluster } from './proxy-cluster.ts';

/**
 * - `cluster-name`: TLS routing by the server name `<hex(cluster)>.teleport.cluster.local`, which Teleport Cloud routes by
 *   (gravitational/teleport 25534). Proxies without TLS routing have the same route on their web port.
 * - `proxy-name`: the same with the Proxy's own host, for firewalls that drop `*.teleport.cluster.local`
 *   (gravitational/teleport 66656).
 * - `upgrade`: the same inside a connection upgrade, through a load balancer that drops ALPN.
 * - `ssh-port`: the transport service at the SSH port of a Proxy without TLS routing (protocol reference 4.4).
 * - `direct`: the address is that of the Auth Service, where nothing is routed (protocol reference 1.3). Never one of several
 *   ways that are tried.
 */
export type AuthWay = 'cluster-name' | 'proxy-name' | 'upgrade' | 'ssh-port' | 'direct';

/** The way that reached the Auth Service; all later connections of a run use it. */
export interface AuthRoute {
  way: AuthWay | undefined;
}

export interface AuthTarget {
  /** The Proxy's web address, or that of the Auth Service. */
  readonly address: Address;
  readonly clusterName: string;
  /** The Proxy's SSH port; undefined with TLS routing, which has no other port. */
  readonly sshAddress?: Address | undefined;
}

export interface RouteDial extends AuthTarget {
  readonly network: Network;
  readonly upgrades: Upgrades;
  /** PEM of the cluster's own authorities. */
  readonly authorities: readonly string[];
  /** Exactly one certificate: the Auth Service rejects a chain. */
  readonly certificatePem: string;
  readonly privateKeyPem: Secret;
  readonly route: AuthRoute;
  /** Called with a sentence if the first way fails and others are tried. */
  readonly onOtherWay: (reason: string) => void;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly trace?: WireTrace | undefined;
}

export interface DialResult {
  readonly socket: TLSSocket;
  readonly way: AuthWay;
  readonly wire: WireConnection | undefined;
}

/** How long a ClientHello may get no response before the other ways are tried in parallel. */
const SILENCE_MS = 2000;

/** The server name to send. An IP address is not sent as SNI. */
export function authServerName(way: AuthWay, { address, clusterName }: AuthTarget): string {
  return way === 'proxy-name' ? address.host : encodedClusterName(clusterName);
}

/** For messages: through what the Auth Service is reached, other than the Proxy's web port as it is. */
export function wayText(way: AuthWay, target: AuthTarget): string {
  switch (way) {
    case 'cluster-name':
    case 'proxy-name':
      return `the TLS server name ${authServerName(way, target)}`;
    case 'upgrade':
      return 'a connection upgrade through a load balancer';
    case 'ssh-port':
      return "the Proxy's SSH port";
    case 'direct':
      return 'no Proxy in between';
    default:
      return way satisfies never;
  }
}

/**
 * The first connection may try several ways: TLS routing with the cluster's name first, then once the others together, if the
 * first attempt fails in a way that may depend on what is between here and the Proxy, or gets no response for two seconds.
 * @throws MachineIdError if all ways failed, otherwise Node's own error
 */
export async function dialAuthRoute(dial: RouteDial): Promise<DialResult> {
  const { address, route, upgrades } = dial;
  const way = route.way ?? (upgrades.known(address) === true ? 'upgrade' : undefined);
  const reached = await (way === undefined ? dialByAnyWay(dial) : startAttempt(dial, way).result);
  route.way = reached.way;
  return reached;
}

async function dialByAnyWay(dial: RouteDial): Promise<DialResult> {
  const first = startAttempt(dial, 'cluster-name');
  const outcome = await firstOutcome(first, dial);
  if (outcome.kind === 'reached') return outcome.reached;
  dial.signal.throwIfAborted();
  if (outcome.kind === 'failed' && !(first.isConnected() && mayDependOnWay(outcome.error))) throw outcome.error;
  const why =
    outcome.kind === 'failed' ? networkFailure(outcome.error).detail : `no response within ${SILENCE_MS / 1000} s`;
  const others = dial.sshAddress === undefined ? SHARED_PORT_WAYS : SEPARATE_PORTS_WAYS;
  dial.onOtherWay(
    `cannot reach the Auth Service with ${wayText('cluster-name', dial)} (${why}); trying ${others.map((way) => wayText(way, dial)).join(', ')}`,
  );
  return firstToConnect(dial, [first, ...others.map((way) => startAttempt(dial, way))]);
}

const SHARED_PORT_WAYS: readonly AuthWay[] = ['proxy-name', 'upgrade'];
const SEPARATE_PORTS_WAYS: readonly AuthWay[] = [...SHARED_PORT_WAYS, 'ssh-port'];

interface Attempt {
  readonly way: AuthWay;
  readonly result: Promise<DialResult>;
  /** Resolves when the ClientHello can be sent. */
  readonly connected: Promise<void>;
  readonly isConnected: () => boolean;
  /** Stops the attempt and closes its connection, if any. */
  readonly abandon: () => void;
}

function startAttempt(dial: RouteDial, way: AuthWay): Attempt {
  const { signal: outer } = dial;
  const wire = dial.trace?.connection('Auth Service');
  const controller = sharedController();
  const end = () => {
    controller.abort(outer.aborted ? outer.reason : new Error('another way was faster'));
  };
  outer.addEventListener('abort', end, { once: true });
  if (outer.aborted) end();
  let isConnected = false;
  let onConnect: () => void = () => undefined;
  const connected = new Promise<void>((resolve) => {
    onConnect = () => {
      isConnected = true;
      resolve();
      void loadHttp2();
    };
  });
  const result = dialBy(way, { ...dial, signal: controller.signal, onConnect, wire })
    .then((socket) => ({ socket, way, wire }))
    .finally(() => {
      outer.removeEventListener('abort', end);
    });
  // The caller may wait only for another attempt.
  result.catch(() => undefined);
  const abandon = () => {
    end();
    result.then(
      ({ socket }) => socket.destroy(),
      () => undefined,
    );
  };
  return { way, result, connected, isConnected: () => isConnected, abandon };
}

interface WayDial extends RouteDial {
  readonly onConnect: () => void;
  readonly wire: WireConnection | undefined;
}

/** The handshake with the Auth Service is the same in all ways, except that only TLS routing needs its ALPN value. */
async function dialBy(way: AuthWay, dial: WayDial): Promise<TLSSocket> {
  const { address, authorities, certificatePem, clusterName, network, onConnect, privateKeyPem, signal, wire } = dial;
  const handshake = {
    address,
    serverName: authServerName(way, dial),
    certificateName: API_DOMAIN,
    alpn: way === 'ssh-port' || way === 'direct' ? ['h2'] : [authAlpn(clusterName), 'h2'],
    ca: authorities,
    client: { certificate: certificatePem, key: privateKeyPem.reveal() },
    signal,
    onConnect,
    wire,
  };
  switch (way) {
    case 'cluster-name':
    case 'proxy-name':
    case 'direct':
      return dialTls({ ...handshake, network });
    case 'upgrade':
      return dialTls({ ...handshake, over: await openUpgraded(dial) });
    case 'ssh-port':
      return dialTls({ ...handshake, over: await openAtSshPort(dial) });
    default:
      return way satisfies never;
  }
}

async function openUpgraded({ address, signal, upgrades, wire }: WayDial) {
  if (!(await upgrades.needed(address, signal))) throw new NotNeeded('no load balancer terminates TLS');
  return upgrades.open(address, { signal, wire });
}

/** This way is not one to the cluster: nothing failed. */
class NotNeeded extends Error {}

function openAtSshPort(dial: WayDial) {
  const { authorities: hostAuthoritiesPem, certificatePem, clusterName, network, privateKeyPem, signal } = dial;
  const { address, sshAddress = address, trace } = dial;
  const credentials = { hostAuthoritiesPem, certificatePem, privateKeyPem };
  const target = { ...credentials, address: sshAddress, network, upgrades: undefined, signal, trace };
  return dialProxyCluster(target, clusterName);
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

/** A failed certificate check counts too: SNI-based routing, or a load balancer, may have led to another server. */
function mayDependOnWay(error: unknown): boolean {
  const problem = networkFailure(error);
  if (problem.kind !== 'untrusted') return problem.kind === 'unreachable' || problem.kind === 'wrong-protocol';
  return !causes(error).some((one) => /^CERT_(HAS_EXPIRED|NOT_YET_VALID)$/.test(errorCode(one)));
}

async function firstToConnect(dial: RouteDial, attempts: readonly Attempt[]): Promise<DialResult> {
  try {
    const reached = await Promise.any(attempts.map(({ result }) => result));
    for (const { abandon, way } of attempts) if (way !== reached.way) abandon();
    return reached;
  } catch {
    dial.signal.throwIfAborted();
    throw allWaysFailed(
      dial,
      await Promise.all(
        attempts.map(async ({ result, way }) => ({ way, error: await result.catch((error: unknown) => error) })),
      ),
    );
  }
}

interface FailedWay {
  readonly way: AuthWay;
  readonly error: unknown;
}

/**
 * Behind a load balancer, only the upgrade could have succeeded. Otherwise the last failure explains more than the first one
 * if that is only a broken connection.
 */
function allWaysFailed(dial: RouteDial, failures: readonly FailedWay[]): MachineIdError {
  const tried = failures.filter(({ error }) => !(error instanceof NotNeeded));
  const note = upgradeNote(dial.upgrades.finding(dial.address));
  const upgrade = tried.find(({ way }) => way === 'upgrade');
  const errors = (upgrade === undefined ? tried : [upgrade]).map(({ error }) =>
    authFailure({ address: dial.address, isDirect: false }, error, note),
  );
  const clearer = errors.find(({ code }) => code !== 'AUTH_UNREACHABLE') ?? errors[0];
  if (clearer === undefined) throw new Error('no way was tried');
  const { code, hint, likelyCauses, message } = clearer;
  return new MachineIdError(code, `${message}; tried ${tried.map(({ way }) => wayText(way, dial)).join(', ')}`, {
    hint,
    likelyCauses,
    cause: clearer.cause,
    transient: clearer.transient,
  });
}
