/**
 * A layer 7 load balancer in front of the Proxy: terminates TLS with a certificate for the tenant's host, which ends ALPN
 * and client certificates, and forwards HTTP/1.1 and its upgrades to the Proxy over separate TLS connections.
 */
import { randomBytes } from 'node:crypto';
import { createServer as createHttp1, STATUS_CODES, type ClientRequest, type IncomingMessage } from 'node:http';
import { createServer as createHttp2, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import { request as requestHttps } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SecureContextOptions } from 'node:tls';
import { peekClientHello } from './client-hello.ts';
import { terminateTls } from '../connection.ts';
import type { Records } from '../records.ts';
import { listen, type ListenHost, type TcpListener } from '../tcp-listener.ts';

/**
 * They differ in how they answer a client that offers ALPN protocols of Teleport alone:
 * - `l7`: chooses no protocol, as a server does that does not know ALPN
 * - `l7-alert`: speaks `http/1.1` and refuses a client that does not offer it, with the alert no_application_protocol
 * - `l7-unoffered`: chooses `http/1.1` all the same
 * - `l7-h2`: chooses no protocol, but `h2` or `http/1.1` if the client offers them too, as an AWS ALB does; answers gRPC
 *   with 464, as an ALB does whose targets speak HTTP/1.1 ("HTTP 464" in AWS' guide to troubleshooting load balancers)
 * - `l7-no-upgrade`: as `l7`, and removes the header `Upgrade` (gravitational/teleport 31202)
 */
export type BalancerKind = 'l7' | 'l7-alert' | 'l7-unoffered' | 'l7-h2' | 'l7-no-upgrade';

export interface BalancerOptions {
  /** For `tenantHost`. */
  readonly certificate: SecureContextOptions;
  /** The host that clients know the Proxy by. */
  readonly tenantHost: string;
  readonly records: Records;
  readonly host?: ListenHost;
  /** Called for each connection: the balancer listens before the Proxy does. */
  readonly proxyPort: () => number;
  /** How long a connection may be idle before it is closed; the 60 seconds of an AWS ALB by default. */
  readonly idleMs?: number | undefined;
}

const IDLE_MS = 60_000;
const HTTP1 = 'http/1.1';
const HTTP2 = 'h2';
const INCOMPATIBLE_PROTOCOL = 464;
/** Headers that are not forwarded, and the pseudo-headers of HTTP/2; for requests, Node writes the body's framing. */
const OF_ONE_CONNECTION = /^(connection|keep-alive|upgrade|transfer-encoding|:.*)$/i;

/** @param port 0 for a free one */
export function startLoadBalancer(kind: BalancerKind, port: number, options: BalancerOptions): Promise<TcpListener> {
  const forwarder = new Forwarder(kind !== 'l7-no-upgrade', options);
  const onSocket = (socket: Socket): void => {
    serve(kind, socket, { ...options, forwarder }).catch(() => socket.destroy());
  };
  return listen(port, onSocket, options.host);
}

async function serve(
  kind: BalancerKind,
  socket: Socket,
  { certificate, forwarder, idleMs, records }: BalancerOptions & { readonly forwarder: Forwarder },
): Promise<void> {
  const hello = await peekClientHello(socket);
  const fields: Record<string, unknown> = { verdict: 'terminated' };
  const record = records.add({ listener: 'front', kind: 'connection', ...hello, fields });
  socket.setTimeout(idleMs ?? IDLE_MS, () => socket.destroy());
  if (kind === 'l7-unoffered' && hello.alpn.length > 0 && !hello.alpn.includes(HTTP1)) {
    socket.resume();
    socket.write(serverHello(HTTP1));
    record.outcome = 'refused: chose a protocol that was not offered';
    return;
  }
  try {
    const alpn = spokenProtocols(kind, hello.alpn);
    const secure = await terminateTls(socket, { certificate, alpn, requestCert: false });
    fields.chosen = secure.alpnProtocol;
    record.outcome = 'ok';
    forwarder.accept(secure, secure.alpnProtocol === HTTP2);
  } catch (error) {
    record.outcome = `refused: ${String(error)}`;
    throw error;
  }
}

/** Empty for a server that does not answer ALPN. */
function spokenProtocols(kind: BalancerKind, offered: readonly string[]): readonly string[] {
  switch (kind) {
    case 'l7':
    case 'l7-no-upgrade':
      return [];
    case 'l7-alert':
    case 'l7-unoffered':
      return [HTTP1];
    case 'l7-h2':
      return [HTTP2, HTTP1].filter((protocol) => offered.includes(protocol));
  }
}

/**
 * A ServerHello of TLS 1.2, whose choice of a protocol is not encrypted, so that no TLS library has to agree to it
 * (RFC 5246 section 7.4.1.3, RFC 7301 section 3.1). What would follow it never comes.
 */
