/** Load balancers that terminate TLS with their own certificate, drop ALPN, and forward the contents. */
import { once } from 'node:events';
import { constants, createSecureServer, type ServerHttp2Stream } from 'node:http2';
import { request } from 'node:https';
import { connect as connectTcp, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import type { TestContext } from 'node:test';
import { selfSigned } from '../tls-certificate.ts';

export interface TlsTerminator {
  /** `localhost:port` */
  readonly address: string;
  /** PEM. */
  readonly certificate: string;
}

export interface TerminatorOptions {
  /** `localhost:port` of the Proxy. */
  readonly behind: string;
  /** The ALPN protocols that it supports; if empty, it does not answer ALPN at all. */
  readonly speaks?: readonly string[];
}

type Owner = Pick<TestContext, 'after'>;

export async function startTlsTerminator(t: Owner, options: TerminatorOptions): Promise<TlsTerminator> {
  const { behind, speaks = [] } = options;
  const { certificate, key } = await selfSigned('localhost');
  const server = createServer({
    cert: certificate,
    key,
    ...(speaks.length === 0 ? {} : { ALPNProtocols: [...speaks] }),
  });
  server.on('secureConnection', (outer) => {
    pipe(outer, dial(behind));
  });
  return { address: await listen(t, server), certificate };
}

/**
 * Chooses an ALPN protocol that was not offered instead of one of Teleport's. No TLS library does that, so the
 * ClientHello is changed before it reaches a server with TLS 1.2, whose choice is not encrypted.
 */
export async function startUnofferedChoice(
  t: Owner,
  { behind }: Pick<TerminatorOptions, 'behind'>,
): Promise<TlsTerminator> {
  const { certificate, key } = await selfSigned('localhost');
  const inner = createServer({
    cert: certificate,
    key,
    maxVersion: 'TLSv1.2',
    ALPNCallback: ({ protocols: [first] }) => first,
  });
  inner.on('secureConnection', (outer) => {
    pipe(outer, dial(behind));
  });
  const [, port = ''] = (await listen(t, inner)).split(':');
  const front = createTcpServer((outer) => {
    const to = connectTcp({ host: '127.0.0.1', port: Number(port) });
    outer.once('data', (greeting) => {
      to.write(Buffer.from(greeting.toString('latin1').replaceAll('teleport-', 'xeleport-'), 'latin1'));
      pipe(outer, to);
    });
  });
  return { address: await listen(t, front), certificate };
}

/**
 * How a front that supports HTTP/2 handles a gRPC call:
 * - `forwards`: forwards each request as HTTP/1.1 once it has ended, like an AWS ALB or nginx; a stream never ends
 * - `refuses`: responds with 464, like an ALB to a protocol that its target group does not support
 * - `page`: responds with 200 and a page
 * - `goes-away`: closes the connection with GOAWAY
 */
export type Http2Manner = 'forwards' | 'refuses' | 'page' | 'goes-away';

export async function startHttp2Terminator(
  t: Owner,
  { behind, manner }: { readonly behind: string; readonly manner: Http2Manner },
): Promise<TlsTerminator> {
  const { certificate, key } = await selfSigned('localhost');
  const server = createSecureServer({ cert: certificate, key, allowHTTP1: true });
  server.on('session', (session) => session.on('error', () => undefined));
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    if (manner === 'refuses') stream.respond({ ':status': 464 }, { endStream: true });
    else if (manner === 'goes-away') stream.session?.destroy(undefined, constants.NGHTTP2_HTTP_1_1_REQUIRED);
    else if (manner === 'page') respondWithPage(stream);
    else forward(stream, String(headers[':method']), String(headers[':path']), behind);
  });
  server.on('request', (incoming, outgoing) => {
    if (incoming.httpVersionMajor === 2) return;
    const options = { ...target(behind), method: incoming.method, path: incoming.url };
    const inner = request({ ...options, headers: { 'content-type': 'application/json' } }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, { 'content-type': answer.headers['content-type'] ?? 'text/plain' });
      answer.pipe(outgoing);
    });
    inner.on('error', () => incoming.socket.destroy());
    incoming.pipe(inner);
  });
  return { address: await listen(t, server), certificate };
}

function respondWithPage(stream: ServerHttp2Stream): void {
  stream.respond({ ':status': 200, 'content-type': 'text/html' });
  stream.end('<html>welcome</html>');
}

function forward(stream: ServerHttp2Stream, method: string, path: string, behind: string): void {
  const body: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => body.push(chunk));
  stream.on('end', () => {
    const inner = request({ ...target(behind), method, path }, (answer) => {
      if (stream.destroyed) return;
      stream.respond({ ':status': answer.statusCode ?? 502 });
      answer.pipe(stream);
    });
    inner.on('error', () => {
      stream.close();
    });
    inner.end(Buffer.concat(body));
  });
}

function target(behind: string) {
  const [host = '', port = ''] = behind.split(':');
  return { host, port: Number(port), rejectUnauthorized: false };
}

function dial(behind: string): TLSSocket {
  return connect({ ...target(behind), ALPNProtocols: ['http/1.1'] });
}

function pipe(outer: Socket, inner: Socket): void {
  for (const [one, other] of [
    [outer, inner],
    [inner, outer],
  ] as const) {
    one.on('error', () => other.destroy());
    one.pipe(other);
  }
}

async function listen(t: Owner, server: Server): Promise<string> {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
  });
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return `localhost:${String(address.port)}`;
}
