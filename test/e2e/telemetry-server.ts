/** Stands in for the service that receives tbot's events, and records them. */
import { createServer as createHttpServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { z } from 'zod';

export interface Received {
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly contentType: string | undefined;
  readonly userAgent: string | undefined;
  readonly protocol: string | readonly string[] | undefined;
  readonly body: string;
}

export interface TelemetryServer {
  readonly url: string;
  readonly received: readonly Received[];
}

interface Behaviour {
  /** `never` does not respond to the request. */
  readonly status?: number | 'never';
  readonly tls?: { readonly key: string; readonly cert: string };
}

export const TelemetryEvent = z.strictObject({
  distinctId: z.uuidv4(),
  timestamp: z.iso.datetime(),
  start: z.strictObject({
    runMode: z.literal(1),
    version: z.string(),
    joinType: z.literal('circleci'),
    helper: z.literal('circleci-orb:teleport/machine-id'),
    helperVersion: z.string(),
    destinationsOther: z.int(),
    destinationsDatabase: z.int(),
    destinationsKubernetes: z.int(),
    destinationsApplication: z.int(),
  }),
});

export async function startTelemetryServer(
  t: Pick<TestContext, 'after'>,
  { status = 200, tls }: Behaviour = {},
): Promise<TelemetryServer> {
  const received: Received[] = [];
  const listener: RequestListener = (request, response) => {
    void bodyOf(request).then((body) => {
      const { headers, method, url: path } = request;
      const [contentType, protocol] = [headers['content-type'], headers['connect-protocol-version']];
      received.push({ method, path, contentType, userAgent: headers['user-agent'], protocol, body });
      if (status !== 'never') response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
    });
  };
  const server = tls === undefined ? createHttpServer(listener) : createHttpsServer(tls, listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return { url: `${tls === undefined ? 'http' : 'https'}://localhost:${address.port}`, received };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) if (Buffer.isBuffer(chunk)) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
