/** Database clients at the web port, which need no listener of their own there (lib/srv/db/proxyserver.go). */
import type { Duplex } from 'node:stream';
import type { SecureContextOptions } from 'node:tls';
import { clientIdentity } from './client-identity.ts';
import { checkLogin, connectDatabase, findDatabase, secureAs } from './database-agent.ts';
import { serveMysql } from './mysql-proxy.ts';
import { servePostgres } from './postgres-proxy.ts';
import { relay } from './relay.ts';
import { terminateTls } from '../connection.ts';
import type { Identity } from '../data/identity.ts';
import type { RequestRecord } from '../records.ts';
import type { World } from '../world.ts';

/** Of a client whose certificate has no route to a database, by the protocol that it offered. */
export const MYSQL_PROTOCOL = 'teleport-mysql';
export const POSTGRES_PROTOCOL = 'teleport-postgres';

/**
 * Serves a client by the database in the certificate of its TLS connection, whatever protocol it offered
 * (`handleConnection`). Before the database's own protocol begins, a refusal is a closed connection without a byte.
 */
export async function serveRouted(world: World, client: Duplex, identity: Identity): Promise<void> {
  const { database: route, userName } = identity;
  if (route === undefined) {
    throw new Error('the certificate is not routed to a database');
  }
  await recorded(world, { user: userName, route }, async (record) => {
    const database = findDatabase(world, identity, route);
    switch (route.protocol) {
      case 'postgres':
      case 'cockroachdb':
        return servePostgres(world, client, { identity, record });
      case 'mysql':
        return serveMysql(world, client, { identity, record });
      default: {
        checkLogin(database, route);
        const server = await secureAs(world, await connectDatabase(database), route.user);
        relay(client, server);
      }
    }
  });
}

/**
 * A client without such a certificate shows one inside its connection: in PostgreSQL's and MySQL's protocols when it
 * starts TLS there, otherwise by a second handshake (`databaseHandlerWithTLSTermination` of lib/srv/alpnproxy/proxy.go).
 */
export async function serveUnrouted(
  world: World,
  client: Duplex,
  { certificate, protocol }: { readonly protocol: string; readonly certificate: SecureContextOptions },
): Promise<void> {
  switch (protocol) {
    case POSTGRES_PROTOCOL:
      return recorded(world, {}, (record) => servePostgres(world, client, { certificate, record }));
    case MYSQL_PROTOCOL:
      return recorded(world, {}, (record) => serveMysql(world, client, { certificate, record }));
    default: {
      const inner = await terminateTls(client, { certificate, alpn: [], requestCert: true });
      const identity = clientIdentity(inner);
      if (identity?.database === undefined) {
        throw new Error('not a database connection');
      }
      return serveRouted(world, inner, identity);
    }
  }
}

async function recorded(
  world: World,
  fields: Record<string, unknown>,
  serve: (record: RequestRecord) => Promise<void>,
): Promise<void> {
  const record = world.records.add({ listener: 'proxy', kind: 'database', serverName: undefined, alpn: [], fields });
  try {
    await serve(record);
    record.outcome = 'ok';
  } catch (error) {
    record.outcome = `refused: ${String(error)}`;
    throw error;
  }
}
