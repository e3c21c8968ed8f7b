/** Reports the steps of a socket: name lookup, connect, TLS handshake, close. */
import type { ClientRequest } from 'node:http';
import { Agent, type AgentOptions } from 'node:https';
import { isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type PeerCertificate, TLSSocket } from 'node:tls';
import { utcTime } from '../crypto/validity.ts';
import { oneLine } from './network-error.ts';
import type { WireConnection, WireTrace } from './trace.ts';

/** Only listens; to be called at once after the socket was made.
 * @param alpnOffered which the socket itself does not tell */
export function traceTls(socket: TLSSocket, alpnOffered: readonly string[], wire: WireConnection): void {
  const sinceStart = wire.stopwatch();
  let sinceStep = sinceStart;
  const stepMs = () => {
    const durationMs = sinceStep();
    sinceStep = wire.stopwatch();
    return durationMs;
  };
  const addresses: string[] = [];
  const tcp: Socket = socket;
  let firstError: string | undefined;
  tcp.on('lookup', (_error, address, _family, name) => {
    if (isIP(address) !== 0 && addresses.push(address) === 1) {
      const durationMs = stepMs();
      // With several addresses, Node reports them one by one before it tries the first.
      queueMicrotask(() => {
        wire.emit({ event: 'dns', name, addresses, durationMs });
      });
    }
  });
  tcp.on('connectionAttemptFailed', (address, port, _family, error) => {
    wire.emit({ event: 'tcp-failed', address, port, error: errorNameOf(error) });
  });
  tcp.once('connect', () => {
    wire.emit({ event: 'tcp', address: tcp.remoteAddress, port: tcp.remotePort, durationMs: stepMs() });
  });
  // Before Node looks at the certificate and, where it does not trust it, ends the connection.
  socket.prependOnceListener('secure', () => {
    wire.emit({ event: 'tls', alpnOffered, ...agreed(socket), durationMs: stepMs() });
  });
  tcp.on('error', (error) => {
    firstError ??= errorNameOf(error);
  });
  tcp.once('close', () => {
    const { bytesRead: receivedBytes, bytesWritten: sentBytes } = tcp;
    wire.emit({ event: 'closed', sentBytes, receivedBytes, error: firstError, durationMs: sinceStart() });
  });
}

function agreed(socket: TLSSocket) {
  const { alpnProtocol, servername } = socket;
  // Not getPeerX509Certificate, which takes the certificate from those that Node is about to check.
  const peer: Partial<PeerCertificate> = socket.getPeerCertificate();
  // A client learns which signatures the server takes for it only when it is asked for a certificate.
  const isAsked = socket.getSharedSigalgs().length > 0;
  const hasOwn = Object.keys(socket.getCertificate() ?? {}).length > 0;
  return {
    version: String(socket.getProtocol()),
    cipher: socket.getCipher().standardName,
    serverName: servername === false ? undefined : servername,
    alpn: alpnProtocol === false ? undefined : alpnProtocol,
    sessionReused: socket.isSessionReused(),
    subject: oneLine(String(peer.subject?.CN)),
    issuer: oneLine(String(peer.issuer?.CN)),
    expiresAt: utcTime(Date.parse(String(peer.valid_to))),
    fingerprint: peer.fingerprint256?.replaceAll(':', '').slice(0, 16).toLowerCase(),
    clientCertificate: !isAsked ? 'not asked for' : hasOwn ? 'sent' : 'asked for, not sent',
  } as const;
}

function errorNameOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : oneLine(error.message);
}

// HTTPS agents that report their connections and requests when tracing is on.

interface TracedAgent {
  readonly agent: Agent;
  /** A request begins; what comes back is called once, when its answer was read or given up. */
  readonly begin: (method: string, url: URL | string) => (status?: number) => void;
}

/** Reports a completed request. */
type ReportRequest = (method: string, path: string, status: number | undefined) => void;

/**
 * For requests one after the other: what goes over a connection belongs to the request that it was given to last.
 * @param to who is at the other end, in our words
 */
export function openAgent(options: AgentOptions, to: string, trace: WireTrace | undefined): TracedAgent {
  if (trace === undefined) return { agent: new Agent(options), begin: () => () => undefined };
  const connections = new Map<Duplex, () => ReportRequest>();
  let tell: ReportRequest | undefined;

  class Traced extends Agent {
    override createConnection(...[how, callback]: Parameters<Agent['createConnection']>): Duplex | null | undefined {
      const socket = super.createConnection(how, callback);
      if (!(socket instanceof TLSSocket)) return socket;
      const wire = open();
      const alpn = [this.options.ALPNProtocols ?? []].flat().map(String);
      traceTls(socket, alpn, wire);
      const give = () => requestOver(socket, wire);
      connections.set(socket, give);
      tell = give();
      return socket;
    }

    override reuseSocket(socket: Duplex, request: ClientRequest): void {
      super.reuseSocket(socket, request);
      tell = connections.get(socket)?.();
    }
  }

  const open = () => trace.connection(to);
  return {
    agent: new Traced(options),
    begin: (method, url) => {
      tell = undefined;
      return (status) => tell?.(method, new URL(url).pathname, status);
    },
  };
}

/** Sizes are those of whole messages, with their headers: what goes over the socket from now on. */
function requestOver(socket: TLSSocket, wire: WireConnection): ReportRequest {
  const { bytesRead, bytesWritten } = socket;
  const sinceGiven = wire.stopwatch();
  return (method, path, status) => {
    const [sentBytes, receivedBytes] = [socket.bytesWritten - bytesWritten, socket.bytesRead - bytesRead];
    wire.emit({ event: 'https', method, path, status, sentBytes, receivedBytes, durationMs: sinceGiven() });
  };
}
