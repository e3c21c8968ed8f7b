/** Servers that respond with whatever a test provides. */
import { once } from 'node:events';
import { createSecureServer, type OutgoingHttpHeaders } from 'node:http2';
import type { Server } from 'node:net';
import { createServer } from 'node:tls';
import { after } from 'node:test';
import { selfSigned } from '../tls-certificate.ts';

export interface Peer<Answer> {
  readonly port: number;
  /** PEM of the authority that signed its certificate. */
  readonly ca: string;
  /** The response to the next request. */
  answer: Answer;
}

/** Headers, body and trailers of an HTTP/2 response. */
export interface StreamAnswer {
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
  readonly trailers: OutgoingHttpHeaders | undefined;
}

/** Responds to every request with valid HTTP/2 from Node; `authorities` collects the authorities of the requests. */
export async function http2Peer(
  serverName: string,
  first: StreamAnswer,
): Promise<Peer<StreamAnswer> & { readonly authorities: readonly (string | undefined)[] }> {
  const { certificate, key } = await selfSigned(serverName);
  const server = createSecureServer({ cert: certificate, key });
  const authorities: (string | undefined)[] = [];
  const peer = { port: 0, ca: certificate, answer: first, authorities };
  server.on('session', (session) => {
    session.on('error', () => undefined);
    after(() => {
      session.destroy();
    });
  });
  server.on('stream', (stream, request) => {
    authorities.push(request[':authority']);
    const { body, headers, trailers } = peer.answer;
    stream.on('error', () => undefined);
    if (trailers === undefined) stream.respond(headers);
    else {
      stream.respond(headers, { waitForTrailers: true });
      stream.once('wantTrailers', () => {
        stream.sendTrailers(trailers);
      });
    }
    stream.end(body);
  });
  peer.port = await listen(server);
  return peer;
}

/** Waits for the first bytes of a connection, sends the response, and closes the connection. */
export async function rawPeer(serverName: string, alpn: readonly string[]): Promise<Peer<Buffer>> {
  const { certificate, key } = await selfSigned(serverName);
  const peer = { port: 0, ca: certificate, answer: Buffer.alloc(0) };
  const server = createServer({ cert: certificate, key, ALPNProtocols: [...alpn] }, (socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(peer.answer));
  });
  server.on('tlsClientError', () => undefined);
  peer.port = await listen(server);
  return peer;
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  after(() => {
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address !== 'object') throw new Error('the server has no address');
  return address.port;
}
