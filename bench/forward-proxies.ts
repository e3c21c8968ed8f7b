/** Small HTTP and SOCKS proxies that do nothing but forward, on free ports of 127.0.0.1. */
import { createServer as createHttpServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect, createServer, type Socket } from 'node:net';
import { selfSigned } from '../test/tls-certificate.ts';
import { listening } from './distance.ts';

export interface ForwardProxy {
  readonly port: number;
  /** In PEM, of a proxy that speaks TLS. */
  readonly certificate?: string;
  readonly close: () => void;
}

export async function startHttpProxy(): Promise<ForwardProxy> {
  return served(createHttpServer());
}

export async function startHttpsProxy(): Promise<ForwardProxy> {
  const { certificate, key } = await selfSigned('localhost');
  return { ...(await served(createHttpsServer({ cert: certificate, key }))), certificate };
}

async function served(server: Server): Promise<ForwardProxy> {
  server.on('connect', ({ url = '' }: IncomingMessage, client: Socket) => {
    forward(client, Number(url.split(':').at(-1)), 'HTTP/1.1 200 Connection established\r\n\r\n');
  });
  return { port: await listening(server), close: () => server.close() };
}

const GREETING_WITHOUT_LOGIN = Buffer.from([5, 0]);
const CONNECTED = Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]);

/** RFC 1928, without a login; each message is expected in one piece. */
export async function startSocksProxy(): Promise<ForwardProxy> {
  const server = createServer({ noDelay: true }, (client) => {
    client.once('data', () => {
      client.write(GREETING_WITHOUT_LOGIN);
      client.once('data', (request: Buffer) => {
        forward(client, request.readUInt16BE(request.length - 2), CONNECTED);
      });
    });
  });
  return { port: await listening(server), close: () => server.close() };
}

/** Whatever host was named, it is this machine. */
function forward(client: Socket, port: number, answer: string | Buffer): void {
  const target = connect({ host: '127.0.0.1', port, noDelay: true }, () => {
    client.write(answer);
    client.pipe(target).pipe(client);
  });
  for (const [one, other] of [
    [client, target],
    [target, client],
  ] as const) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
  }
}
