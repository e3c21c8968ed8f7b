/** A TCP port on 127.0.0.1 that can be closed with every connection on it. */
import { createServer, type Socket } from 'node:net';

export interface TcpListener {
  readonly port: number;
  readonly close: () => Promise<void>;
}

/** @param port 0 for a free one */
export function listen(port: number, onSocket: (socket: Socket) => void): Promise<TcpListener> {
  const open = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    socket.on('error', () => {
      socket.destroy();
    });
    onSocket(socket);
  });
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => {
        resolve();
      });
      for (const socket of open) {
        socket.destroy();
      }
    });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      if (address === null || typeof address === 'string') {
        reject(new Error('a TCP server without a port'));
      } else {
        resolve({ port: address.port, close });
      }
    });
  });
}
