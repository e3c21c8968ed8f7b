/** An HTTP/1.1 forward proxy: requests in absolute form, `CONNECT`, and protocols inside HTTP such as WebSocket. */
import {
  Agent,
  type ClientRequest,
  type ClientRequestArgs,
  createServer,
  type IncomingMessage,
  request as httpRequest,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { asMachineIdError, MachineIdError } from '../errors.ts';

export interface ForwardTarget {
  /** Whether it speaks HTTP; only `CONNECT` leads to others. */
  readonly isHttp: boolean;
  /** A new connection. @throws MachineIdError */
  connect(): Promise<Socket>;
  /** For requests that may be sent again. */
  readonly kept: Agent;
}

/** How long a connection without a request stays open. */
const KEPT_MS = 15_000;
const MAX_KEPT = 32;

/** Connections that stay open for the next request. */
export class KeptConnections extends Agent {
  readonly #connect: ForwardTarget['connect'];

  constructor(connect: ForwardTarget['connect']) {
    super({ keepAlive: true, maxFreeSockets: MAX_KEPT, timeout: KEPT_MS });
    this.#connect = connect;
  }

  override createConnection(
    _options: ClientRequestArgs,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    this.#connect().then(
      (socket) => callback?.(null, socket),
      (error: unknown) => {
        // Node reads no stream beside an error.
        if (callback !== undefined) Reflect.apply(callback, undefined, [error]);
      },
    );
  }

  /** Closes the connections without a request; those with one close when it has been answered. */
  retire(): void {
    for (const sockets of Object.values(this.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
    this.maxFreeSockets = 0;
  }
}

export interface ForwardOptions {
  /**
   * The target of a host, which is in lower case and without a port.
   * @throws MachineIdError
   */
  readonly find: (host: string) => Promise<ForwardTarget>;
  /** Carries bytes both ways until both connections have ended. */
  readonly carry: (client: Socket, target: Socket) => void;
  /** Gets each request that was not forwarded, or whose connection broke. */
  readonly onFailure: (error: MachineIdError) => void;
}

/** How long a client may keep an unused connection. */
const KEEP_ALIVE_MS = 65_000;
/** Browsers and curl have less. */
const MAX_HEADER_BYTES = 64 * 1024;
/** The first byte of TLS. */
const TLS_HANDSHAKE = 0x16;
/** For one connection, not for the target (RFC 9110 section 7.6.1). */
const OF_ONE_CONNECTION =
  /^(connection|keep-alive|proxy-connection|proxy-authorization|proxy-authenticate|te|upgrade)$/i;

/** Serves connections that something else accepts: `server.emit('connection', socket)`. */
export function forwardProxy(options: ForwardOptions): Server {
  const server = createServer({
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
    // Requests and answers may take as long as they need.
    requestTimeout: 0,
  });
  server.timeout = 0;
  server.on('request', (request, response) => {
    forward(request, response, options).catch((error: unknown) => {
      refuse(response, failed(error, options));
    });
  });
  server.on('upgrade', (request, socket, head) => {
    upgrade(request, { client: ownSocket(request), head }, options).catch((error: unknown) => {
      socket.end(refusal(failed(error, options)));
    });
  });
  server.on('connect', (request, socket, head) => {
    connect(request, { client: ownSocket(request), head }, options).catch((error: unknown) => {
      socket.end(refusal(failed(error, options)));
    });
  });
  return server;
}

/** Node passes on the socket of the request, with a type that is wider than needed. */
function ownSocket({ socket }: IncomingMessage): Socket {
  socket.on('error', () => undefined); // the relay looks at its end
  return socket;
}

function failed(error: unknown, { onFailure }: ForwardOptions): MachineIdError {
  const known = asMachineIdError(error);
  onFailure(known);
  return known;
}

async function forward(request: IncomingMessage, response: ServerResponse, options: ForwardOptions): Promise<void> {
  const { host, path } = targetOf(request);
  const target = await findHttp(host, options);
  const { method } = request;
  const headers = headersFor(request, host);
  if (mayRepeat(request)) {
    const onward = httpRequest({ agent: target.kept, method, path, headers });
    try {
      await exchange(request, onward, response);
      return;
    } catch (error) {
      // The other end may close a connection at the moment at which it is used again.
      if (!onward.reusedSocket || response.headersSent || response.destroyed) throw error;
    }
  }
  const connection = await target.connect();
  const once = { createConnection: () => connection, method, path, headers: [...headers, 'Connection', 'close'] };
  await exchange(request, httpRequest(once), response);
}

/** It has no body, and the target does nothing for it that must not happen twice (RFC 9110 section 9.2). */
function mayRepeat({ headers, method = '' }: IncomingMessage): boolean {
  const { 'content-length': length = '0', 'transfer-encoding': coding } = headers;
  return REPEATABLE.includes(method) && length === '0' && coding === undefined;
}

const REPEATABLE: readonly string[] = ['GET', 'HEAD', 'OPTIONS'];

function exchange(request: IncomingMessage, onward: ClientRequest, response: ServerResponse): Promise<void> {
  return new Promise((resolve, reject) => {
    onward.on('response', (answer) => {
      response.sendDate = false;
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage, headersOf(answer, /^transfer-encoding$/i));
      response.flushHeaders(); // the first byte of the body may come much later
      answer.on('error', reject);
      answer.on('end', () => {
        response.addTrailers(pairsOf(answer.rawTrailers));
        resolve();
      });
      answer.pipe(response);
    });
    onward.on('error', reject);
    const onClose = () => {
      // Before the end, the client has left.
      if (!response.writableFinished) onward.destroy();
      resolve();
    };
    response.once('close', onClose);
    onward.once('close', () => response.off('close', onClose));
    request.pipe(onward);
  });
}

interface Client {
  readonly client: Socket;
  /** What it has sent after its request. */
  readonly head: Buffer;
}

/** The target's answer goes to the client as it is. */
async function upgrade(request: IncomingMessage, { client, head }: Client, options: ForwardOptions): Promise<void> {
  const { host, path } = targetOf(request);
  const connection = await (await findHttp(host, options)).connect();
  const { method = 'GET', rawHeaders } = request;
  const lines = rawHeaders.flatMap((value, at) => {
    const name = rawHeaders[at - 1] ?? '';
    return at % 2 === 0 || /^proxy-/i.test(name) ? [] : [`${name}: ${value}`];
  });
  connection.write(`${[`${method} ${path} HTTP/1.1`, ...lines].join('\r\n')}\r\n\r\n`, 'latin1');
  connection.write(head);
  options.carry(client, connection);
}

/** A connection to the target, whatever the port: HTTP, or the protocol of a TCP application. */
async function connect(request: IncomingMessage, { client, head }: Client, options: ForwardOptions): Promise<void> {
  const host = hostOf(request.url ?? '');
  const isTls = request.url?.endsWith(':443') === true || head[0] === TLS_HANDSHAKE;
  const target = await options.find(host);
  if (isTls && target.isHttp) throw encrypted(host);
  const connection = await target.connect();
  client.write('HTTP/1.1 200 Connection established\r\n\r\n');
  connection.write(head);
  if (!target.isHttp || head.length > 0) {
    options.carry(client, connection);
    return;
  }
  client.once('data', (bytes: Buffer) => {
    client.pause();
    if (bytes[0] === TLS_HANDSHAKE) {
      options.onFailure(encrypted(host));
      client.destroy();
      connection.destroy();
      return;
    }
    client.unshift(bytes);
    options.carry(client, connection);
  });
  client.once('close', () => {
    connection.destroySoon();
  });
}

function encrypted(host: string): MachineIdError {
  return new MachineIdError('REQUEST_REFUSED', `a client starts TLS to the application ${host}`, {
    hint: `Use http://${host}/: the connection to the cluster is encrypted already.`,
  });
}

async function findHttp(host: string, { find }: ForwardOptions): Promise<ForwardTarget> {
  const target = await find(host);
  if (target.isHttp) return target;
  throw new MachineIdError('REQUEST_REFUSED', `the application ${host} speaks no HTTP`, {
    hint: 'Let the client open a connection to it with CONNECT, or use an application-tunnel.',
  });
}

/** From the address of a request in absolute form, otherwise from its header `Host`. */
function targetOf({ headers, url = '' }: IncomingMessage): { readonly host: string; readonly path: string } {
  const [, scheme = '', authority = '', path = ''] = /^([a-z]+):\/\/([^/?#]*)(.*)$/is.exec(url) ?? [];
  if (scheme === '') return { host: hostOf(headers.host ?? ''), path: url };
  if (/^(http|ws)$/i.test(scheme)) return { host: hostOf(authority), path: path.startsWith('/') ? path : `/${path}` };
  throw encrypted(hostOf(authority));
}

/** @throws MachineIdError */
function hostOf(authority: string): string {
  const [, host] = /^(?:[^@]*@)?([a-z0-9._-]{1,253})(?::\d{1,5})?$/i.exec(authority) ?? [];
  if (host !== undefined) return host.toLowerCase();
  throw new MachineIdError('REQUEST_REFUSED', `a request names no host: ${JSON.stringify(authority.slice(0, 100))}`, {
    hint: 'Use the name of an application as the host: http://NAME/.',
  });
}

/** With the client's own host, so that the application sees what it was asked for. */
function headersFor(request: IncomingMessage, host: string): readonly string[] {
  const headers = headersOf(request, /^expect$/i);
  return request.headers.host === undefined ? ['Host', host, ...headers] : headers;
}

/** Each repetition of a name stays, as `Set-Cookie` needs it. */
function headersOf({ headers, rawHeaders }: IncomingMessage, others: RegExp): string[] {
  const named = (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase());
  return rawHeaders.flatMap((value, at) => {
    const name = rawHeaders[at - 1] ?? '';
    const isDropped = OF_ONE_CONNECTION.test(name) || others.test(name) || named.includes(name.toLowerCase());
    return at % 2 === 0 || isDropped ? [] : [name, value];
  });
}

function pairsOf(raw: readonly string[]): [string, string][] {
  return raw.flatMap((value, at): [string, string][] => (at % 2 === 0 ? [] : [[raw[at - 1] ?? '', value]]));
}

const STATUS = new Map<string, number>([
  ['REQUEST_REFUSED', 400],
  ['RESOURCE_UNKNOWN', 404],
  ['TUNNEL_UNAVAILABLE', 503],
  ['TIMEOUT', 504],
]);

function answerTo({ code, hint, message }: MachineIdError): { readonly status: number; readonly body: string } {
  return { status: STATUS.get(code) ?? 502, body: `${JSON.stringify({ error: { code, message, hint } })}\n` };
}

function refuse(response: ServerResponse, error: MachineIdError): void {
  if (response.headersSent) {
    response.destroy(); // a client must not take part of an answer for all of it
    return;
  }
  const { body, status } = answerTo(error);
  response
    .writeHead(status, {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
      Connection: 'close',
    })
    .end(body);
}

function refusal(error: MachineIdError): string {
  const { body, status } = answerTo(error);
  const head = [`HTTP/1.1 ${status} Refused`, 'Content-Type: application/json', 'Connection: close'];
  return [...head, `Content-Length: ${Buffer.byteLength(body)}`, '', body].join('\r\n');
}
