/** A free port, for servers that cannot choose and report one themselves. */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** Below those that systems choose for servers and connections without a port, which would take one before its server does. */
const PORTS = { first: 15_000, end: 32_000 } as const;

const given = new Set<number>();

/** Free on 127.0.0.1 and ::1. Nothing reserves it, but only another call of this function may choose the same. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORTS.first, PORTS.end);
    if (given.has(port) || !(await isFree(port, '127.0.0.1')) || !(await isFree(port, '::1'))) continue;
    given.add(port);
    return port;
  }
}

/** A machine without the address has no server there. */
async function isFree(port: number, host: string): Promise<boolean> {
  const server = createServer();
  try {
    server.listen({ port, host });
    await once(server, 'listening');
    server.close();
    await once(server, 'close');
    return true;
  } catch (error) {
    return errorCode(error) !== 'EADDRINUSE';
  }
}

function errorCode(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
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
