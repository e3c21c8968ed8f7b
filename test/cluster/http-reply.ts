/** Reads and answers requests of the HTTP APIs of Proxy and Auth, with the faults that a test asked for. */
import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import { OVERSIZED_REPLY_BYTES, type Faults } from './faults.ts';
import type { RequestKind } from './records.ts';
import { badParameter } from './data/teleport-errors.ts';

/** What answers of HTTP/1.1 and HTTP/2 have in common. */
export interface Answering {
  setHeader(name: string, value: string): unknown;
  writeHead(
    status: number,
    headers: Readonly<Record<string, string | number>>,
  ): { end(body: Buffer | string): unknown };
  write(chunk: Buffer, done: () => void): unknown;
}

export interface HttpReply {
  readonly status: number;
  readonly body: object;
}

const MAX_BODY_LENGTH = 1024 * 1024;

export async function readBody(request: IncomingMessage | Http2ServerRequest): Promise<string> {
  request.setEncoding('utf8');
  let body = '';
  for await (const chunk of request) {
    body += String(chunk);
    if (body.length > MAX_BODY_LENGTH) {
      throw badParameter('the request body is too large');
    }
  }
  return body;
}

export function sendReply(
  { dateAheadMs, replies }: Faults,
  {
    abort,
    kind,
    reply,
    response,
  }: {
    readonly kind: RequestKind;
    readonly reply: HttpReply;
    readonly response: Answering;
    /** Ends the exchange without an answer. */
    readonly abort: () => void;
  },
): void {
  const body = Buffer.from(JSON.stringify(reply.body, undefined, 4));
  const json = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' };
  if (dateAheadMs !== undefined) response.setHeader('Date', new Date(Date.now() + dateAheadMs).toUTCString());
  const fault = replies[kind];
  switch (fault) {
    case undefined:
      response.writeHead(reply.status, { ...json, 'Content-Length': body.length }).end(body);
      return;
    case 'truncated':
      response.writeHead(reply.status, { ...json, 'Content-Length': body.length });
      response.write(body.subarray(0, body.length / 2), abort);
      return;
    case 'oversized':
      response.writeHead(reply.status, json).end(Buffer.alloc(OVERSIZED_REPLY_BYTES, ' '));
      return;
    case 'not-json':
      response.writeHead(200, { 'Content-Type': 'text/html' }).end('<html><body>Welcome</body></html>');
      return;
    case 'unavailable':
      response.writeHead(503, { 'Content-Type': 'text/plain' }).end('Service Unavailable');
      return;
    case 'limited':
    case 'limited-midway':
      response.writeHead(429, { ...json, 'Retry-After': '1' }).end('{"error":{"message":"rate limit exceeded"}}');
      return;
    case 'reset':
    case 'reset-midway':
      abort();
      return;
    case 'silent':
      return;
  }
}
