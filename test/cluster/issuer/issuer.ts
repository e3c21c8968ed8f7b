/**
 * The OIDC issuers: one stands in for oidc.circleci.com, another for a CircleCI Server with a private authority. Each serves
 * an organization's discovery document and keys.
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import { terminateTls } from '../connection.ts';
import { ISSUER_KEY_ID, SERVER_KEY_ID } from './mint.ts';
import { CIRCLECI_ISSUER } from './oidc-verifier.ts';
import type { Records } from '../records.ts';
import { listen, type TcpListener } from '../tcp-listener.ts';
import type { WebAuthority } from './web-authority.ts';

const ROUTE = /^\/org\/([0-9a-f-]{36})\/\.well-known\/(openid-configuration|jwks-pub\.json)$/;
const TLS_HANDSHAKE = 0x16;

export function startIssuer(web: WebAuthority, key: KeyObject, records: Records): Promise<TcpListener> {
  return serve(
    web,
    respond(publicKeys(key, ISSUER_KEY_ID), records, () => CIRCLECI_ISSUER),
  );
}

/** Its issuer has the host and the scheme of the request: the same port answers HTTPS and plain HTTP. */
export function startServerIssuer(web: WebAuthority, key: KeyObject, records: Records): Promise<TcpListener> {
  return serve(
    web,
    respond(publicKeys(key, SERVER_KEY_ID), records, (origin) => origin),
  );
}

/** The keys of a CircleCI Server as `static_jwks` contains them. */
export function serverJwks(key: KeyObject): string {
  return JSON.stringify(publicKeys(key, SERVER_KEY_ID));
}

function publicKeys(key: KeyObject, kid: string): object {
  return { keys: [{ ...createPublicKey(key).export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' }] };
}

function serve(web: WebAuthority, listener: RequestListener): Promise<TcpListener> {
  const http = createServer(listener);
  return listen(0, (socket) => {
    socket.once('data', (first: Buffer) => {
      socket.pause();
      socket.unshift(first);
      if (first[0] !== TLS_HANDSHAKE) {
        http.emit('connection', socket);
        socket.resume();
        return;
      }
      terminateTls(socket, { certificate: web.tls, alpn: ['http/1.1'], requestCert: false }).then(
        (secure) => http.emit('connection', secure),
        () => socket.destroy(),
      );
    });
  });
}

/** @param issuerOf of the origin that was requested, such as `https://localhost:4443` */
function respond(keys: object, records: Records, issuerOf: (origin: string) => string): RequestListener {
  return (request, response) => {
    const [, organization, file] = ROUTE.exec(request.url ?? '') ?? [];
    if (organization === undefined) {
      response.writeHead(404).end();
      return;
    }
    const discovery = file === 'openid-configuration';
    records.add({
      listener: 'issuer',
      kind: discovery ? 'discovery' : 'jwks',
      serverName: undefined,
      alpn: [],
      fields: { organization },
    }).outcome = 'ok';
    const origin = `${'encrypted' in request.socket ? 'https' : 'http'}://${request.headers.host ?? ''}`;
    const document = {
      issuer: `${issuerOf(origin)}/org/${organization}`,
      jwks_uri: `${origin}/org/${organization}/.well-known/jwks-pub.json`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public', 'pairwise'],
      id_token_signing_alg_values_supported: ['RS256'],
    };
    response.setHeader('Content-Type', 'application/json').end(JSON.stringify(discovery ? document : keys));
  };
}
