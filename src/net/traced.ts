/** Traces TLS sockets (name lookup, connect, handshake, close) and the requests of HTTPS agents. */
import type { ClientRequest } from 'node:http';
import { Agent, type AgentOptions } from 'node:https';
import { isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type PeerCertificate, TLSSocket } from 'node:tls';
import { utcTime } from '../crypto/validity.ts';
import { oneLine } from './network-error.ts';
import type { WireConnection, WireTrace } from './trace.ts';

/**
 * Only listens. Call it right after creating the socket.
 * @param alpnOffered needed because the socket does not expose it
 */
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
  // Runs before Node checks the certificate and, if it is not trusted, closes the connection.
  socket.prependOnceListener('secure', () => {
    wire.emit({ event: 'tls', alpnOffered, ...handshakeFacts(socket), durationMs: stepMs() });
  });
  tcp.on('error', (error) => {
    firstError ??= errorNameOf(error);
  });
  tcp.once('close', () => {
    const { bytesRead: receivedBytes, bytesWritten: sentBytes } = tcp;
    wire.emit({ event: 'closed', sentBytes, receivedBytes, error: firstError, durationMs: sinceStart() });
  });
}

function handshakeFacts(socket: TLSSocket) {
  const { alpnProtocol, servername } = socket;
  // Not getPeerX509Certificate, which removes the certificate from the chain that Node is about to check.
  const peer: Partial<PeerCertificate> = socket.getPeerCertificate();
  // The server sends its signature algorithms only if it requests a client certificate.
  const isRequested = socket.getSharedSigalgs().length > 0;
  const hasCertificate = Object.keys(socket.getCertificate() ?? {}).length > 0;
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
    clientCertificate: !isRequested ? 'not asked for' : hasCertificate ? 'sent' : 'asked for, not sent',
  } as const;
}

function errorNameOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : oneLine(error.message);
}

interface TracedAgent {
  readonly agent: Agent;
  /** Starts a request. Call the returned function once, when the response was read or abandoned. */
  readonly begin: (method: string, url: URL | string) => (status?: number) => void;
}

/** Reports a request that has ended. */
type ReportRequest = (method: string, path: string, status: number | undefined) => void;

/**
 * An agent that reports its connections and requests if there is a trace. Only for sequential requests: the bytes on a
 * connection count for the request that it was assigned to last.
 * @param to our name for the server
 */
export function openAgent(options: AgentOptions, to: string, trace: WireTrace | undefined): TracedAgent {
  if (trace === undefined) return { agent: new Agent(options), begin: () => () => undefined };
  const open = () => trace.connection(to);
  const connections = new Map<Duplex, () => ReportRequest>();
  let report: ReportRequest | undefined;

  class Traced extends Agent {
    override createConnection(...[target, callback]: Parameters<Agent['createConnection']>): Duplex | null | undefined {
      const socket = super.createConnection(target, callback);
      if (!(socket instanceof TLSSocket)) return socket;
      const wire = open();
      const alpn = [this.options.ALPNProtocols ?? []].flat().map(String);
      traceTls(socket, alpn, wire);
      const startRequest = () => requestOver(socket, wire);
      connections.set(socket, startRequest);
      report = startRequest();
      return socket;
    }

    override reuseSocket(socket: Duplex, request: ClientRequest): void {
      super.reuseSocket(socket, request);
      report = connections.get(socket)?.();
    }
  }

  return {
    agent: new Traced(options),
    begin: (method, url) => {
      report = undefined;
      return (status) => report?.(method, new URL(url).pathname, status);
    },
  };
}

/** Counts all bytes on the socket from now on, so the sizes include headers. */
function requestOver(socket: TLSSocket, wire: WireConnection): ReportRequest {
  const { bytesRead, bytesWritten } = socket;
  const sinceStart = wire.stopwatch();
  return (method, path, status) => {
    const [sentBytes, receivedBytes] = [socket.bytesWritten - bytesWritten, socket.bytesRead - bytesRead];
    wire.emit({ event: 'https', method, path, status, sentBytes, receivedBytes, durationMs: sinceStart() });
  };
}
