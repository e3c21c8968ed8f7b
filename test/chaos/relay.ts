/**
 * A TCP relay in front of the cluster that spoils connections, with toxiproxy's vocabulary. It sees of a connection what a
 * device of the network sees: the port, the ClientHello (server name, ALPN), and how many bytes have passed each way.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { type ClientHello, peekClientHello } from '../cluster/proxy/client-hello.ts';
import { type Fault, type Way, WAYS } from './fault.ts';
import { Line } from './line.ts';
import { listening } from './listening.ts';

/** The Proxy's ports: all but `web` exist only without TLS routing. */
export const PORTS = ['web', 'ssh', 'kube', 'tunnel'] as const;
export type PortName = (typeof PORTS)[number];

/** A connection of a client, as the relay saw it. */
export interface Passage {
  readonly port: PortName;
  readonly hello: ClientHello;
  /** Bytes that the relay took in from either side. */
  readonly bytes: Record<Way, number>;
  /** Whether a fault changed what passed. */
  isSpoiled: boolean;
  /** Whether the client has closed it. */
  isClosed: boolean;
}

/** Which fault a connection gets; undefined for none. Called once for each connection, in their order. */
export type Choose = (passage: Passage) => Fault | undefined;

interface Options {
  /** Where the connections of each port lead; undefined for a port that the cluster does not have. */
  readonly targets: () => Readonly<Record<PortName, number>>;
}

export class Relay {
  readonly #servers: Server[] = [];
  readonly #ports = new Map<PortName, number>();
  readonly #sockets = new Set<Socket>();
  readonly #options: Options;
  #choose: Choose = () => undefined;
  #passages: Passage[] = [];

  private constructor(options: Options) {
    this.#options = options;
  }

  static async start(options: Options): Promise<Relay> {
    const relay = new Relay(options);
    for (const name of PORTS) {
      const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
        relay.#pass(name, client).catch(() => client.destroy());
      });
      relay.#ports.set(name, await listening(server));
      relay.#servers.push(server);
    }
    return relay;
  }

  port(name: PortName): number {
    return this.#ports.get(name) ?? 0;
  }

  /** The connections since `begin`. */
  get passages(): readonly Passage[] {
    return this.#passages;
  }

  /** Of connections that the client has opened, without those that sent no ClientHello. */
  get open(): readonly Passage[] {
    return this.#passages.filter(({ isClosed }) => !isClosed);
  }

  begin(choose: Choose): void {
    this.#choose = choose;
    this.#passages = [];
  }

  /** Breaks what is open, so that nothing of a case reaches the next one. */
  end(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.begin(() => undefined);
  }

  close(): void {
    this.end();
    for (const server of this.#servers) server.close();
  }

  async #pass(port: PortName, client: Socket): Promise<void> {
    this.#keep(client);
    const hello = await peekClientHello(client);
    const passage: Passage = { port, hello, bytes: { up: 0, down: 0 }, isSpoiled: false, isClosed: false };
    client.once('close', () => (passage.isClosed = true));
    client.once('end', () => (passage.isClosed = true));
    this.#passages.push(passage);
    const fault = this.#choose(passage);
    const server = connect({
      host: '127.0.0.1',
      port: this.#options.targets()[port],
      noDelay: true,
      allowHalfOpen: true,
    });
    this.#keep(server);
    const ends = { up: { from: client, to: server }, down: { from: server, to: client } };
    const state = { isStalled: false };
    for (const way of WAYS) {
      const { from, to } = ends[way];
      new Line({
        ...{ from, to, client, server, way, fault, state },
        onBytes: (count) => (passage.bytes[way] += count),
        onSpoil: () => (passage.isSpoiled = true),
      }).start();
    }
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#sockets.delete(socket));
  }
}
