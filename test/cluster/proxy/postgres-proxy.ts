/** PostgreSQL's clients at the Proxy: those of its listener, and those inside a connection of the web port. */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import { clientIdentity } from './client-identity.ts';
import { checkLogin, connectDatabase, findDatabase, secureAs } from './database-agent.ts';
import { readExactly } from './exact-reads.ts';
import { endWith, relay } from './relay.ts';
import { terminateTls } from '../connection.ts';
import type { Identity } from '../data/identity.ts';
import { accessDenied, type TeleportError, toTeleportError } from '../data/teleport-errors.ts';
import { errorResponse, readStartup, SSL_REQUEST, type Startup } from './postgres-wire.ts';
import type { RequestRecord } from '../records.ts';
import { listen, type ListenHost, type TcpListener } from '../tcp-listener.ts';
import { proxyCertificate } from './teleport-certificate.ts';
import type { World } from '../world.ts';

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
    servePostgres(world, socket, { certificate, record }).then(
      () => (record.outcome = 'ok'),
      (error: unknown) => {
        record.outcome = `refused: ${String(error)}`;
        socket.destroy();
      },
    );
  };
  return listen(0, onSocket, host);
}

/** How the client is known: by the certificate of a TLS connection around this one, or by one inside it. */
export type PostgresClient = { readonly record: RequestRecord } & (
  { readonly identity: Identity } | { readonly certificate: SecureContextOptions }
);

/**
 * Refuses encryption inside a connection that is encrypted already, and offers none by GSS (`handleStartup` of
 * lib/srv/db/postgres/proxy.go). From the first message on, errors come in PostgreSQL's protocol.
 */
export async function servePostgres(world: World, outer: Duplex, client: PostgresClient): Promise<void> {
  const { record } = client;
  let inner: Duplex = outer;
  let identity = 'identity' in client ? client.identity : undefined;
  let startup = await readStartup(inner);
  for (const refused = new Set<Startup['kind']>(); startup.kind !== 'startup';) {
    if (startup.kind === 'cancel') {
      await forwardCancel(world, inner, { identity, startup });
      return;
    }
    if (refused.has(startup.kind)) {
      throw new Error(`more than one message of the kind ${startup.kind}`);
    }
    refused.add(startup.kind);
    if (startup.kind === 'ssl' && 'certificate' in client) {
      inner.write('S');
      const secure: TLSSocket = await terminateTls(inner, {
        certificate: client.certificate,
        alpn: ['postgresql'],
        requestCert: true,
      });
      identity = clientIdentity(secure);
      inner = secure;
    } else {
      inner.write('N');
    }
    startup = await readStartup(inner);
  }
  Object.assign(record.fields, { user: identity?.userName, route: identity?.database, startup: startup.parameters });
  try {
    const server = await logIn(world, identity, startup);
    relay(inner, server);
  } catch (error) {
    const known = toTeleportError(error);
    await endWith(inner, errorResponse('28000', known.message));
    throw known;
  }
}

/** The server answers the request by closing its connection. */
async function forwardCancel(
  world: World,
  client: Duplex,
  { identity, startup }: { readonly identity: Identity | undefined; readonly startup: Startup },
): Promise<void> {
  if (identity?.database === undefined) {
    throw noCertificate();
  }
  const server = await openServer(world, identity, identity.database.user);
  server.write(startup.bytes);
  relay(client, server);
}

/** User and database are those of the message, which the roles must allow; without them, those of the certificate. */
async function logIn(world: World, identity: Identity | undefined, { bytes, parameters }: Startup): Promise<TLSSocket> {
  if (identity === undefined) {
    throw noCertificate();
  }
  const route = identity.database;
  if (route === undefined || !POSTGRES_PROTOCOLS.includes(route.protocol)) {
    throw accessDenied('access denied: the certificate is not routed to a PostgreSQL database');
  }
  const database = findDatabase(world, identity, route);
  const user = parameters.get('user') ?? route.user;
  checkLogin(database, { user, name: parameters.get('database') ?? user });
  const server = await openServer(world, identity, user);
  server.write(bytes);
  return server;
}

const POSTGRES_PROTOCOLS: readonly string[] = ['postgres', 'cockroachdb'];

function noCertificate(): TeleportError {
  return accessDenied('access denied: a client certificate is required');
}

async function openServer(world: World, identity: Identity, user: string): Promise<TLSSocket> {
  if (identity.database === undefined) {
    throw noCertificate();
  }
  const socket = await connectDatabase(findDatabase(world, identity, identity.database));
  socket.write(SSL_REQUEST);
  if ((await readExactly(socket, 1)).toString() !== 'S') {
    throw new Error('the database does not speak TLS');
  }
  return secureAs(world, socket, user);
}
