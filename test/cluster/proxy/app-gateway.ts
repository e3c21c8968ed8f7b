/** Applications behind the Proxy's web port, each at its public address, for clients with a certificate for it. */
import {
  createServer,
  type IncomingMessage,
  request as sendRequest,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import { clientIdentity } from './client-identity.ts';
import { terminateTls } from '../connection.ts';
import type { Identity } from '../data/identity.ts';
import type { RequestRecord } from '../records.ts';
import type { Application } from '../data/resources-data.ts';
import { accessDenied, describeError, toTeleportError } from '../data/teleport-errors.ts';
import { tlsCertificates } from '../data/authorities.ts';
import { mayReach, ownAuthority, type World } from '../world.ts';
import { certificatePem } from '../crypto/x509.ts';

export class AppGateway {
  readonly #world: World;
  readonly #identities = new WeakMap<Socket, Identity>();
  readonly #server: Server;

  constructor(world: World) {
    this.#world = world;
    this.#server = createServer((request, response) => {
      this.#respond(request, response).catch(() => {
        response.destroy(); // the client disconnected before the response
      });
    });
  }

  /** The application whose public address is the server name of a connection. */
  serves(serverName: string | undefined): boolean {
    return this.#world.resources.applications.some(({ publicAddress }) => publicAddress === serverName);
  }

  /** A client without a certificate is redirected to the login page. */
  async accept(socket: Socket, own: SecureContextOptions): Promise<void> {
    const ca = tlsCertificates(ownAuthority(this.#world, 'user')).map(certificatePem);
    const certificate = { ...own, ca };
    const secure: TLSSocket = await terminateTls(socket, { certificate, alpn: ['http/1.1'], requestCert: true });
    const identity = clientIdentity(secure);
    if (identity !== undefined) {
      this.#identities.set(secure, identity);
    }
    this.#server.emit('connection', secure);
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { records } = this.#world;
    const identity = this.#identities.get(request.socket);
    const address = (request.headers.host ?? '').replace(/:\d+$/, '');
    const fields = { address, path: request.url, user: identity?.userName };
    const record = records.add({ listener: 'proxy', kind: 'application', serverName: address, alpn: [], fields });
    if (identity === undefined) {
      record.outcome = 'sent to the log-in page';
      response.writeHead(302, { Location: `https://localhost/web/launch/${address}` }).end();
      return;
    }
    try {
      await forward(this.#admit(identity, address), request, response);
      record.outcome = 'ok';
    } catch (error) {
      answerError(error, record, response);
    }
  }

  /** The session limits the certificate to its application. */
  #admit({ application: route, roles, userName }: Identity, address: string): Application {
    const { appSessions, resources } = this.#world;
    const application = resources.applications.find(({ publicAddress }) => publicAddress === address);
    const session = appSessions.find(route?.sessionId ?? '');
    const fits =
      route !== undefined &&
      route.name === application?.name &&
      route.publicAddress === address &&
      session?.publicAddress === address &&
      session.userName === userName;
    if (application === undefined || !fits || !mayReach(this.#world, roles, 'application', application.labels)) {
      throw accessDenied('access denied');
    }
    return application;
  }
}

async function forward({ port }: Application, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (port === undefined) {
    response.writeHead(502).end('the application is offline\n');
    return;
  }
  await new Promise<void>((resolve, reject) => {
    const { headers, method, url } = request;
    const onward = sendRequest({ port, host: '127.0.0.1', headers, method, path: url }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
      answer.once('end', resolve);
    });
    onward.once('error', reject);
    request.pipe(onward);
  });
}

function answerError(error: unknown, record: RequestRecord, response: ServerResponse): void {
  const known = toTeleportError(error);
  record.outcome = describeError(known);
  response
    .writeHead(known.kind === 'AccessDenied' ? 403 : 500, { 'Content-Type': 'text/plain' })
    .end(`${known.message}\n`);
}
