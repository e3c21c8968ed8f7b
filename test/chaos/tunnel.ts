/**
 * A tunnel that is in use while its connections to the Proxy are spoiled. What arrives at either end must be the beginning
 * of what was sent. It need not be all of it: a protocol without lengths cannot tell the end of TLS from a cut, because Node.js
 * does not show whether the peer said farewell (`close_notify`).
 */
import { createHash } from 'node:crypto';
import { createServer as createHttpServer, type IncomingMessage, request } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Cluster } from '../cluster/cluster.ts';
import { databaseServerCertificate } from '../cluster/proxy/teleport-certificate.ts';
import type { FaultName } from './fault.ts';
import { listening } from './listening.ts';

export const TUNNELS = ['database-tunnel', 'application-tunnel', 'application-proxy', 'kubernetes-tunnel'] as const;
export type TunnelPhase = (typeof TUNNELS)[number];

/** The item of a tbot.yaml. */
const ITEMS: Readonly<Record<TunnelPhase, string>> = {
  'database-tunnel': 'service: cache, database: "0", username: default',
  'application-tunnel': 'app_name: broker',
  'application-proxy': '',
  'kubernetes-tunnel': 'kubernetes_cluster: dev',
};

export function isTunnel(phase: string): phase is TunnelPhase {
  return TUNNELS.some((one) => one === phase);
}

export function tunnelConfig(
  phase: TunnelPhase,
  { address, joinToken }: { readonly address: string; readonly joinToken: string },
): string {
  const item = [`type: ${phase}`, 'listen: "tcp://127.0.0.1:0"', ITEMS[phase]].filter((part) => part !== '');
  return `version: v2
proxy_server: ${address}
onboarding: { join_method: circleci, token: ${joinToken} }
services:
  - { ${item.join(', ')} }
`;
}

const SENT = Buffer.alloc(6000, 'from the client ');
const ANSWER = Buffer.concat([
  Buffer.alloc(30_000, 'from the other end '),
  Buffer.from(createHash('sha256').update(SENT).digest('hex')),
]);

/** What the tunnels of a cluster lead to. */
export class OtherEnds {
  readonly #servers: Server[];
  readonly #sockets = new Set<Socket>();
  /** Since the last `begin`: what one connection has sent. */
  #received: Buffer[] = [];

  private constructor(servers: readonly Server[]) {
    this.#servers = [...servers];
  }

  static async start(cluster: Cluster): Promise<OtherEnds> {
    const ends = new OtherEnds([]);
    const { cert, key } = await databaseServerCertificate(cluster.world);
    const application = createServer({ allowHalfOpen: true }, (socket) => {
      ends.#answer(socket);
    });
    const database = createTlsServer({ cert, key, allowHalfOpen: true }, (socket) => {
      ends.#answer(socket);
    });
    const web = createHttpServer((incoming, response) => {
      const parts = ends.#keep(incoming);
      incoming.once('end', () => response.end(answerTo(Buffer.concat(parts))));
    });
    const { applications, databases } = cluster.resources;
    const places = [
      [application, applications, 'broker'],
      [database, databases, 'cache'],
      [web, applications, 'dashboard'],
    ] as const;
    for (const [server, list, name] of places) {
      const found = [...list].find((one) => one.name === name);
      if (found === undefined) throw new Error(`the cluster has no ${name}`);
      found.port = await listening(server);
      ends.#servers.push(server);
      server.on('connection', (socket: Socket) => {
        ends.#sockets.add(socket);
        socket.once('close', () => ends.#sockets.delete(socket));
      });
    }
    return ends;
  }

  begin(): void {
    this.#received = [];
  }

  /** Whether some end got other bytes than the client sent. */
  get hasOtherBytes(): boolean {
    return this.#received.some((bytes) => !isBeginning(bytes, SENT));
  }

  close(): void {
    for (const server of this.#servers) server.close();
    // One that did not get everything has not answered, and would wait for ever.
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Answers once it has everything: not every Proxy passes on the end of one direction alone. */
  #answer(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    socket.once('data', (first: Buffer) => {
      if (first.toString('latin1') === PING) {
        socket.end('+PONG\r\n');
        return;
      }
      socket.unshift(first);
      const parts = this.#keep(socket);
      socket.on('data', () => {
        const bytes = Buffer.concat(parts);
        if (bytes.length >= SENT.length && socket.writable) socket.end(answerTo(bytes));
      });
    });
  }

  #keep(stream: Socket | IncomingMessage): readonly Buffer[] {
    const parts: Buffer[] = [];
    const at = this.#received.push(Buffer.alloc(0)) - 1;
    stream.on('data', (bytes: Buffer) => {
      parts.push(bytes);
      this.#received[at] = Buffer.concat(parts);
    });
    return parts;
  }
}

const PING = '*1\r\n$4\r\nPING\r\n';

