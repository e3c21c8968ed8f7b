/** HTTPS requests over connections of the network, with an optional trace. */
import { Agent as PlainAgent, type ClientRequest, type ClientRequestArgs } from 'node:http';
import { Agent, type AgentOptions, type RequestOptions } from 'node:https';
import { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import fetch, { type RequestInit, type Response } from 'node-fetch';
import type { Address } from './address.ts';
import type { Network, OpenOptions } from './network.ts';
import { keepPresented } from './tls.ts';
import type { WireConnection, WireTrace } from './trace.ts';
import { traceTls } from './traced.ts';

interface HttpsOptions extends AgentOptions {
  readonly network: Network;
  /** Our name for the server. */
  readonly to: string;
  readonly for: OpenOptions['for'];
  readonly trace?: WireTrace | undefined;
  /** Of all requests, as it was given: a URL has its host in lower case, and the rules for proxies may differ. */
  readonly address?: Address;
}

type Connected = (error: Error | null, stream: Duplex) => void;

/** Only for sequential requests: the bytes on a connection count for the request that it was assigned to last. */
export interface HttpsClient {
  /**
   * As `fetch` of node-fetch. If the connection cannot be opened, rejects with the reason itself. The URL may also be one
   * of http, which only the address for telemetry can be; it is not traced.
   */
  readonly send: (url: URL | string, init: RequestInit & { readonly signal: AbortSignal }) => Promise<Response>;
  /** Starts a request in the trace. Call the returned function once, when the response was read or abandoned. */
  readonly begin: (method: string, url: URL | string) => (status?: number) => void;
  /** Whether a TLS handshake has succeeded. */
  readonly isConnected: () => boolean;
  /** Closes all connections, also those that are being opened. */
  readonly close: () => void;
}

/** Reports a request that has ended. */
type ReportRequest = (method: string, path: string, status: number | undefined) => void;

interface CurrentRequest {
  readonly signal: AbortSignal;
  /** Why its connection could not be opened, or its handshake failed: `fetch` passes on only the message and the code. */
  failure?: unknown;
}

export function openHttps({ address: given, network, to, for: purpose, trace, ...options }: HttpsOptions): HttpsClient {
  const connections = new WeakMap<Duplex, () => ReportRequest>();
  const closed = new AbortController();
  let isConnected = false;
  let current: CurrentRequest | undefined;
  let report: ReportRequest | undefined;

  class NetworkAgent extends Agent {
    override createConnection(target: RequestOptions, connected?: Connected): undefined {
      deliver(connected, (request) => this.#connect(target, request));
    }

    async #connect(target: RequestOptions, request: CurrentRequest | undefined): Promise<Duplex> {
      const wire = trace?.connection(to);
      const sinceStart = wire?.stopwatch();
      if (wire !== undefined) report = requestOver({ bytesRead: 0, bytesWritten: 0 }, wire, sinceStart);
      const carrier = await carrierTo(target, request, wire);
      // Adds and keeps TLS sessions.
      const over = { ...target, socket: carrier };
      const socket = super.createConnection(over);
      if (!(socket instanceof TLSSocket)) throw new Error('the agent opened no TLS connection');
      keepPresented(socket, (error) => {
        if (request !== undefined) request.failure = error;
      });
      socket.once('secureConnect', () => {
        isConnected = true;
      });
      if (wire !== undefined) {
        const alpn = [this.options.ALPNProtocols ?? []].flat().map(String);
        traceTls(socket, alpn, wire, sinceStart);
        report = requestOver(socket, wire, sinceStart);
        connections.set(socket, () => requestOver(socket, wire));
      }
      return socket;
    }

    override reuseSocket(socket: Duplex, request: ClientRequest): void {
      super.reuseSocket(socket, request);
      report = connections.get(socket)?.();
    }
  }

  class PlainNetworkAgent extends PlainAgent {
    override createConnection(target: ClientRequestArgs, connected?: Connected): undefined {
      deliver(connected, (request) => carrierTo(target, request));
    }
  }

  function deliver(
    connected: Connected = () => undefined,
    open: (request: CurrentRequest | undefined) => Promise<Duplex>,
  ): void {
    const request = current;
    open(request).then(
      (socket) => {
        connected(null, socket);
      },
      (error: unknown) => {
        if (request !== undefined) request.failure = error;
        // With an error, Node ignores the stream.
        connected(error instanceof Error ? error : new Error(String(error)), new Duplex());
      },
    );
  }

  function carrierTo(
    { host, port }: ClientRequestArgs,
    request: CurrentRequest | undefined,
    wire?: WireConnection,
  ): Promise<Duplex> {
    const address = given ?? { host: host ?? 'localhost', port: Number(port ?? 443) };
    return whileOpen(request?.signal, (signal) => network.open(address, { signal, for: purpose, wire }));
  }

  /** Passes a signal that is aborted with the request, or when the client is closed. */
  async function whileOpen<T>(
    requested: AbortSignal | undefined,
    open: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const controller = new AbortController();
    const signals = [closed.signal, ...(requested === undefined ? [] : [requested])];
    const end = () => {
      controller.abort(signals.find(({ aborted }) => aborted)?.reason);
    };
    for (const signal of signals) {
      if (signal.aborted) end();
      signal.addEventListener('abort', end);
    }
    try {
      return await open(controller.signal);
    } finally {
      for (const signal of signals) signal.removeEventListener('abort', end);
    }
  }

  const agent = new NetworkAgent(options);
  return {
    send: async (url, init) => {
      const request: CurrentRequest = { signal: init.signal };
      current = request;
      try {
        const isPlain = new URL(url).protocol === 'http:';
        return await fetch(url, { ...init, agent: isPlain ? new PlainNetworkAgent() : agent });
      } catch (error) {
        throw request.failure ?? error;
      }
    },
    begin: (method, url) => {
      report = undefined;
      return (status) => report?.(method, new URL(url).pathname, status);
    },
    isConnected: () => isConnected,
    close: () => {
      closed.abort(new Error('the connections were closed'));
      agent.destroy();
    },
  };
}

/** Counts all bytes on the socket from now on, so the sizes include headers. */
function requestOver(
  socket: Pick<TLSSocket, 'bytesRead' | 'bytesWritten'>,
  wire: WireConnection,
  sinceStart = wire.stopwatch(),
): ReportRequest {
  const { bytesRead, bytesWritten } = socket;
  return (method, path, status) => {
    const [sentBytes, receivedBytes] = [socket.bytesWritten - bytesWritten, socket.bytesRead - bytesRead];
    wire.emit({ event: 'https', method, path, status, sentBytes, receivedBytes, durationMs: sinceStart() });
  };
}
