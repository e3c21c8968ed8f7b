/** A tunnel that carries each connection of a client unchanged, over a separate connection to the Proxy. */
import type { Socket } from 'node:net';
import { asMachineIdError } from '../errors.ts';
import { type ListenAddress, listen, listenText } from '../net/listen.ts';
import { type ClientCertificate } from './upstream.ts';
import { countEnd, rareLog, refuseClient, whyRefused } from './connections.ts';
import { isLocal } from './listen-address.ts';
import { relay } from './relay.ts';
import { keepRenewed } from './renewal.ts';
import type { OpenTunnel } from './tunnel-type.ts';
import { openUpstream, type Upstream, upstreamFailure, type UpstreamRoute } from './upstream.ts';
import type { Wire } from './wire.ts';
import type { TunnelWork } from './work.ts';

/** What it needs of the work of a tunnel. */
export type ByteTunnelWork = Omit<TunnelWork, 'bot' | 'program'>;

/** A certificate, and what it leads to. All but the certificate is taken from the first one. */
export interface IssuedTarget {
  readonly certificate: ClientCertificate;
  readonly route: UpstreamRoute;
  readonly wire: Wire;
  /** For messages: `database orders (postgres)`. */
  readonly target: string;
  /** How client programs find the tunnel. */
  readonly clientVariables: (address: ListenAddress) => ReadonlyMap<string, string>;
}

/**
 * Clients that connect before the first certificate is there wait for it.
 * @param issue called again for each renewal
 * @throws MachineIdError LISTEN_FAILED, or what `issue` throws
 */
export async function openByteTunnel(
  address: ListenAddress,
  work: ByteTunnelWork,
  issue: () => Promise<IssuedTarget>,
): Promise<OpenTunnel> {
  const { clock, files, log, name, proxy, record, signal } = work;
  let serve: ((client: Socket) => void) | undefined;
  const waiting: Socket[] = [];
  const onConnection = (client: Socket) => {
    // Until the relay listens, a reset must not crash the process.
    client.on('error', () => undefined);
    if (serve === undefined) waiting.push(client);
    else serve(client);
  };
  const listener = await listen(address, { files, record, onConnection, signal });
  signal.addEventListener('abort', () => void listener.close(), { once: true });
  warnAboutOthers(listener.address, work);
  try {
    const what = `the certificate of ${name}`;
    const renewed = await keepRenewed(async () => expiring(await issue()), { what, clock, log, signal });
    const first = renewed.current();
    const upstream = openUpstream(proxy, first.route, () => renewed.current().certificate);
    serve = server(work, upstream, first.wire);
    for (const client of waiting) serve(client);
    return {
      address: listenText(listener.address),
      target: first.target,
      probe: (until) => probe(upstream, first.wire, { work, signal: until }),
      clientVariables: first.clientVariables(listener.address),
      expiresAtMs: renewed.expiresAtMs,
      renewalFailure: renewed.failure,
    };
  } catch (error) {
    await listener.close();
    for (const client of waiting) client.destroy();
    throw error;
  }
}

function expiring(issued: IssuedTarget) {
  return { ...issued, expiresAtMs: issued.certificate.expiresAtMs };
}

export function warnAboutOthers(address: ListenAddress, { log }: ByteTunnelWork): void {
  if (isLocal(address)) return;
  log.warn(`listens at ${listenText(address)}: every machine that reaches this address has the rights of the tunnel`);
}

async function probe(
  upstream: Upstream,
  wire: Wire,
  { signal, work }: { readonly signal: AbortSignal; readonly work: ByteTunnelWork },
): Promise<void> {
  const socket = await upstream.connect(signal);
  try {
    await wire.probe(socket, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw upstreamFailure(work.proxy, error);
  } finally {
    // Delivers what was written, such as a farewell.
    socket.destroySoon();
  }
}

/** Returns what to do with a connection of a client. It never throws. */
function server(work: ByteTunnelWork, upstream: Upstream, wire: Wire): (client: Socket) => void {
  const { clock, counts, health, log, name, proxy, signal } = work;
  const warn = rareLog(log, () => clock.nowMs());
  const refuse = (client: Socket, message: string) => {
    counts.refused += 1;
    counts.lastError = { message, atMs: clock.nowMs() };
    warn(`connection refused: ${message}`);
    refuseClient(client, `machine-id tunnel ${name}: ${message}`, wire.refuse);
  };
  const carry = async (client: Socket) => {
    const connection = await upstream.connect(signal);
    if (client.destroyed || signal.aborted) {
      connection.destroy();
      client.destroy();
      return;
    }
    const end = () => {
      client.destroy();
      connection.destroy();
    };
    signal.addEventListener('abort', end, { once: true });
    const stopWatching = closeIfSilent(connection, client, work);
    const ended = await relay(client, connection);
    stopWatching();
    signal.removeEventListener('abort', end);
    countEnd(counts, ended);
    if (ended.error === undefined || hasEnded(signal)) return;
    counts.broken += 1;
    const { message } = upstreamFailure(proxy, ended.error);
    counts.lastError = { message, atMs: clock.nowMs() };
    warn(`a connection broke: ${message}`);
    health.suspect();
  };
  return (client) => {
    counts.total += 1;
    const reason = whyRefused(work);
    if (reason !== undefined) {
      refuse(client, reason);
      return;
    }
    counts.open += 1;
    carry(client)
      .catch((error: unknown) => {
        if (signal.aborted) client.destroy();
        else {
          refuse(client, asMachineIdError(error).message);
          health.suspect();
        }
      })
      .finally(() => {
        counts.open -= 1;
      });
  };
}

/** Meanwhile. */
function hasEnded({ aborted }: AbortSignal): boolean {
  return aborted;
}

/** When the Proxy has gone silent, a client would wait for ever: closes a connection that has got nothing meanwhile. */
export function closeIfSilent(connection: Socket, client: Socket, { health }: ByteTunnelWork): () => void {
  let receivedBytes = -1;
  return health.onProblem(({ isSilent }) => {
    if (!isSilent) return;
    if (connection.bytesRead === receivedBytes) connection.destroy(new Error('the Proxy has stopped answering'));
    receivedBytes = connection.bytesRead;
    if (client.destroyed) connection.destroy();
  });
}
