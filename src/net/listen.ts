/** Listens for connections of this machine's programs: at a TCP port, or at a Unix socket. */
import { createServer, type Socket } from 'node:net';
import { resolve } from 'node:path';
import type { Files } from '../effects/files.ts';
import { MachineIdError } from '../errors.ts';
import { formatAddress } from './address.ts';
import { describeError, errorCode } from './network-error.ts';
import { openUnixSocket } from './tcp.ts';

/** Where to listen; port 0 is a free one. */
export type ListenAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

export interface Listener {
  /** With the port that was chosen. */
  readonly address: ListenAddress;
  /** Accepts no more connections. Those that are open stay open; the file of a Unix socket is removed. */
  close(): Promise<void>;
}

interface ListenOptions {
  readonly files: Pick<Files, 'entry' | 'privately' | 'remove'>;
  /** Gets the path of a Unix socket before it is created. */
  readonly record: { socket(path: string): Promise<void> };
  /**
   * Gets a connection from which nothing has been read, and whose end of input does not end its output. It must listen to
   * `error`.
   */
  readonly onConnection: (socket: Socket) => void;
  readonly signal: AbortSignal;
}

/** From this silence on, the system asks whether the other end is still there. */
export const KEEP_ALIVE_MS = 30_000;
/** How much a connection buffers until its sender has to wait: with Node's 16 KiB, every chunk makes it wait. */
export const BUFFER_BYTES = 256 * 1024;
/** How many connections wait until they are accepted; the system may allow fewer. */
const BACKLOG = 1024;

/**
 * A Unix socket is for this user alone. One that another process has left behind is replaced; anything else at its path stays.
 * @throws MachineIdError LISTEN_FAILED
 */
export async function listen(address: ListenAddress, options: ListenOptions): Promise<Listener> {
  const { files, onConnection, signal } = options;
  signal.throwIfAborted();
  try {
    if (address.kind === 'unix') {
      await removeStale(address.path, options);
      await options.record.socket(resolve(address.path));
    }
    const server = createServer({
      allowHalfOpen: true,
      pauseOnConnect: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
      highWaterMark: BUFFER_BYTES,
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      const start = () => server.listen({ ...placeOf(address), backlog: BACKLOG }, resolve);
      // Node creates the socket within the call.
      if (address.kind === 'unix') files.privately(start);
      else start();
    });
    // Accepting may fail for a moment, for example without free file descriptors: the next connection may succeed.
    server.on('error', () => undefined);
    server.on('connection', onConnection);
    const bound = server.address();
    const port = typeof bound === 'object' ? bound?.port : undefined;
    return {
      address: address.kind === 'tcp' ? { ...address, port: port ?? address.port } : address,
      close: () =>
        new Promise((resolve) => {
          // The callback waits for the open connections.
          server.close();
          resolve();
        }),
    };
  } catch (cause) {
    signal.throwIfAborted();
    throw cause instanceof MachineIdError ? cause : listenFailed(address, cause);
  }
}

/** `127.0.0.1:5432`, or the path. */
export function listenText(address: ListenAddress): string {
  return address.kind === 'tcp' ? formatAddress(address) : address.path;
}

function placeOf(address: ListenAddress) {
  return address.kind === 'tcp' ? { host: address.host, port: address.port, exclusive: true } : { path: address.path };
}

/**
 * Removes the socket of a process that has ended: a connection to it is refused.
 * @throws MachineIdError LISTEN_FAILED if something else is there, or a process listens
 */
export async function removeStale(
  path: string,
  { files, signal }: { readonly files: Pick<Files, 'entry' | 'remove'>; readonly signal: AbortSignal },
): Promise<void> {
  const entry = await files.entry(path);
  if (entry === undefined) return;
  if (entry.kind !== 'other') throw taken(path, `there is a ${entry.kind} with this name`);
  try {
    (await openUnixSocket(path, signal)).destroy();
  } catch (error) {
    if (!isRefused(error)) throw error;
    await files.remove(path);
    return;
  }
  throw taken(path, 'another process listens there');
}

function isRefused(error: unknown): boolean {
  return error instanceof Error && errorCode(error) === 'ECONNREFUSED';
}

function taken(path: string, reason: string): MachineIdError {
  return new MachineIdError('LISTEN_FAILED', `cannot listen at ${path}: ${reason}`, {
    hint: 'Choose another path, or remove what is there.',
  });
}

const HINTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'Choose another port, or leave the choice to the system with port 0: MACHINE_ID_TUNNEL_<NAME> names it.',
  EACCES: 'Choose a port from 1024 on, or a folder that this user may write to.',
  EADDRNOTAVAIL: 'Use an address of this machine, such as 127.0.0.1.',
  ENOENT: 'Create the folder of the socket first.',
};

function listenFailed(address: ListenAddress, cause: unknown): MachineIdError {
  const code = cause instanceof Error ? errorCode(cause) : '';
  const reason = code === 'EADDRINUSE' ? 'another process listens there (EADDRINUSE)' : describeError(cause);
  return new MachineIdError('LISTEN_FAILED', `cannot listen at ${listenText(address)}: ${reason}`, {
    hint: HINTS[code] ?? 'Choose another address to listen at.',
    cause,
  });
}
