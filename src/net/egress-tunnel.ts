/** Opens connections through an HTTP or SOCKS proxy of the network. */
import type { Socket } from 'node:net';
import { withDeadline } from '../effects/time.ts';
import { MachineIdError } from '../errors.ts';
import { type Address, formatAddress } from './address.ts';
import { type EgressProxy, proxyName, proxyUrl } from './egress-proxy.ts';
import { egressFailure, type TunnelRequest } from './egress-failure.ts';
import { requestByConnect } from './http-connect.ts';
import { networkFailure } from './network-error.ts';
import { openTcp, type Reached } from './tcp.ts';
import { startTls } from './tls.ts';
import type { WireConnection } from './trace.ts';

interface TunnelOptions {
  readonly signal: AbortSignal;
  readonly wire?: WireConnection | undefined;
  /** For the proxy's response; a proxy answers only after it has connected to the server, or given up. */
  readonly timeoutMs: number;
  /** The addresses of proxies are remembered, too. */
  readonly reached?: Reached | undefined;
  /** PEM of the authorities for the certificate of an https:// proxy; undefined for Node's own list. */
  readonly authorities: () => Promise<readonly string[] | undefined>;
}

/**
 * Resolves once the proxy has connected to the target: everything from then on comes from the target.
 * @throws MachineIdError EGRESS_PROXY_FAILED, or the signal's reason
 */
export async function openTunnel(proxy: EgressProxy, target: Address, options: TunnelOptions): Promise<Socket> {
  const { signal, timeoutMs, wire } = options;
  const sinceStart = wire?.stopwatch();
  const report = (outcome: { readonly answer?: string; readonly error?: string }) => {
    const facts = { proxy: proxyUrl(proxy), variable: proxy.variable, target: formatAddress(target), ...outcome };
    wire?.emit({ event: 'proxy', ...facts, durationMs: sinceStart?.() ?? 0 });
  };
  let isConnected = false;
  try {
    return await withDeadline({ waitingFor: proxyName(proxy), timeoutMs, signal }, async (until) => {
      const socket = await connectToProxy(proxy, { ...options, signal: until });
      isConnected = true;
      report({ answer: await requestTunnel(socket, { proxy, target, signal: until }) });
      return socket;
    });
  } catch (error) {
    signal.throwIfAborted();
    const isSilent = error instanceof MachineIdError && error.code === 'TIMEOUT';
    const failure = isSilent ? silent(proxy, { target, timeoutMs, isConnected, cause: error }) : error;
    report({ error: failure instanceof Error ? failure.message : String(failure) });
    throw failure;
  }
}

interface Silence {
  readonly target: Address;
  readonly timeoutMs: number;
  /** Whether the proxy has accepted the connection. */
  readonly isConnected: boolean;
  readonly cause: MachineIdError;
}

function silent(proxy: EgressProxy, { cause, isConnected, target, timeoutMs }: Silence): MachineIdError {
  const [name, to, limit] = [proxyName(proxy), formatAddress(target), `${Number((timeoutMs / 1000).toFixed(1))} s`];
  if (!isConnected) {
    return egressFailure(`cannot connect to ${name}: no response within ${limit}`, {
      hint: `Check the host and port in ${proxy.variable}, and that no firewall between this job and the proxy drops packets.`,
      cause,
      isTransient: true,
    });
  }
  return egressFailure(`${name} did not answer the request for ${to} within ${limit}`, {
    hint: `Check that ${proxy.variable} is the address of a proxy, and that the proxy reaches ${to}: a firewall behind it may drop the packets.`,
    cause,
    isTransient: true,
  });
}

// The connection to the proxy.

async function connectToProxy(
  proxy: EgressProxy,
  { authorities, reached, signal, wire }: Omit<TunnelOptions, 'timeoutMs'>,
): Promise<Socket> {
  const { address, scheme } = proxy;
  try {
    const socket = await openTcp(address, { reached, signal, wire });
    if (scheme !== 'https') return socket;
    const ca = await authorities().catch((error: unknown) => {
      socket.destroy();
      throw error;
    });
    const trust = ca === undefined ? {} : { ca };
    return await startTls(socket, { address, alpn: ['http/1.1'], ...trust, signal, wire: wire && withoutEnd(wire) });
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof MachineIdError ? error : unreachable(proxy, error);
  }
}

/** The end of the connection is traced once, by what runs inside the tunnel. */
function withoutEnd(wire: WireConnection): WireConnection {
  return {
    ...wire,
    emit: (event) => {
      if (event.event !== 'closed') wire.emit(event);
    },
  };
}

function unreachable(proxy: EgressProxy, cause: unknown): MachineIdError {
  const { detail, isTransient, kind } = networkFailure(cause);
  const { variable } = proxy;
  const name = proxyName(proxy);
  switch (kind) {
    case 'name':
      return egressFailure(`cannot resolve the host name of ${name}: ${detail}`, {
        hint: `Correct the host name in ${variable}, or unset it if this job needs no proxy.`,
        cause,
        isTransient,
      });
    case 'untrusted':
      return egressFailure(`the certificate of ${name} is not trusted: ${detail}`, {
        hint: 'If a private authority signed it, pass its PEM with --ca-file, SSL_CERT_FILE or NODE_EXTRA_CA_CERTS. If the name differs, use the name in the certificate.',
        cause,
      });
    case 'wrong-protocol':
    case 'refused-by-peer':
      return egressFailure(`cannot open TLS to ${name}: ${detail}`, {
        hint: `Check the port in ${variable}. If the proxy does not speak TLS, write http:// instead of https://.`,
        cause,
      });
    case 'unreachable':
      return egressFailure(`cannot connect to ${name}: ${detail}`, {
        hint: `Check the host and port in ${variable}, and that the proxy runs and this job can reach it.`,
        cause,
        isTransient,
      });
    default:
      return kind satisfies never;
  }
}

/** The code for SOCKS is loaded only if it is needed. */
async function requestTunnel(socket: Socket, request: TunnelRequest): Promise<string> {
  try {
    if (request.proxy.scheme !== 'socks5') return await requestByConnect(socket, request);
    const { requestBySocks } = await import('./socks.ts');
    return await requestBySocks(socket, request);
  } catch (error) {
    socket.destroy();
    request.signal.throwIfAborted();
    throw error;
  }
}