function answerTo(sent: Buffer): Buffer {
  return Buffer.concat([ANSWER.subarray(0, 30_000), Buffer.from(createHash('sha256').update(sent).digest('hex'))]);
}

function isBeginning(part: Buffer, whole: Buffer): boolean {
  return whole.subarray(0, part.length).equals(part);
}

/**
 * - `whole`: everything arrived
 * - `part`: the connection ended or broke before
 * - `refused`: the tunnel or the Proxy refused it
 * - `waiting`: nothing more arrived, and the client gave up
 * - `other bytes`: what arrived is not what was sent
 */
export type Use = 'whole' | 'part' | 'refused' | 'waiting' | 'other bytes';

/** Longer than anything takes that does not wait for ever, also on a machine with other work. */
export const PATIENT_MS = 30_000;
/** Where a client may wait for ever, as without a tunnel. */
const IMPATIENT_MS = 4000;

export function patienceMs(fault: FaultName, phase: TunnelPhase): number {
  return mustEnd(fault, phase) ? PATIENT_MS : IMPATIENT_MS;
}

/** The application proxy first asks the Auth Service for a certificate, again and again until its deadline. */
function mustEnd(fault: FaultName, phase: TunnelPhase): boolean {
  return ENDING.includes(fault) && phase !== 'application-proxy';
}

/** A client that uses the tunnel once. @param address `127.0.0.1:PORT` */
export async function useTunnel(phase: TunnelPhase, address: string, limitMs: number): Promise<Use> {
  const port = Number(address.split(':').at(-1));
  const isRaw = phase === 'database-tunnel' || phase === 'application-tunnel';
  return isRaw ? useRaw(port, limitMs) : useHttp(port, limitMs, phase);
}

async function useRaw(port: number, limitMs: number): Promise<Use> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const parts: Buffer[] = [];
  const late = new AbortController();
  const timer = setTimeout(() => {
    late.abort();
    socket.destroy();
  }, limitMs);
  socket.on('data', (bytes: Buffer) => parts.push(bytes)).on('error', () => socket.destroy());
  socket.once('end', () => socket.end());
  socket.write(SENT);
  // Not by `once` of node:events, which rejects with an error of the socket.
  await new Promise((resolve) => socket.once('close', resolve));
  clearTimeout(timer);
  const received = Buffer.concat(parts);
  if (received.equals(ANSWER)) return 'whole';
  if (received.toString('latin1').startsWith('-ERR machine-id tunnel ')) return 'refused';
  if (!isBeginning(received, ANSWER)) return 'other bytes';
  return late.signal.aborted ? 'waiting' : 'part';
}

/** These come from the tunnel itself, or from the Proxy. */
const REFUSED: readonly number[] = [502, 503, 504];

async function useHttp(port: number, limitMs: number, phase: TunnelPhase): Promise<Use> {
  const isKubernetes = phase === 'kubernetes-tunnel';
  const options = isKubernetes
    ? { path: '/api/v1/namespaces/web/pods', headers: { host: 'kubernetes' } }
    : { method: 'POST', path: 'http://dashboard/', headers: { host: 'dashboard', 'content-length': SENT.length } };
  return new Promise((resolve) => {
    const sent = request({ port, host: '127.0.0.1', agent: false, ...options });
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      sent.destroy();
    }, limitMs);
    const settle = (use: Use) => {
      clearTimeout(timer);
      resolve(use);
    };
    sent.once('error', () => {
      settle(isLate ? 'waiting' : 'refused');
    });
    sent.once('response', (response) => {
      const parts: Buffer[] = [];
      response.on('data', (bytes: Buffer) => parts.push(bytes)).on('error', () => undefined);
      response.once('close', () => {
        const received = Buffer.concat(parts);
        if (REFUSED.includes(response.statusCode ?? 0)) settle('refused');
        else if (response.complete) settle(isWhole(received, isKubernetes) ? 'whole' : 'other bytes');
        else settle(isLate ? 'waiting' : isKubernetes || isBeginning(received, ANSWER) ? 'part' : 'other bytes');
      });
    });
    sent.end(isKubernetes ? undefined : SENT);
  });
}

function isWhole(received: Buffer, isKubernetes: boolean): boolean {
  return isKubernetes ? /^\{.*"pod-of-dev".*\}\s*$/s.test(received.toString()) : received.equals(ANSWER);
}

/** After these, the client must not wait: its connection has ended. */
const ENDING: readonly FaultName[] = ['reset', 'close', 'cut-record'];

/** @returns what is wrong, one sentence each */
export function brokenUse(fault: FaultName, phase: TunnelPhase, use: Use): readonly string[] {
  if (use === 'other bytes') return ['the client got other bytes than the other end sent'];
  return use === 'waiting' && mustEnd(fault, phase) ? ['the client waited for a connection that had ended'] : [];
}
