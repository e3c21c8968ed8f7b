/** For servers that cannot choose a port and report it. */
import { once } from 'node:events';
import { createServer } from 'node:net';

/** On 127.0.0.1; nothing keeps it free once it is known. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('a TCP server without a port');
  return address.port;
}
