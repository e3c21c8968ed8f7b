/** Stands in for oidc.circleci.com: serves each organization's discovery document and keys over HTTPS. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import { terminateTls } from '../connection.ts';
import { ISSUER_KEY_ID } from './mint.ts';
import { CIRCLECI_ISSUER } from './oidc-verifier.ts';
import type { Records } from '../records.ts';
import { listen, type TcpListener } from '../tcp-listener.ts';
import type { WebAuthority } from './web-authority.ts';

const ROUTE = /^\/org\/([0-9a-f-]{36})\/\.well-known\/(openid-configuration|jwks-pub\.json)$/;

export function startIssuer(web: WebAuthority, key: KeyObject, records: Records): Promise<TcpListener> {
  const jwk = { ...createPublicKey(key).export({ format: 'jwk' }), kid: ISSUER_KEY_ID, alg: 'RS256', use: 'sig' };
  const http = createServer(respond({ keys: [jwk] }, records));
  return listen(0, (socket) => {
    terminateTls(socket, { certificate: web.tls, alpn: ['http/1.1'], requestCert: false }).then(
      (secure) => http.emit('connection', secure),
      () => socket.destroy(),
    );
  });
}

function respond(keys: object, records: Records): RequestListener {
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
    const base = `https://${request.headers.host ?? ''}/org/${organization}/.well-known`;
    const document = {
      issuer: `${CIRCLECI_ISSUER}/org/${organization}`,
      jwks_uri: `${base}/jwks-pub.json`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public', 'pairwise'],
      id_token_signing_alg_values_supported: ['RS256'],
    };
    response.setHeader('Content-Type', 'application/json').end(JSON.stringify(discovery ? document : keys));
  };
}
