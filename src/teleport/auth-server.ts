/** Finds out what is at the address of `auth_server`, and what to trust there. Sends no token. */
import { checkServerIdentity, type TLSSocket } from 'node:tls';
import { type Clock, sharedController, withDeadline } from '../effects/time.ts';
import type { Log } from '../effects/log.ts';
import type { Retries } from '../effects/retry.ts';
import { asMachineIdError, MachineIdError } from '../errors.ts';
import { type GrpcConnection, grpcOver } from '../grpc/client.ts';
import { type Address, formatAddress } from '../net/address.ts';
import { dialTls } from '../net/dial.ts';
import { authFailure, authName } from '../net/failures.ts';
import { describeError, networkFailure } from '../net/network-error.ts';
import type { Network } from '../net/network.ts';
import type { WireTrace } from '../net/trace.ts';
import type { WebApi } from '../net/web.ts';
import { authCaller } from './auth-call.ts';
import { GRPC_ALPN } from './auth-ping.ts';
import { type AuthTrust, type AuthVerification, verificationBy } from './auth-trust.ts';
import { API_DOMAIN } from './names.ts';
import { ping } from './ping.ts';

export interface AuthServerSearch {
  /** @param origin the setting that names it */
  readonly address: Address & { readonly origin: string };
  readonly network: Network;
  /** The web API of the Proxy that may be at the address. */
  readonly web: WebApi;
  readonly trust: AuthTrust;
  readonly retries: Pick<Retries, 'attemptMs' | 'run'>;
  readonly clock: Clock;
  readonly log: Pick<Log, 'info'>;
  readonly signal: AbortSignal;
  readonly trace?: WireTrace | undefined;
}

/** Ports at which a Proxy is tried first, as tbot does. */
const PROXY_PORTS = [443, 3080];

export function isProxyPort({ port }: Pick<Address, 'port'>): boolean {
  return PROXY_PORTS.includes(port);
}

/** The other kind of server is also tried if the first one does not respond for so long. */
const SILENCE_MS = 2000;

/**
 * Retries according to the policy.
 * @returns how to check the Auth Service, or undefined if a Proxy is at the address, as was usual before Teleport 19
 * @throws MachineIdError AUTH_UNREACHABLE, PROXY_… if it is neither, CA_PIN_…, AUTH_UNTRUSTED, TIMEOUT
 */
export async function findAuthServer(search: AuthServerSearch): Promise<AuthVerification | undefined> {
  const { address, log, retries, signal } = search;
  const verification = await retries.run(() =>
    withDeadline(
      {
        waitingFor: `the server at ${formatAddress(address)}`,
        unreached: address,
        timeoutMs: retries.attemptMs(),
        signal,
      },
      (until) => look(search, until),
    ),
  );
  if (verification === undefined) {
    log.info(
      `auth_server names a Proxy: joining through ${formatAddress(address)}; set proxy_server (or --proxy-server) instead, since tbot 19 refuses this`,
    );
  }
  return verification;
}

async function look(search: AuthServerSearch, signal: AbortSignal): Promise<AuthVerification | undefined> {
  const { address, clock, retries, trust } = search;
  const found = await identify(search, signal);
  if (found === 'proxy') return undefined;
  const place = { address, isDirect: true };
  const call = authCaller({ place, retries, attempts: (attempt) => attempt(), signal });
  try {
    return await verificationBy(trust, { call, connection: found, name: authName(place), nowMs: clock.nowMs() });
  } finally {
    found.close();
  }
}

/** The connection to an Auth Service is not verified. */
type Found = GrpcConnection | 'proxy';

async function identify(search: AuthServerSearch, outer: AbortSignal): Promise<Found> {
  const { address, clock, web } = search;
  const controller = sharedController();
  const end = () => {
    controller.abort(outer.reason);
  };
  outer.addEventListener('abort', end, { once: true });
  const asAuth = () => reachAuth(search, controller.signal);
  const asProxy = () => ping(web).then((): Found => 'proxy');
  const isProxyFirst = isProxyPort(address);
  const [first, second] = isProxyFirst ? [asProxy, asAuth] : [asAuth, asProxy];
  const attempt = first();
  const turn = Promise.race([
    attempt.then(
      () => true,
      () => false,
    ),
    clock.sleep(SILENCE_MS, controller.signal).then(
      () => false,
      () => true,
    ),
  ]);
  const other = turn.then((isOver) => (isOver ? attempt : second()));
  try {
    const found = await Promise.any([attempt, other]);
    for (const one of [attempt, other]) closeUnused(one, found);
    return found;
  } catch {
    outer.throwIfAborted();
    const [one, two] = await Promise.allSettled([attempt, other]);
    const errors = [one, two].map((result): unknown => (result.status === 'rejected' ? result.reason : undefined));
    if (isProxyFirst) errors.reverse();
    throw neither(address, errors[0], asMachineIdError(errors[1]));
  } finally {
    outer.removeEventListener('abort', end);
    controller.abort(new Error('the other kind of server responded'));
  }
}

function closeUnused(attempt: Promise<Found>, used: Found): void {
  attempt.then(
    (found) => {
      if (found !== used && found !== 'proxy') found.close();
    },
    () => undefined,
  );
}

/** Only the handshake tells: at a Proxy, these names lead to its web certificate. */
async function reachAuth({ address, network, trace }: AuthServerSearch, signal: AbortSignal): Promise<Found> {
  const wire = trace?.connection('Auth Service');
  const socket = await dialTls({
    address,
    network,
    serverName: API_DOMAIN,
    alpn: GRPC_ALPN,
    verify: false,
    signal,
    wire,
  });
  const stranger = strangerAt(socket);
  if (stranger === undefined) return grpcOver(socket, API_DOMAIN, wire);
  socket.destroy();
  throw new NotAuth(stranger);
}

class NotAuth extends Error {}

function strangerAt(socket: TLSSocket): string | undefined {
  const leaf = socket.getPeerCertificate();
  if (checkServerIdentity(API_DOMAIN, leaf) !== undefined) return `its certificate is not for ${API_DOMAIN}`;
  return socket.alpnProtocol === 'h2' ? undefined : 'it does not choose the ALPN protocol h2';
}

function neither(address: AuthServerSearch['address'], auth: unknown, proxy: MachineIdError): MachineIdError {
  // A proxy of the network that fails, fails for both.
  if (auth instanceof MachineIdError) return auth;
  const { kind } = networkFailure(auth);
  const isReached = auth instanceof NotAuth || (kind !== 'name' && kind !== 'unreachable');
  if (!isReached && (proxy.code === 'PROXY_UNREACHABLE' || proxy.code === 'TIMEOUT')) {
    return authFailure({ address, isDirect: true }, auth);
  }
  return new MachineIdError(
    proxy.code,
    `${formatAddress(address)} (from ${address.origin}) is not an Auth Service (${describeError(auth)}), and cannot be used as a Proxy: ${proxy.message}`,
    {
      hint: 'Set auth_server (or --auth-server) to host:port of the Auth Service, usually port 3025, or proxy_server (or --proxy-server) to the web address of the Proxy. If it is a Proxy with a certificate of a private authority, pass its PEM with --ca-file.',
      cause: proxy,
      likelyCauses: proxy.likelyCauses,
      transient: proxy.transient,
      unreached: proxy.unreached,
    },
  );
}