function serverHello(protocol: string): Buffer {
  const choice = Buffer.concat([Buffer.from([0, 16]), vector(2, vector(2, vector(1, Buffer.from(protocol))))]);
  const secureRenegotiation = Buffer.from([0xff, 0x01, 0, 1, 0]);
  const hello = Buffer.concat([
    Buffer.from([3, 3]),
    randomBytes(32),
    vector(1, Buffer.alloc(0)), // no session
    Buffer.from([0xc0, 0x2b, 0]), // TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, no compression
    vector(2, Buffer.concat([secureRenegotiation, choice])),
  ]);
  const handshake = Buffer.concat([Buffer.from([2]), vector(3, hello)]);
  return Buffer.concat([Buffer.from([22, 3, 3]), vector(2, handshake)]);
}

function vector(lengthBytes: number, contents: Buffer): Buffer {
  const length = Buffer.alloc(lengthBytes);
  length.writeUIntBE(contents.length, 0, lengthBytes);
  return Buffer.concat([length, contents]);
}

/** Forwards each request to the Proxy on a separate connection. */
class Forwarder {
  readonly #upgrades: boolean;
  readonly #options: BalancerOptions;
  readonly #http1 = createHttp1();
  readonly #http2 = createHttp2();

  constructor(upgrades: boolean, options: BalancerOptions) {
    this.#upgrades = upgrades;
    this.#options = options;
    this.#http1.keepAliveTimeout = options.idleMs ?? IDLE_MS;
    this.#http1.on('request', (request, response) => {
      const inner = this.#forward(request, headersOf(request, false));
      inner.on('response', (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.statusMessage, headersOf(answer, false));
        answer.pipe(response);
      });
      inner.on('error', () => response.destroy());
      response.on('close', () => inner.destroy());
      request.pipe(inner);
    });
    this.#http1.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      this.#upgrade(request, socket, head);
    });
    this.#http2.on('session', (session) => session.on('error', () => undefined));
    this.#http2.on('request', (request, response) => {
      this.#forwardStream(request, response);
    });
  }

  accept(socket: Duplex, http2: boolean): void {
    (http2 ? this.#http2 : this.#http1).emit('connection', socket);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const inner = this.#forward(request, headersOf(request, this.#upgrades));
    inner.on('upgrade', (answer, upgraded, rest) => {
      socket.write(headOf(answer));
      upgraded.unshift(rest);
      socket.unshift(head);
      upgraded.on('error', () => socket.destroy()).on('close', () => socket.destroy());
      socket.on('error', () => upgraded.destroy()).on('close', () => upgraded.destroy());
      upgraded.pipe(socket).pipe(upgraded);
    });
    inner.on('response', (answer) => {
      socket.write(headOf(answer));
      answer.pipe(socket);
    });
    inner.on('error', () => socket.destroy());
    inner.end();
  }

  #forwardStream(request: Http2ServerRequest, response: Http2ServerResponse): void {
    response.stream.on('error', () => undefined);
    if (request.headers['content-type']?.startsWith('application/grpc') === true) {
      response.stream.respond({ ':status': INCOMPATIBLE_PROTOCOL }, { endStream: true });
      return;
    }
    const inner = this.#forward(request, ['Host', request.authority, ...headersOf(request, false)]);
    inner.on('response', (answer) => {
      const headers = Object.entries(answer.headers).filter(([name]) => !OF_ONE_CONNECTION.test(name));
      response.writeHead(answer.statusCode ?? 502, Object.fromEntries(headers));
      answer.pipe(response);
    });
    inner.on('error', () => response.stream.destroy());
    response.on('close', () => inner.destroy());
    request.pipe(inner);
  }

  #forward({ method, socket, url }: IncomingMessage | Http2ServerRequest, headers: readonly string[]): ClientRequest {
    return requestHttps({
      host: '127.0.0.1',
      port: this.#options.proxyPort(),
      servername: this.#options.tenantHost,
      method,
      path: url,
      headers: [...headers, 'X-Forwarded-For', socket.remoteAddress ?? '', 'X-Forwarded-Proto', 'https'],
      agent: false,
      rejectUnauthorized: false, // as an ALB, which trusts its network
    });
  }
}

/** As the client wrote them, names before values, except those that are for this connection alone. */
function headersOf({ rawHeaders }: IncomingMessage | Http2ServerRequest, upgrades: boolean): string[] {
  return rawHeaders.flatMap((value, at) => {
    const name = rawHeaders[at - 1] ?? '';
    const hop = OF_ONE_CONNECTION.test(name);
    return at % 2 === 0 || (hop && !upgrades) ? [] : [name, value];
  });
}

function headOf({ rawHeaders, statusCode = 502 }: IncomingMessage): string {
  const lines = rawHeaders.flatMap((value, at) => (at % 2 === 0 ? [] : [`${rawHeaders[at - 1] ?? ''}: ${value}`]));
  return [`HTTP/1.1 ${String(statusCode)} ${STATUS_CODES[statusCode] ?? ''}`, ...lines, '', ''].join('\r\n');
}
