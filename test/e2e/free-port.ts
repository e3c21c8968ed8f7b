/** A free port, for servers that cannot choose and report one themselves. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** On 127.0.0.1. Nothing reserves it afterwards. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('a TCP server without a port');
  return address.port;
}

/** @param ended resolves if the server that is to listen on the port ends instead */
export async function untilListening(port: number, ended: Promise<unknown>, host = '127.0.0.1'): Promise<void> {
  while (!(await answers(port, host))) {
    await Promise.race([pause(20), ended.then(() => Promise.reject(new Error('the server ended')))]);
  }
}

async function answers(port: number, host: string): Promise<boolean> {
  const socket = connect({ port, host });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false; // not listening yet
  } finally {
    socket.destroy();
  }
}
