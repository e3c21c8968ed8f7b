/**
 * A real Redis as a cluster's database. It accepts only TLS, and only certificates of the authority of database clients.
 */
import type { Cluster } from '../cluster/cluster.ts';
import { DatabaseServer, type ServerOwner } from './database-server.ts';
import { freePort } from './free-port.ts';
import { missing } from '../programs.ts';

/** The reason to skip a test that needs the server and its client. */
export function missingRedis(): string | undefined {
  return missing('redis-server', 'redis-cli');
}

/** Listens on 127.0.0.1 and keeps nothing; resolves with the port. */
export async function startRedis(owner: ServerOwner, cluster: Cluster): Promise<number> {
  const server = await DatabaseServer.prepare(owner, cluster, { user: 'redis', stopSignal: 'SIGKILL' });
  const { certificate, clients, folder, key } = server.files;
  const port = await freePort();
  const settings = {
    bind: '127.0.0.1',
    port: '0',
    'tls-port': String(port),
    'tls-cert-file': certificate,
    'tls-key-file': key,
    'tls-ca-cert-file': clients,
    'tls-auth-clients': 'yes',
    save: '',
    dir: folder,
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  await server.start('redis-server', flags, 'Ready to accept connections');
  return port;
}
