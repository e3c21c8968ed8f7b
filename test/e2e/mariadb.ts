/**
 * A real MariaDB as a cluster's database. Over TCP it accepts only TLS, and only certificates of the authority of
 * database clients. It needs two seconds to start: one for all tests of a file.
 */
import { join } from 'node:path';
import type { Cluster } from '../cluster/cluster.ts';
import { DatabaseServer, ran, type ServerOwner } from './database-server.ts';
import { freePort } from './free-port.ts';
import { missing } from '../programs.ts';

/** The reason to skip a test that needs the server and its client. */
export function missingMariadb(): string | undefined {
  return missing('mariadbd', 'mariadb', 'mariadb-install-db');
}

/** Small files and no writing through to the disk, because nothing is kept. */
const QUICK = [
  '--no-defaults',
  '--innodb-log-file-size=4M',
  '--innodb-buffer-pool-size=8M',
  '--innodb-flush-log-at-trx-commit=0',
  '--innodb-flush-method=nosync',
  '--innodb-doublewrite=0',
];

/** Listens on 127.0.0.1 with the database `stock` and its user `ci`; resolves with the port. */
export async function startMariadb(owner: ServerOwner, cluster: Cluster): Promise<number> {
  const server = await DatabaseServer.prepare(owner, cluster, { user: 'mysql', stopSignal: 'SIGKILL' });
  const { certificate, clients, folder, key } = server.files;
  const [data, socket] = [join(folder, 'data'), join(folder, 'socket')];
  await server.run('mariadb-install-db', [
    ...QUICK,
    `--datadir=${data}`,
    '--auth-root-authentication-method=normal',
    '--skip-test-db',
    '--skip-name-resolve',
  ]);
  const port = await freePort();
  await server.start(
    'mariadbd',
    [
      ...QUICK,
      `--datadir=${data}`,
      `--socket=${socket}`,
      '--bind-address=127.0.0.1',
      `--port=${String(port)}`,
      '--require-secure-transport=ON',
      `--ssl-cert=${certificate}`,
      `--ssl-key=${key}`,
      `--ssl-ca=${clients}`,
    ],
    'ready for connections',
  );
  const statements = [
    'create database stock',
    "create user ci@'%' require subject '/CN=ci'",
    "grant all on stock.* to ci@'%'",
  ];
  await ran('mariadb', ['--no-defaults', `--socket=${socket}`, '--user=root', '-e', statements.join('; ')]);
  return port;
}
