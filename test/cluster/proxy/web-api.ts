/** The Proxy's HTTPS API: discovery, the legacy join and Teleport's error responses. */
import { createServer, STATUS_CODES, type IncomingMessage, type Server } from 'node:http';
import { createServer as createHttp2Server, type Http2ServerRequest } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { ClientHello } from './client-hello.ts';
import { UPGRADE_PATH, upgradeConnection, type UpgradeTarget } from './connection-upgrade.ts';
import { readBody, sendReply, type Answering, type HttpReply } from '../http-reply.ts';
import { joinByLegacyEndpoint } from '../auth/join-legacy.ts';
import type { OidcVerifier } from '../issuer/oidc-verifier.ts';
import { type Listening, pingDocument } from './ping.ts';
import type { Profile } from '../data/profiles.ts';
import { observe, type RequestKind } from '../records.ts';
import { badParameter, describeError, notFound, toHttpReply, toTeleportError } from '../data/teleport-errors.ts';
import type { World } from '../world.ts';

interface WebConnection {
  readonly hello: ClientHello;
  readonly upgrades: UpgradeTarget;
}

type Request = IncomingMessage | Http2ServerRequest;

interface Exchange {
  readonly request: Request;
  readonly response: Answering;
  readonly connection: WebConnection;
  /** Closes it without a response. */
  readonly abort: () => void;
}

export class WebApi {
  readonly #world: World;
  readonly #verifier: OidcVerifier;
  readonly #connections = new WeakMap<Duplex, WebConnection>();
  readonly #listening: () => Listening;
  readonly #server: Server;

  /** @param listening called for each request: the Proxy's port is known once it listens */
  constructor(world: World, verifier: OidcVerifier, listening: () => Listening) {
    this.#listening = listening;
    this.#world = world;
    this.#verifier = verifier;
    this.#server = createServer((request, response) => {
      const abort = (): void => {
        response.destroy();
      };
      // fails if the client disconnected before the response
      this.#respond({ request, response, abort, connection: this.#connectionOf(request.socket) }).catch(abort);
    });
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      this.#upgrade(request, socket, head);
    });
  }

  /** Serves a connection after TLS was terminated. */
  accept(socket: TLSSocket, connection: WebConnection): void {
    if (socket.alpnProtocol === 'h2') {
      this.#acceptHttp2(socket, connection);
      return;
    }
    this.#connections.set(socket, connection);
    this.#server.emit('connection', socket);
  }

  #acceptHttp2(socket: TLSSocket, connection: WebConnection): void {
    const server = createHttp2Server((request, response) => {
      const abort = (): void => {
        response.stream.destroy();
      };
      this.#respond({ request, response, abort, connection }).catch(abort);
    });
    server.emit('connection', socket);
  }

  #connectionOf(socket: Duplex): WebConnection {
    const connection = this.#connections.get(socket);
    if (connection === undefined) {
      throw new Error('a request on a connection that was not accepted');
    }
    return connection;
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { hello, upgrades } = this.#connectionOf(socket);
    const fields: Record<string, unknown> = { method: request.method, path: request.url };
    const kind = routeOf(request, this.#world.profile);
    const record = this.#world.records.add({
      listener: 'proxy',
      kind,
      ...hello,
      userAgent: request.headers['user-agent'],
      fields,
    });
    try {
      if (kind !== 'connection-upgrade') {
        throw notFound('path not found');
      }
      upgradeConnection(request, socket, head, { fields, target: upgrades });
      record.outcome = 'ok';
    } catch (error) {
      const known = toTeleportError(error);
      record.outcome = describeError(known);
      const { body, status } = toHttpReply(known);
      const text = JSON.stringify(body, undefined, 4);
      const head = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`, 'Content-Type: application/json'];
      socket.end([...head, `Content-Length: ${Buffer.byteLength(text)}`, 'Connection: close', '', text].join('\r\n'));
    }
  }

  async #respond(exchange: Exchange): Promise<void> {
    const { connection, request } = exchange;
    const kind = routeOf(request, this.#world.profile);
    const { hello } = connection;
    const fields: Record<string, unknown> = { method: request.method, path: request.url };
    const record = this.#world.records.add({
      listener: 'proxy',
      kind,
      ...hello,
      userAgent: request.headers['user-agent'],
      fields,
    });
    const admitted = this.#world.limiters?.proxy.admitRequest(request.socket.remoteAddress ?? '');
    if (typeof admitted === 'object') {
      record.outcome = `LimitExceeded: ${admitted.text}`;
      exchange.response.writeHead(429, admitted.headers).end(admitted.text);
      return;
    }
    try {
      await this.#world.limiters?.ready();
      const reply = await observe(record, () => this.#answer(kind, request, fields)).then(
        (body): HttpReply => (kind === 'unknown-route' ? { status: 404, body } : { status: 200, body }),
        (error: unknown): HttpReply => toHttpReply(toTeleportError(error)),
      );
      sendReply(this.#world.faults, { ...exchange, kind, reply });
    } finally {
      admitted?.();
    }
  }

  async #answer(kind: RequestKind, request: Request, fields: Record<string, unknown>): Promise<object> {
    const body = await readBody(request);
    if (kind === 'ping' || kind === 'find') {
      return pingDocument(this.#world, this.#listening());
    }
    if (kind === 'unknown-route') {
      return pathNotFound(this.#world.profile);
    }
    if (kind === 'connection-upgrade') {
      throw badParameter('Bad Request'); // Node's events for an upgrade, which HTTP clients also send
    }
    if (request.headers['content-type']?.split(';')[0] !== 'application/json') {
      throw badParameter('invalid request');
    }
    const origin = { fields, remoteAddress: request.socket.remoteAddress ?? '' };
    this.#world.limiters?.admitRegistration(origin.remoteAddress);
    return joinByLegacyEndpoint(this.#world, this.#verifier, body, origin);
  }
}

/** Go's clients put `/v1` before the path, and the Proxy removes it. */
function routeOf(request: Request, { registrationEndpoint }: Profile): RequestKind {
  const path = (request.url ?? '').replace(/\?.*$/, '').replace(/^\/v1(?=\/webapi\/)/, '');
  if (request.method === 'GET' && /^\/webapi\/ping(\/[^/]+)?$/.test(path)) {
    return 'ping';
  }
  if (request.method === 'GET' && path === '/webapi/find') {
    return 'find';
  }
  if (request.method === 'GET' && path === UPGRADE_PATH) {
    return 'connection-upgrade';
  }
  const isJoin = request.method === 'POST' && path === '/webapi/host/credentials';
  return isJoin && registrationEndpoint ? 'legacy-join' : 'unknown-route';
}

function pathNotFound(profile: Profile): object {
  const [release = '', ...preRelease] = profile.version.split('-');
  const [major, minor, patch] = release.split('.').map(Number);
  return {
    error: { message: 'path not found' },
    fields: { proxyVersion: { major, minor, patch, preRelease: preRelease.join('-'), string: profile.version } },
  };
}
