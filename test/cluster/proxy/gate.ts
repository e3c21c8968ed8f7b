/**
 * A switch in front of the Proxy's web port, for outages that a client must notice: connections that break, a Proxy that
 * ends and comes back, one that stalls, one that answers late.
 */
import { connect, type Socket } from 'node:net';
import { Transform, type TransformCallback } from 'node:stream';
import { listen, type ListenHost, type TcpListener } from '../tcp-listener.ts';

export class Gate {
  /** How late each byte of the Proxy arrives; changes hold for connections that are opened afterwards. */
  delayMs = 0;
  readonly port: number;
  readonly #host: ListenHost | undefined;
  readonly #behind: () => number;
  readonly #open = new Set<Passage>();
  #listener: TcpListener | undefined;
  #stalled = false;

  private constructor(behind: () => number, host: ListenHost | undefined, port: number) {
    this.#behind = behind;
    this.#host = host;
    this.port = port;
  }

  /**
   * @param port 0 for a free one
   * @param behind the port of the Proxy, or of what stands in front of it
   */
  static async start(port: number, behind: () => number, host?: ListenHost): Promise<Gate> {
    const first: { onSocket: (socket: Socket) => void } = {
      onSocket: (socket) => {
        socket.destroy();
      },
    };
    const listener = await listen(
      port,
      (socket) => {
        first.onSocket(socket);
      },
      host,
    );
    const gate = new Gate(behind, host, listener.port);
    gate.#listener = listener;
    first.onSocket = (socket) => {
      gate.#pass(socket);
    };
    return gate;
  }

  /** How many connections are open. */
  get connections(): number {
    return this.#open.size;
  }

  /** Resets every open connection; new ones can be opened. */
  drop(): void {
    for (const passage of this.#open) {
      passage.reset();
    }
  }

  /** Ends every open connection as the system does for a process that was killed: without a last record of TLS. */
  cut(): void {
    for (const passage of this.#open) {
      passage.end();
    }
  }

  /** As a Proxy that has ended: open connections are reset, and new ones refused. */
  async shut(): Promise<void> {
    const listener = this.#listener;
    this.#listener = undefined;
    this.drop();
    await listener?.close();
  }

  /** As a Proxy that has been started again, at the same port. */
  async reopen(): Promise<void> {
    this.#listener ??= await listen(
      this.port,
      (socket) => {
        this.#pass(socket);
      },
      this.#host,
    );
  }

  /** From now on no byte passes in either direction, on any connection; new ones are accepted. */
  stall(): void {
    this.#stalled = true;
    for (const passage of this.#open) {
      passage.pause();
    }
  }

  /** Ends the stall; what was sent meanwhile passes. */
  resume(): void {
    this.#stalled = false;
    for (const passage of this.#open) {
      passage.resume();
    }
  }

  async close(): Promise<void> {
    await this.shut();
  }

  #pass(client: Socket): void {
    const proxy = connect({ port: this.#behind(), host: '127.0.0.1', noDelay: true });
    const passage = new Passage(client, proxy, this.delayMs);
    this.#open.add(passage);
    client.once('close', () => this.#open.delete(passage));
    if (this.#stalled) {
      passage.pause();
    }
  }
}

/** One connection through the gate. */
class Passage {
  readonly #client: Socket;
  readonly #proxy: Socket;
  readonly #late: Transform;

  constructor(client: Socket, proxy: Socket, delayMs: number) {
    this.#client = client;
    this.#proxy = proxy;
    this.#late = delayed(delayMs);
    client.allowHalfOpen = true;
    proxy.allowHalfOpen = true;
    client.on('error', () => {
      proxy.destroy();
    });
    proxy.on('error', () => {
      reset(client);
    });
    client.once('close', () => proxy.destroy());
    this.resume();
  }

  reset(): void {
    reset(this.#client);
    this.#proxy.destroy();
  }

  end(): void {
    this.#late.unpipe(this.#client);
    this.#client.end();
    this.#proxy.destroy();
  }

  pause(): void {
    this.#client.unpipe(this.#proxy).pause();
    this.#proxy.unpipe(this.#late).pause();
    this.#late.unpipe(this.#client).pause();
  }

  resume(): void {
    this.#client.pipe(this.#proxy);
    this.#proxy.pipe(this.#late).pipe(this.#client);
  }
}

/** A socket whose output has ended cannot be reset any more: Node.js would keep it for ever. */
function reset(socket: Socket): void {
  if (socket.writableEnded) {
    socket.destroy();
  } else {
    socket.resetAndDestroy();
  }
}

function delayed(delayMs: number): Transform {
  return new Transform({
    transform: (chunk: Buffer, _encoding: string, done: TransformCallback) => {
      if (delayMs === 0) {
        done(null, chunk);
      } else {
        setTimeout(done, delayMs, null, chunk);
      }
    },
  });
}
