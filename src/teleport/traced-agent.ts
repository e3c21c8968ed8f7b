/** HTTPS agents that report their connections and requests when tracing is on. */
import type { ClientRequest } from 'node:http';
import { Agent, type AgentOptions } from 'node:https';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { traceTls } from './trace-socket.ts';
import type { WireConnection, WireTrace } from './wire-trace.ts';

export interface TracedAgent {
  readonly agent: Agent;
  /** A request begins; what comes back is called once, when its answer was read or given up. */
  readonly begin: (method: string, url: URL | string) => (status?: number) => void;
}

/** Reports a completed request. */
type Tell = (method: string, path: string, status: number | undefined) => void;

/**
 * For requests one after the other: what goes over a connection belongs to the request that it was given to last.
 * @param to who is at the other end, in our words
 */
export function openAgent(options: AgentOptions, to: string, trace: WireTrace | undefined): TracedAgent {
  if (trace === undefined) return { agent: new Agent(options), begin: () => () => undefined };
  const connections = new Map<Duplex, () => Tell>();
  let tell: Tell | undefined;

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
function requestOver(socket: TLSSocket, wire: WireConnection): Tell {
  const { bytesRead, bytesWritten } = socket;
  const sinceGiven = wire.stopwatch();
  return (method, path, status) => {
    const [sentBytes, receivedBytes] = [socket.bytesWritten - bytesWritten, socket.bytesRead - bytesRead];
    wire.tell({ event: 'https', method, path, status, sentBytes, receivedBytes, durationMs: sinceGiven() });
  };
}
