/** A TCP port on this machine that can be closed with every connection on it. */
import { createServer, type Server, type Socket } from 'node:net';

/** `both` is one port on 127.0.0.1 and on ::1. */
export type ListenHost = '127.0.0.1' | '::1' | 'both';

export interface TcpListener {
  readonly port: number;
  readonly close: () => Promise<void>;
}

const LOOPBACKS: Readonly<Record<ListenHost, readonly string[]>> = {
  '127.0.0.1': ['127.0.0.1'],
  '::1': ['::1'],
  both: ['127.0.0.1', '::1'],
};
/** How often a free port of one loopback address is tried that is taken on the other. */
const ATTEMPTS = 10;

/** @param port 0 for a free one */
export async function listen(
  port: number,
  onSocket: (socket: Socket) => void,
  host: ListenHost = '127.0.0.1',
): Promise<TcpListener> {
  for (let attempt = 1; ; attempt++) {
    const open = new Set<Socket>();
    const servers: Server[] = [];
    let chosen = port;
    try {
      for (const address of LOOPBACKS[host]) {
        const server = createServer({ noDelay: true }, (socket) => {
          open.add(socket);
          socket.once('close', () => open.delete(socket));
          socket.on('error', () => {
            socket.destroy();
          });
          onSocket(socket);
        });
        servers.push(server);
        chosen = await bind(server, chosen, address);
      }
      return { port: chosen, close: () => closeAll(servers, open) };
    } catch (error) {
      await closeAll(servers, open);
      if (port !== 0 || attempt === ATTEMPTS) {
        throw error;
      }
    }
  }
}

/** Resolves with the port. */
function bind(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host, ipv6Only: true }, () => {
      const address = server.address();
      if (address === null || typeof address === 'string') {
        reject(new Error('a TCP server without a port'));
      } else {
        resolve(address.port);
      }
    });
  });
}

async function closeAll(servers: readonly Server[], open: ReadonlySet<Socket>): Promise<void> {
  const closed = servers.map(
    (server) =>
      new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
      }),
  );
  for (const socket of open) {
    socket.destroy();
  }
  await Promise.all(closed);
}
