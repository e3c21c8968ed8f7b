/** The agent behind the Proxy that logs in to databases, and which logins it allows. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { DatabaseRoute, Identity } from '../data/identity.ts';
import type { Database } from '../data/resources-data.ts';
import { accessDenied, notFound } from '../data/teleport-errors.ts';
import { databaseClientCertificate } from './teleport-certificate.ts';
import { mayReach, type World } from '../world.ts';

/** What the client of a connection wants to log in as, and to which database of the server. */
export interface Login {
  readonly user: string;
  readonly name: string;
}

/** @throws TeleportError if there is no such database, or if the roles do not allow it */
export function findDatabase(world: World, { roles }: Identity, route: DatabaseRoute): Database {
  const database = world.resources.databases.find((one) => one.name === route.service);
  if (database === undefined || !mayReach(world, roles, 'database', database.labels)) {
    throw notFound(`database service "${route.service}" not found`);
  }
  return database;
}

/** Protocols for which roles do not limit the databases of a server (`databaseNameMatcher` of lib/srv/db/common/role). */
const ONLY_USERS: readonly string[] = [
  'mysql',
  'cockroachdb',
  'redis',
  'cassandra',
  'elasticsearch',
  'opensearch',
  'dynamodb',
];

/** @throws TeleportError if the roles do not allow the login */
export function checkLogin({ databases, protocol, users }: Database, { name, user }: Login): void {
  if (!users.includes(user) || (!ONLY_USERS.includes(protocol) && !databases.includes(name))) {
    throw accessDenied('access to db denied. User does not have permissions. Confirm database user and name.');
  }
}

/** @throws TeleportError if no agent serves the database now */
export async function connectDatabase({ name, port }: Database): Promise<Socket> {
  if (port === undefined) {
    throw notFound(`database "${name}" is offline`);
  }
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  // A server that resets the connection later must not end the cluster.
  socket.on('error', () => socket.destroy());
  return socket;
}

/** TLS with the certificate by which the server knows the user. */
export async function secureAs(world: World, socket: Socket, user: string): Promise<TLSSocket> {
  const identity = await databaseClientCertificate(world, user);
  const secure = connectTls({ socket, servername: 'localhost', ...identity });
  await once(secure, 'secureConnect');
  secure.on('error', () => secure.destroy());
  return secure;
}
