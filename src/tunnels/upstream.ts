/** Connections to the Proxy's web address that carry a client certificate, which alone decides where they lead. */
import type { Duplex } from 'node:stream';
import type { SecureContext, TLSSocket } from 'node:tls';
import { withDeadline } from '../effects/time.ts';
import type { Secret } from '../effects/secret.ts';
import { MachineIdError } from '../errors.ts';
import { type Address, formatAddress } from '../net/address.ts';
import { BUFFER_BYTES } from '../net/listen.ts';
import { proxyFailure } from '../net/failures.ts';
import type { Network } from '../net/network.ts';
import { describeError, networkFailure } from '../net/network-error.ts';
import { clientContext, startTls, type TlsSessions } from '../net/tls.ts';
import type { WireConnection, WireTrace } from '../net/trace.ts';
import type { WebTrust } from '../net/trust.ts';
import type { Upgrades } from '../teleport/connection-upgrade.ts';
import { API_DOMAIN } from '../teleport/names.ts';

/** The Proxy that all tunnels of a process connect to. */
export interface ProxyAccess {
  /** Its web address. */
  readonly address: Address;
  readonly network: Network;
  readonly upgrades: Upgrades;
  /** Of the web certificate. */
  readonly trust: WebTrust;
  readonly trace?: WireTrace | undefined;
}

/** What a connection presents. */
export interface ClientCertificate {
  /** PEM, exactly one certificate. */
  readonly certificatePem: string;
  readonly privateKeyPem: Secret;
  /** PEM of the cluster's host authorities: inside a connection upgrade, the Proxy presents a certificate of one of them. */
  readonly hostAuthoritiesPem: readonly string[];
  readonly expiresAtMs: number;
}

/** How the Proxy routes a connection. */
export interface UpstreamRoute {
  /**
   * The ALPN protocol, such as `teleport-postgres`. Never its twin with `-ping`, and never both: the Proxy then chooses the twin,
   * which frames every message.
   */
  readonly alpn: string;
  /** SNI; by default the host of the Proxy's address. */
  readonly serverName?: string;
  /** With `host`, the Proxy always presents a certificate of the host authority, also without an upgrade. By default only with one. */
  readonly trust?: 'host';
}

export interface Upstream {
  /**
   * Opens a connection whose input may end before its output. With TLS 1.3, a certificate that the Proxy refuses is only
   * reported when something is read.
   * @throws MachineIdError TUNNEL_FAILED, PROXY_UNREACHABLE, PROXY_UNTRUSTED, UPGRADE_REFUSED, TIMEOUT, TUNNEL_UNAVAILABLE, or
   * the signal's reason
   */
  connect(signal: AbortSignal): Promise<TLSSocket>;
}

/** A client waits for this long at most, before it gets an error. */
export const DIAL_TIMEOUT_MS = 10_000;

/** @param certificate the one to present now; one that is replaced is used for connections that are open already */
export function openUpstream(proxy: ProxyAccess, route: UpstreamRoute, certificate: () => ClientCertificate): Upstream {
  const { address, network, trace, upgrades } = proxy;
  const waitingFor = `the Proxy ${formatAddress(address)}`;
  let shared: Shared | undefined;
  const open = async (signal: AbortSignal) => {
    const presented = certificate();
    const isUpgraded = await upgrades.needed(address, signal);
    if (shared?.certificate !== presented || shared.isUpgraded !== isUpgraded) {
      shared = shareFor(presented, isUpgraded, { proxy, route });
    }
    const used = shared;
    const isResumed = used.sessions?.last !== undefined;
    const carrier = await openCarrier(isUpgraded, signal);
    try {
      return await handshake(carrier, used, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!isResumed) throw error;
      // Some servers refuse every session that began with a client certificate.
      const socket = await handshake(await openCarrier(isUpgraded, signal), { ...used, sessions: undefined }, signal);
      used.sessions = undefined;
      return socket;
    }
  };
  const openCarrier = async (isUpgraded: boolean, signal: AbortSignal): Promise<Carrier> => {
    const wire = trace?.connection('tunnel');
    const stream: Duplex = isUpgraded
      ? await upgrades.open(address, { signal, wire })
      : await network.open(address, { signal, for: 'cluster', wire });
    stream.allowHalfOpen = true;
    return { stream, wire };
  };
  const handshake = async (
    { stream, wire }: Carrier,
    { context, isUpgraded, sessions }: Shared,
    signal: AbortSignal,
  ) => {
    const socket = await startTls(stream, {
      address,
      alpn: [route.alpn],
      bufferBytes: BUFFER_BYTES,
      context,
      sessions,
      signal,
      wire,
      ...handshakeNames(route, isUpgraded),
      verify: usesHostAuthority(route, isUpgraded) || proxy.trust.verify,
    });
    socket.allowHalfOpen = true;
    return socket;
  };
  return {
    connect: async (signal) => {
      try {
        return await withDeadline({ waitingFor, timeoutMs: DIAL_TIMEOUT_MS, unreached: address, signal }, open);
      } catch (error) {
        signal.throwIfAborted();
        throw upstreamFailure(proxy, error);
      }
    },
  };
}

/** What TLS runs over. */
interface Carrier {
  readonly stream: Duplex;
  readonly wire: WireConnection | undefined;
}

/** What the connections with one certificate share; a session of TLS holds only for the certificate that it began with. */
interface Shared {
  readonly certificate: ClientCertificate;
  readonly isUpgraded: boolean;
  readonly context: SecureContext;
  /** Undefined if the server resumes none. */
  sessions: TlsSessions | undefined;
}

interface Target {
  readonly proxy: ProxyAccess;
  readonly route: UpstreamRoute;
}

function shareFor(certificate: ClientCertificate, isUpgraded: boolean, { proxy, route }: Target): Shared {
  const { certificatePem, hostAuthoritiesPem, privateKeyPem } = certificate;
  const authorities = usesHostAuthority(route, isUpgraded) ? hostAuthoritiesPem : proxy.trust.ca;
  const credentials = { certificate: certificatePem, key: privateKeyPem.reveal() };
  return { certificate, isUpgraded, context: clientContext(credentials, authorities), sessions: { last: undefined } };
}

function usesHostAuthority({ trust }: UpstreamRoute, isUpgraded: boolean): boolean {
  return isUpgraded || trust === 'host';
}

/** Every certificate of a Proxy by the host authority has the name of the API. */
function handshakeNames(route: UpstreamRoute, isUpgraded: boolean) {
  return {
    ...(route.serverName === undefined ? {} : { serverName: route.serverName }),
    ...(usesHostAuthority(route, isUpgraded) ? { certificateName: API_DOMAIN } : {}),
  };
}

/** Also for a connection that ends later, by an alert or without a byte. */
export function upstreamFailure({ address, trust }: ProxyAccess, cause: unknown): MachineIdError {
  if (cause instanceof MachineIdError) return cause;
  if (networkFailure(cause).kind !== 'refused-by-peer') return proxyFailure(address, cause, trust);
  const where = `the Proxy ${formatAddress(address)}`;
  return new MachineIdError(
    'TUNNEL_FAILED',
    `${where} refused the certificate of the tunnel: ${describeError(cause)}`,
    {
      hint: 'Check that the bot is not locked ("tctl get locks") and that the clocks of the runner and the cluster agree.',
      cause,
    },
  );
}
