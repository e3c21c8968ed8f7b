/** The Proxy's Kubernetes side: which clients may access which cluster's API, and as which user. */
import { createServer as createHttp1 } from 'node:http';
import { createServer as createHttp2 } from 'node:http2';
import { Readable, type Writable } from 'node:stream';
import type { Socket } from 'node:net';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import { clientIdentity } from './client-identity.ts';
import type { ClientHello } from './client-hello.ts';
import { terminateTls } from '../connection.ts';
import type { Identity } from '../data/identity.ts';
import { answerKube, type KubeReply, type KubeStream, kubeStatus } from './kube-api.ts';
import type { KubernetesCluster } from '../data/resources-data.ts';
import { mayReach, type World } from '../world.ts';

const SERVER_NAME_PREFIX = 'kube-teleport-proxy-alpn.';
const MAX_BODY_LENGTH = 1024 * 1024;
/** The first version that distinguishes Kubernetes clusters by the path. */
const FIRST_MAJOR_WITH_PATHS = 17;

interface Asked {
  readonly method: string;
  /** Including its query. */
  readonly path: string;
  readonly body: AsyncIterable<unknown>;
}

/** Whether a connection is for Kubernetes, by its server name. */
export function isKubeServerName(serverName: string | undefined): boolean {
  return serverName?.startsWith(SERVER_NAME_PREFIX) === true;
}

/** Serves a connection whose ClientHello was put back. @throws Error for an invalid client certificate */
export async function serveKube(
  world: World,
  socket: Socket,
  { hello, certificate }: { readonly hello: ClientHello; readonly certificate: SecureContextOptions },
): Promise<void> {
  const secure = await terminateTls(socket, { certificate, alpn: ['h2', 'http/1.1'], requestCert: true });
  const identity = clientIdentity(secure);
  serveHttp(secure, async (asked) => {
    const fields: Record<string, unknown> = { method: asked.method, path: asked.path, user: identity?.userName };
    const record = world.records.add({ listener: 'proxy', kind: 'kubernetes', ...hello, fields });
    const reply = await answer(world, identity, asked, fields);
    record.outcome = reply.status < 400 ? 'ok' : `refused: ${String(reply.status)}`;
    return reply;
  });
}

/** HTTP/2 if the client offers it, as kubectl does, otherwise HTTP/1.1. */
function serveHttp(secure: TLSSocket, handle: (asked: Asked) => Promise<KubeReply | KubeStream>): void {
  if (secure.alpnProtocol === 'h2') {
    const server = createHttp2((request, response) => {
      handle({ method: request.method, path: request.url, body: request }).then(
        (reply) => {
          response.writeHead(reply.status, JSON_TYPE);
          send(reply, response.stream);
        },
        () => response.stream.destroy(),
      );
    });
    server.emit('connection', secure);
    return;
  }
  const server = createHttp1((request, response) => {
    handle({ method: request.method ?? '', path: request.url ?? '', body: request }).then(
      (reply) => {
        response.writeHead(reply.status, JSON_TYPE);
        send(reply, response);
      },
      () => response.destroy(),
    );
  });
  server.on('upgrade', (request, socket, head) => {
    secure.allowHalfOpen = true;
    handle({ method: request.method ?? '', path: request.url ?? '', body: Readable.from([]) }).then(
      ({ status }) => {
        if (status !== 101) {
          socket.end(`HTTP/1.1 ${String(status)} Refused\r\nConnection: close\r\n\r\n`);
          return;
        }
        socket.write(
          `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${String(request.headers.upgrade)}\r\n\r\n`,
        );
        socket.write(head);
        socket.on('error', () => socket.destroy()).pipe(socket);
      },
      () => socket.destroy(),
    );
  });
  server.emit('connection', secure);
}

function send(reply: KubeReply | KubeStream, response: Writable): void {
  if ('body' in reply) {
    response.end(JSON.stringify(reply.body));
    return;
  }
  const pieces = Readable.from(reply.pieces);
  response.on('error', () => undefined).on('close', () => pieces.destroy());
  pieces.pipe(response);
}

const JSON_TYPE = { 'Content-Type': 'application/json' };

async function answer(
  world: World,
  identity: Identity | undefined,
  { body, method, path }: Asked,
  fields: Record<string, unknown>,
): Promise<KubeReply | KubeStream> {
  if (identity === undefined) {
    return kubeStatus(401, 'Unauthorized', 'a client certificate is required');
  }
  const target = targetOf(world, identity, path);
  if ('status' in target) {
    return target;
  }
  fields.cluster = target.cluster.name;
  const { groups, users } = identity.kubernetes;
  // With several users the client would have to choose; then the Teleport user is used.
  const user = users.length === 1 ? (users[0] ?? '') : identity.userName;
  const cluster = target.cluster.name;
  return answerKube({
    cluster,
    user,
    groups,
    method,
    path: target.path,
    body: await read(body),
    events: world.kubeEvents,
  });
}

/** The cluster in the path, otherwise the one in the certificate; or why neither is available. */
function targetOf(
  world: World,
  { kubernetes, roles }: Identity,
  path: string,
): { readonly cluster: KubernetesCluster; readonly path: string } | KubeReply {
  const { clusterName, profile, resources } = world;
  const [, teleportName, kubeName, rest] = /^\/v1\/teleport\/([\w-]+)\/([\w-]+)(\/.*)$/.exec(path) ?? [];
  const byPath = kubeName !== undefined && profile.major >= FIRST_MAJOR_WITH_PATHS;
  if (byPath && decoded(teleportName) !== clusterName) {
    return kubeStatus(404, 'NotFound', `cluster "${decoded(teleportName)}" is not found`);
  }
  const name = byPath ? decoded(kubeName) : kubernetes.cluster;
  if (name === undefined) {
    return kubeStatus(400, 'BadRequest', 'the certificate is not routed to a Kubernetes cluster');
  }
  if (byPath && kubernetes.cluster !== undefined && kubernetes.cluster !== name) {
    return kubeStatus(403, 'Forbidden', `the certificate is routed to Kubernetes cluster "${kubernetes.cluster}"`);
  }
  const cluster = resources.kubernetesClusters.find((one) => one.name === name);
  if (cluster === undefined || !mayReach(world, roles, 'kubernetes', cluster.labels)) {
    return kubeStatus(404, 'NotFound', `Kubernetes cluster "${name}" not found`);
  }
  return { cluster, path: byPath ? (rest ?? '/') : path };
}

function decoded(text: string | undefined): string {
  return Buffer.from(text ?? '', 'base64url').toString('utf8');
}

async function read(body: AsyncIterable<unknown>): Promise<string> {
  let text = '';
  for await (const chunk of body) {
    text += String(chunk);
    if (text.length > MAX_BODY_LENGTH) {
      throw new Error('the request body is too large');
    }
  }
  return text;
}
