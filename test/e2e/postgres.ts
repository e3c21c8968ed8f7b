/**
 * A real PostgreSQL as a cluster's database. Over TCP it accepts only TLS, and only certificates of the authority of
 * database clients.
 */
import { access, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cluster } from '../cluster/cluster.ts';
import { DatabaseServer, ran, type ServerOwner } from './database-server.ts';
import { freePort } from './free-port.ts';
import { missing } from '../programs.ts';

const DEBIAN_FOLDER = '/usr/lib/postgresql';

/** The reason to skip a test that needs the server and its client. */
export async function missingPostgres(): Promise<string | undefined> {
  const server = await serverFolder();
  return (
    missing('psql') ?? (server !== undefined || process.env.CI === 'true' ? undefined : 'PostgreSQL is not installed')
  );
}

async function serverFolder(): Promise<string | undefined> {
  const versions = await readdir(DEBIAN_FOLDER).catch(() => []);
  for (const version of versions.sort().reverse()) {
    const folder = join(DEBIAN_FOLDER, version, 'bin');
    if (
      await access(join(folder, 'initdb')).then(
        () => true,
        () => false,
      )
    )
      return folder;
  }
  return undefined;
}

/** Listens on 127.0.0.1 with the database `orders` and its user `ci`; resolves with the port. */
export async function startPostgres(owner: ServerOwner, cluster: Cluster): Promise<number> {
  const bin = await serverFolder();
  if (bin === undefined) throw new Error('PostgreSQL is not installed');
  const server = await DatabaseServer.prepare(owner, cluster, { user: 'postgres', stopSignal: 'SIGINT' });
  const { certificate, clients, folder, key } = server.files;
  const data = join(folder, 'data');
  await server.run(join(bin, 'initdb'), ['-D', data, '-A', 'trust', '-U', 'postgres', '--no-sync']);
  await writeFile(join(data, 'pg_hba.conf'), 'local all postgres trust\nhostssl all all 127.0.0.1/32 cert\n');
  const port = await freePort();
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: folder,
    ssl: 'on',
    ssl_cert_file: certificate,
    ssl_key_file: key,
    ssl_ca_file: clients,
    fsync: 'off',
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${String(value)}`]);
  await server.start(join(bin, 'postgres'), ['-D', data, ...flags], 'ready to accept connections');
  const commands = ['-c', 'create role ci login', '-c', 'create database orders owner ci'];
  await ran('psql', ['-h', folder, '-p', String(port), '-U', 'postgres', '-q', ...commands]);
  return port;
}
