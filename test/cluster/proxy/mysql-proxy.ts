/**
 * MySQL's clients inside a connection of the web port (`HandleConnection` of lib/srv/db/mysql/proxy.go). The Proxy sends
 * the greeting and answers the login when the agent's own login at the server has succeeded; errors, even of the
 * certificate, come in MySQL's protocol.
 */
import type { Duplex } from 'node:stream';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import { clientIdentity } from './client-identity.ts';
import { checkLogin, connectDatabase, findDatabase, secureAs } from './database-agent.ts';
import {
  agentResponses,
  errorPacket,
  greeting,
  okPacket,
  type Packet,
  readPacket,
  readResponse,
  readVerdict,
  type Response,
} from './mysql-wire.ts';
import { endWith, relay } from './relay.ts';
import { terminateTls } from '../connection.ts';
import type { Identity } from '../data/identity.ts';
import { accessDenied, toTeleportError } from '../data/teleport-errors.ts';
import type { RequestRecord } from '../records.ts';
import type { World } from '../world.ts';

/** `DefaultServerVersion` of the same file; and, for a client whose database is known, what its agent has reported. */
const DEFAULT_VERSION = '8.0.0-Teleport';
const REPORTED_VERSION = '8.0.36';
/** `ER_UNKNOWN_ERROR`, as go-mysql sends errors without a code; and `ER_ACCESS_DENIED_ERROR`. */
const UNKNOWN_ERROR = 1105;
const ACCESS_DENIED = 1045;

/** How the client is known: by the certificate of a TLS connection around this one, or by one inside it. */
export type MysqlClient = { readonly record: RequestRecord } & (
  { readonly identity: Identity } | { readonly certificate: SecureContextOptions }
);

export async function serveMysql(world: World, outer: Duplex, client: MysqlClient): Promise<void> {
  const ownTls = 'certificate' in client;
  outer.write(greeting(ownTls ? DEFAULT_VERSION : REPORTED_VERSION, ownTls));
  let stream: Duplex = outer;
  let identity = ownTls ? undefined : client.identity;
  let last = await readPacket(stream);
  let response = readResponse(last.body);
  if (response.encrypts && ownTls) {
    const secure: TLSSocket = await terminateTls(stream, {
      certificate: client.certificate,
      alpn: [],
      requestCert: true,
    });
    identity = clientIdentity(secure);
    stream = secure;
    last = await readPacket(stream);
    response = readResponse(last.body);
  }
  const { user, database } = response;
  Object.assign(client.record.fields, {
    user: identity?.userName,
    route: identity?.database,
    login: { user, database },
  });
  await logIn(world, stream, { identity, response, last });
}

interface Attempt {
  readonly identity: Identity | undefined;
  readonly response: Response;
  readonly last: Packet;
}

async function logIn(world: World, stream: Duplex, { identity, last, response }: Attempt): Promise<void> {
  try {
    const server = await openServer(world, identity, response);
    const refusal = await readVerdict(server);
    if (refusal !== undefined) {
      await endWith(stream, errorPacket(last.sequence + 1, refusal.code, refusal.message));
      throw accessDenied(refusal.message);
    }
    stream.write(okPacket(last.sequence + 1));
    relay(stream, server);
  } catch (error) {
    const known = toTeleportError(error);
    if (!stream.writableEnded) {
      const code = known.kind === 'AccessDenied' ? ACCESS_DENIED : UNKNOWN_ERROR;
      await endWith(stream, errorPacket(last.sequence + 1, code, known.message));
    }
    throw known;
  }
}

/** User and database are those of the client's response, or those of the certificate where it names none. */
async function openServer(world: World, identity: Identity | undefined, response: Response): Promise<TLSSocket> {
  const route = identity?.database;
  if (identity === undefined || route?.protocol !== 'mysql') {
    throw accessDenied('access denied: the certificate is not routed to a MySQL database');
  }
  const database = findDatabase(world, identity, route);
  const login = { user: response.user || route.user, name: response.database || route.name };
  checkLogin(database, login);
  const socket = await connectDatabase(database);
  await readPacket(socket);
  const responses = agentResponses(response, login);
  socket.write(responses.encrypt);
  const secure = await secureAs(world, socket, login.user);
  secure.write(responses.logIn);
  return secure;
}
