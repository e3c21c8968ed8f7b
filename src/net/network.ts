/** The network of a command: every outgoing connection is opened here, directly or through an HTTP or SOCKS proxy. */
import type { Socket } from 'node:net';
import type { Mask } from '../effects/secret.ts';
import type { Clock } from '../effects/time.ts';
import type { Address } from './address.ts';
import { type EgressRoute, egressRoute, type Purpose, readEgressProxies } from './egress-proxy.ts';
import { type LookUp, openTcp, type Reached } from './tcp.ts';
import { errorNameOf, type WireConnection, type WireEvent } from './trace.ts';

export interface Network {
  /**
   * Resolves with a connection on which the next byte reaches the server.
   * @throws Node's own error, MachineIdError EGRESS_PROXY_FAILED, or the signal's reason
   */
  open(address: Address, options: OpenOptions): Promise<Socket>;
  /** Whether a connection to the address goes through a proxy. */
  route(address: Address, purpose: Purpose): EgressRoute;
  /**
   * Begins a connection for the next `open` to the same address, which then waits a round trip less. Never throws.
   * @returns closes it, if nothing has used it
   */
  ahead(address: Address, options: AheadOptions): () => void;
}

interface AheadOptions {
  readonly signal: AbortSignal;
  readonly clock: Pick<Clock, 'elapsedMs'>;
}

export interface OpenOptions {
  /** Carries the deadline. */
  readonly signal: AbortSignal;
  /** Decides which variables name the proxy. */
  readonly for: Purpose;
  readonly wire?: WireConnection | undefined;
  /** For a connection without a proxy; defaults to the system's resolver. */
  readonly lookUp?: LookUp | undefined;
}

export interface NetworkSettings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Hides the passwords of the proxies in all output. */
  readonly mask?: Mask;
  /** PEM of the authorities for the certificate of an https:// proxy; undefined for Node's own list. */
  readonly authorities?: () => Promise<readonly string[] | undefined>;
  /** The time limit of a request to the server. */
  readonly timeoutMs?: number;
}

/** A proxy answers once it has connected to the server, or given up. */
const MAX_PROXY_MS = 10_000;
/** How much of the time limit of a request its proxy may use, so that a silent one is named before the limit ends the request. */
const PROXY_SHARE = 0.8;

/** @throws MachineIdError EGRESS_PROXY_INVALID */
export function openNetwork(settings: NetworkSettings): Network {
  const { authorities = () => Promise.resolve(undefined), environment, mask, timeoutMs = Infinity } = settings;
  for (const { login } of readEgressProxies(environment)) mask?.hide(login?.password.reveal() ?? '');
  const route = (address: Address, purpose: Purpose) => egressRoute(environment, address, purpose);
  const reached: Reached = new Map();
  const early = new Set<EarlyConnection>();
  const openNew = async (address: Address, options: OpenOptions): Promise<Socket> => {
    const chosen = route(address, options.for);
    return traced(options.wire, async () => {
      if (chosen.kind === 'direct') return openTcp(address, { ...options, reached });
      // Loaded only if it is needed.
      const { openTunnel } = await import('./egress-tunnel.ts');
      const limitMs = Math.min(MAX_PROXY_MS, timeoutMs * PROXY_SHARE);
      return openTunnel(chosen.proxy, address, { ...options, authorities, reached, timeoutMs: limitMs });
    });
  };
  return {
    route,
    ahead: (address, options) => {
      const begun = beginEarly(openNew, address, options);
      early.add(begun);
      return () => {
        // Otherwise it is in use.
        if (early.delete(begun)) begun.discard();
      };
    },
    open: async (address, options) => {
      const begun = options.for === 'cluster' ? [...early].find((one) => one.isFor(address)) : undefined;
      if (begun !== undefined) {
        early.delete(begun);
        const socket = await begun.take(options.wire);
        options.signal.throwIfAborted();
        if (socket !== undefined) return socket;
      }
      return openNew(address, options);
    },
  };
}

interface EarlyConnection {
  isFor(address: Address): boolean;
  /** Undefined if it failed, has been closed, or is too old. */
  take(wire: WireConnection | undefined): Promise<Socket | undefined>;
  discard(): void;
}

/** Servers close a connection on which no handshake begins, Teleport's after ten seconds. */
const MAX_EARLY_MS = 5000;

/** What happens on it belongs to the connection that uses it. */
function beginEarly(open: Network['open'], address: Address, { clock, signal }: AheadOptions): EarlyConnection {
  const events: WireEvent[] = [];
  const stopwatch = () => {
    const startMs = clock.elapsedMs();
    return () => Math.round(clock.elapsedMs() - startMs);
  };
  const age = stopwatch();
  const wire = { stopwatch, emit: (event: WireEvent) => events.push(event) };
  const opened = open(address, { signal, for: 'cluster', wire }).catch(() => undefined);
  const discard = () => {
    signal.removeEventListener('abort', discard);
    void opened.then((socket) => socket?.destroy());
  };
  signal.addEventListener('abort', discard, { once: true });
  return {
    isFor: ({ host, port }) => host === address.host && port === address.port,
    discard,
    take: async (user) => {
      const socket = await opened;
      signal.removeEventListener('abort', discard);
      if (socket === undefined || age() > MAX_EARLY_MS || socket.destroyed || socket.readableEnded) {
        socket?.destroy();
        return undefined;
      }
      for (const event of events) user?.emit(event);
      return socket;
    },
  };
}

/** A connection that never opens ends in the trace, too. */
async function traced<T>(wire: WireConnection | undefined, open: () => Promise<T>): Promise<T> {
  if (wire === undefined) return open();
  const sinceStart = wire.stopwatch();
  try {
    return await open();
  } catch (error) {
    const name = error instanceof Error ? errorNameOf(error) : String(error);
    wire.emit({ event: 'closed', sentBytes: 0, receivedBytes: 0, error: name, durationMs: sinceStart() });
    throw error;
  }
}
