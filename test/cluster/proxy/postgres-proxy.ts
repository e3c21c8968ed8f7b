/** The Proxy's listener for PostgreSQL, and the agent behind it that logs in to the database. */
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type SecureContextOptions, type TLSSocket } from 'node:tls';
import { once } from 'node:events';
import { clientIdentity } from './client-identity.ts';
import { terminateTls } from '../connection.ts';
import type { Identity } from '../data/identity.ts';
import { errorResponse, readStartup, type Startup } from './postgres-wire.ts';
import type { RequestRecord } from '../records.ts';
import type { Database } from '../data/resources-data.ts';
import { listen, type ListenHost, type TcpListener } from '../tcp-listener.ts';
import { databaseClientCertificate, proxyCertificate } from './teleport-certificate.ts';
import { mayReach, type World } from '../world.ts';

const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);

export async function startPostgresProxy(world: World, host?: ListenHost): Promise<TcpListener> {
  const certificate = await proxyCertificate(world);
  const onSocket = (socket: Socket): void => {
    const record = world.records.add({
      listener: 'proxy',
      kind: 'database',
      serverName: undefined,
      alpn: [],
      fields: {},
    });
    serve(world, socket, certificate, record).then(
      () => (record.outcome = 'ok'),
      (error: unknown) => {
        record.outcome = `refused: ${String(error)}`;
        socket.destroy();
      },
    );
  };
  return listen(0, onSocket, host);
}

async function serve(
  world: World,
  socket: Socket,
  certificate: SecureContextOptions,
  record: RequestRecord,
): Promise<void> {
  if (!(await readExactly(socket, SSL_REQUEST.length)).equals(SSL_REQUEST)) {
    throw new Error('only connections with TLS are served');
  }
  socket.write('S');
  const client = await terminateTls(socket, { certificate, alpn: ['postgresql'], requestCert: true });
  const identity = clientIdentity(client);
  const startup = await readStartup(client);
  Object.assign(record.fields, { user: identity?.userName, route: identity?.database, startup: startup.parameters });
  const refusal = refuse(world, identity, startup);
  if (typeof refusal === 'string') {
    client.end(errorResponse('28000', refusal));
    throw new Error(refusal);
  }
  const server = await logIn(world, refusal, startup);
  server.on('close', () => client.destroy());
  client.on('close', () => server.destroy());
  client.pipe(server).pipe(client);
}

/** The database to connect to, or why it is refused. */
function refuse(
  world: World,
  identity: Identity | undefined,
  { parameters }: Startup,
): (Database & { readonly port: number }) | string {
  if (identity === undefined) {
    return 'access denied: a client certificate is required';
  }
  const { database: route, roles } = identity;
  if (route?.protocol !== 'postgres') {
    return 'access denied: the certificate is not routed to a PostgreSQL database';
  }
  const database = world.resources.databases.find((one) => one.name === route.service);
  if (database === undefined || !mayReach(world, roles, 'database', database.labels)) {
    return `database service "${route.service}" not found`;
  }
  const user = parameters.get('user') ?? '';
  if (!database.users.includes(user) || !database.databases.includes(parameters.get('database') ?? user)) {
    return 'access to db denied. User does not have permissions. Confirm database user and name.';
  }
  return database.port === undefined ? `database "${route.service}" is offline` : { ...database, port: database.port };
}

async function logIn(world: World, { port }: { readonly port: number }, startup: Startup): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  socket.write(SSL_REQUEST);
  if ((await readExactly(socket, 1)).toString() !== 'S') {
    throw new Error('the database does not speak TLS');
  }
  const identity = await databaseClientCertificate(world, startup.parameters.get('user') ?? '');
  const secure = connectTls({ socket, servername: 'localhost', ...identity });
  await once(secure, 'secureConnect');
  secure.on('error', () => secure.destroy());
  secure.write(startup.bytes);
  return secure;
}

/** Reads no byte more, because the next ones belong to TLS. */
async function readExactly(socket: Socket, length: number): Promise<Buffer> {
  for (;;) {
    const bytes: unknown = socket.read(length);
    if (bytes instanceof Buffer) {
      return bytes;
    }
    await once(socket, 'readable');
  }
}
