/**
 * Auth's HTTP API, as far as clients without a certificate use it: the registration of before the join service, at
 * `/v2/tokens/register` (any version text matches), which left Auth with v18 (gravitational/teleport 53110).
 */
import { createServer, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Connection } from '../connection.ts';
import { readBody, sendReply, type HttpReply } from '../http-reply.ts';
import { joinByLegacyEndpoint } from './join-legacy.ts';
import type { OidcVerifier } from '../issuer/oidc-verifier.ts';
import { observe, type RequestKind } from '../records.ts';
import { badParameter, notFound, toHttpReply, toTeleportError } from '../data/teleport-errors.ts';
import type { World } from '../world.ts';

const FIRST_MAJOR_WITHOUT_REGISTRATION = 18;

export class AuthRest {
  readonly #world: World;
  readonly #verifier: OidcVerifier;
  readonly #connections = new WeakMap<Duplex, Connection>();
  readonly #server = createServer();

  constructor(world: World, verifier: OidcVerifier) {
    this.#world = world;
    this.#verifier = verifier;
    this.#server.on('request', (request, response) => {
      const abort = (): void => {
        response.destroy();
      };
      this.#answer(request)
        .then(({ kind, reply }) => {
          sendReply(world.faults, { kind, reply, response, abort });
        })
        .catch(abort);
    });
  }

  accept(connection: Connection): void {
    this.#connections.set(connection.socket, connection);
    this.#server.emit('connection', connection.socket);
  }

  async #answer(request: IncomingMessage): Promise<{ readonly kind: RequestKind; readonly reply: HttpReply }> {
    const kind = this.#routeOf(request);
    const fields: Record<string, unknown> = { method: request.method, path: request.url };
    const hello = this.#connections.get(request.socket)?.hello ?? { serverName: undefined, alpn: [] };
    const userAgent = request.headers['user-agent'];
    const record = this.#world.records.add({ listener: 'auth', kind, ...hello, userAgent, fields });
    const reply = await observe(record, async () => {
      const body = await readBody(request);
      if (kind === 'unknown-route') {
        throw notFound('path not found');
      }
      if (request.headers['content-type']?.split(';')[0] !== 'application/json') {
        throw badParameter('invalid request');
      }
      const origin = { fields, remoteAddress: request.socket.remoteAddress ?? '' };
      return joinByLegacyEndpoint(this.#world, this.#verifier, body, origin);
    }).then(
      (body): HttpReply => ({ status: 200, body }),
      (error: unknown): HttpReply => toHttpReply(toTeleportError(error)),
    );
    return { kind, reply };
  }

  #routeOf({ method, url = '' }: IncomingMessage): RequestKind {
    const { major, registrationEndpoint } = this.#world.profile;
    const served = registrationEndpoint && major < FIRST_MAJOR_WITHOUT_REGISTRATION;
    return served && method === 'POST' && /^\/[^/]+\/tokens\/register$/.test(url) ? 'legacy-join' : 'unknown-route';
  }
}
