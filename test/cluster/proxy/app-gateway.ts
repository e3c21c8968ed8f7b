/** Applications behind the Proxy's web port, each for clients with a certificate for it. */
import { once } from 'node:events';
import {
  type ClientRequest,
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request as sendRequest,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttp2Server, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { relay } from './relay.ts';
import type { Identity } from '../data/identity.ts';
import type { RequestRecord } from '../records.ts';
import type { Application } from '../data/resources-data.ts';
import { accessDenied, describeError, toTeleportError } from '../data/teleport-errors.ts';
import { mayReach, type World } from '../world.ts';

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

export class AppGateway {
  readonly #world: World;
  readonly #identities = new WeakMap<Socket, Identity>();
  /** Long requests are not ended. */
  readonly #server = createServer({ requestTimeout: 0 });

  constructor(world: World) {
    this.#world = world;
    this.#server.on('request', (request, response) => {
      const identity = this.#identities.get(request.socket);
      this.#respond(identity, request, response).catch(() => {
        response.destroy(); // the client disconnected before the response
      });
    });
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      socket.on('error', () => socket.destroy());
      this.#upgrade(request, socket, head).catch(() => socket.destroy());
    });
  }

  isPublicAddress(serverName: string | undefined): boolean {
    return this.#world.resources.applications.some(({ publicAddress }) => publicAddress === serverName);
  }

  /** HTTP. A client without a certificate is redirected to the login page. */
  accept(secure: TLSSocket, identity: Identity | undefined): void {
    if (secure.alpnProtocol === 'h2') {
      const server = createHttp2Server((request, response) => {
        this.#respond(identity, request, response).catch(() => {
          response.stream.destroy();
        });
      });
      server.emit('connection', secure);
      return;
    }
    if (identity !== undefined) {
      this.#identities.set(secure, identity);
    }
    this.#server.emit('connection', secure);
  }

  /**
   * A TCP application: without a certificate, or once its session has ended, the connection is closed without a byte
   * (`HandleConnection` of lib/web/app/handler.go).
   */
  async carry(client: Duplex, identity: Identity | undefined): Promise<void> {
    const record = this.#record(identity, { name: identity?.application?.name });
    try {
      if (identity === undefined) {
        throw accessDenied('a client certificate is required');
      }
      const { port = 0 } = this.#admit(identity);
      const application = connect({ port, host: '127.0.0.1', noDelay: true });
      await once(application, 'connect');
      relay(client, application);
      record.outcome = 'ok';
    } catch (error) {
      record.outcome = describeError(toTeleportError(error));
      throw error;
    }
  }

  #record(identity: Identity | undefined, fields: Record<string, unknown>, address?: string): RequestRecord {
    return this.#world.records.add({
      listener: 'proxy',
      kind: 'application',
      serverName: address,
      alpn: [],
      fields: { ...fields, user: identity?.userName },
    });
  }

  async #respond(identity: Identity | undefined, request: Request, response: Response): Promise<void> {
    const host = 'authority' in request ? request.authority : (request.headers.host ?? '');
    const address = host.replace(/:\d+$/, '');
    const record = this.#record(identity, { address, path: request.url }, address);
    if (identity === undefined) {
      record.outcome = 'sent to the log-in page';
      response.writeHead(302, { Location: `https://localhost/web/launch/${address}` }).end();
      return;
    }
    try {
      await forward(this.#admit(identity), request, response);
      record.outcome = 'ok';
    } catch (error) {
      const { body, status } = refusal(error, record);
      response.writeHead(status, { 'Content-Type': 'text/plain' }).end(body);
    }
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const identity = this.#identities.get(request.socket);
    const record = this.#record(identity, { path: request.url, upgrade: request.headers.upgrade });
    try {
      if (identity === undefined) {
        throw accessDenied('invalid session');
      }
      await forwardUpgrade(this.#admit(identity), request, socket, head);
      record.outcome = 'ok';
    } catch (error) {
      const { body, status } = refusal(error, record);
      const lines = [`HTTP/1.1 ${String(status)} Refused`, `Content-Length: ${String(Buffer.byteLength(body))}`];
      socket.end([...lines, 'Connection: close', '', body].join('\r\n'));
    }
  }

  /**
   * The application of the certificate, whatever host the request is for. The session of the certificate must exist and be
   * the user's own (`getAppSessionFromCert` of lib/web/app/handler.go).
   */
  #admit({ application: route, roles, userName }: Identity): Application {
    const { appSessions, resources } = this.#world;
    const session = appSessions.find(route?.sessionId ?? '');
    if (route === undefined || session?.userName !== userName) {
      throw accessDenied('invalid session');
    }
    const application = resources.applications.find(({ name }) => name === route.name);
    const fits = session.publicAddress === application?.publicAddress;
    if (application === undefined || !fits || !mayReach(this.#world, roles, 'application', application.labels)) {
      throw accessDenied('access denied');
    }
    return application;
  }
}

async function forward(application: Application, request: Request, response: Response): Promise<void> {
  if (application.port === undefined) {
    response.writeHead(502).end('the application is offline\n');
    return;
  }
  await new Promise<void>((resolve, reject) => {
    const onward = onwardRequest(application, request, (answer) => {
      response.writeHead(answer.statusCode ?? 502, headersOf(answer));
      if ('flushHeaders' in response) {
        response.flushHeaders(); // the first byte of the body may come later
      }
      answer.pipe(response);
      answer.once('error', reject);
      answer.once('end', resolve);
    });
    onward.once('error', reject);
    response.once('close', () => onward.destroy());
    request.pipe(onward);
  });
}

/** WebSocket and other protocols inside HTTP: bytes both ways once the application has agreed. */
async function forwardUpgrade(
  application: Application,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const onward = onwardRequest(application, request, (answer) => {
      socket.write(headOf(answer));
      answer.pipe(socket);
      resolve();
    });
    onward.once('upgrade', (answer, upgraded, rest) => {
      socket.write(headOf(answer));
      upgraded.unshift(rest);
      socket.unshift(head);
      relay(socket, upgraded);
      resolve();
    });
    onward.once('error', reject);
    onward.end();
  });
}

/** Those for one connection, and the pseudo-headers of HTTP/2. */
const OF_ONE_CONNECTION = /^(connection|keep-alive|transfer-encoding|:.*)$/i;

function onwardRequest(
  { port }: Application,
  { headers, method, url }: Request,
  onResponse: (answer: IncomingMessage) => void,
): ClientRequest {
  const own = Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith(':')));
  return sendRequest({ port, host: '127.0.0.1', headers: own, method, path: url, agent: false }, onResponse);
}

function headersOf({ headers }: IncomingMessage): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !OF_ONE_CONNECTION.test(name)));
}

function headOf({ rawHeaders, statusCode = 502, statusMessage = '' }: IncomingMessage): string {
  const lines = rawHeaders.flatMap((value, at) => (at % 2 === 0 ? [] : [`${rawHeaders[at - 1] ?? ''}: ${value}`]));
  return [`HTTP/1.1 ${String(statusCode)} ${statusMessage}`, ...lines, '', ''].join('\r\n');
}

function refusal(error: unknown, record: RequestRecord): { readonly status: number; readonly body: string } {
  const known = toTeleportError(error);
  record.outcome = describeError(known);
  return { status: known.kind === 'AccessDenied' ? 403 : 500, body: `${known.message}\n` };
}
