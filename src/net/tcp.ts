/** Opens TCP connections by Happy Eyeballs (RFC 8305), which works the same in every version of Node. */
import { ADDRCONFIG } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { connect, isIP, isIPv4, type Socket } from 'node:net';
import { after } from '../effects/time.ts';
import type { Address } from './address.ts';
import { errorCode } from './network-error.ts';
import { errorNameOf, type WireConnection } from './trace.ts';

/** All addresses of a host, in the order of preference. */
export type LookUp = (host: string) => Promise<readonly string[]>;

/** The address by which each host was reached last. */
export type Reached = Map<string, string>;

interface TcpOptions {
  readonly signal: AbortSignal;
  /** Tried first for a host with several addresses, and kept up to date (RFC 8305 section 4). */
  readonly reached?: Reached | undefined;
  readonly wire?: WireConnection | undefined;
  /** Defaults to the system's resolver. */
  readonly lookUp?: LookUp | undefined;
}

/**
 * Connects to a socket of this machine.
 * @throws Node's own error, or the signal's reason
 */
export function openUnixSocket(path: string, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const socket = connect({ path, allowHalfOpen: true });
    const onAbort = () => socket.destroy(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('connect', () => {
      signal.removeEventListener('abort', onAbort);
      resolve(socket);
    });
    // Stays on the socket, like that of a TCP connection.
    socket.on('error', (error) => {
      signal.removeEventListener('abort', onAbort);
      reject(error);
    });
  });
}

/** RFC 8305 section 8: the time until the next address is tried as well. Attempts that are under way go on. */
const ATTEMPT_DELAY_MS = 250;

/**
 * The first address to connect wins; the other attempts are closed.
 * @throws Node's own error, an AggregateError if several addresses failed, or the signal's reason
 */
export async function openTcp({ host, port }: Address, options: TcpOptions): Promise<Socket> {
  const { reached, signal, wire, lookUp = systemLookUp } = options;
  signal.throwIfAborted();
  if (isIP(host) !== 0) return (await firstToConnect([host], port, options)).socket;
  const sinceStart = wire?.stopwatch();
  const addresses = withFirst(reached?.get(host), interleaved(await lookUp(host)));
  signal.throwIfAborted();
  wire?.emit({ event: 'dns', name: host, addresses, durationMs: sinceStart?.() ?? 0 });
  const { address, socket } = await firstToConnect(addresses, port, options);
  reached?.set(host, address);
  return socket;
}

/** Only families that this machine has an address of, as Node's own connections do. */
const systemLookUp: LookUp = async (host) => {
  const found = await lookup(host, { all: true, hints: ADDRCONFIG });
  return found.map(({ address }) => address);
};

/** Alternates between the families, beginning with that of the first address (RFC 8305 section 4). */
function interleaved(addresses: readonly string[]): readonly string[] {
  const isFirstKind = (address: string) => isIPv4(address) === isIPv4(addresses[0] ?? '');
  const [first, second] = [addresses.filter(isFirstKind), addresses.filter((one) => !isFirstKind(one))];
  return first.flatMap((address, at) => [address, ...second.slice(at, at + 1)]).concat(second.slice(first.length));
}

/** The others follow in their order. Without it if it is not among them: the name may have got other addresses. */
function withFirst(first: string | undefined, addresses: readonly string[]): readonly string[] {
  return first !== undefined && addresses.includes(first)
    ? [first, ...addresses.filter((one) => one !== first)]
    : addresses;
}

interface Connected {
  readonly address: string;
  readonly socket: Socket;
}

function firstToConnect(addresses: readonly string[], port: number, { signal, wire }: TcpOptions): Promise<Connected> {
  const sinceStart = wire?.stopwatch();
  return new Promise((resolve, reject) => {
    const pending = new Set<Socket>();
    const errors: Error[] = [];
    let started = 0;
    let cancelDelay: () => void = () => undefined;

    const settle = () => {
      cancelDelay();
      signal.removeEventListener('abort', onAbort);
      for (const socket of pending) socket.destroy();
      pending.clear();
    };
    const onAbort = () => {
      settle();
      reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
    };
    const onFailure = (address: string, error: Error) => {
      errors.push(error);
      if (addresses.length > 1) wire?.emit({ event: 'tcp-failed', address, port, error: errorNameOf(error) });
      if (started < addresses.length) startNext();
      else if (pending.size === 0) {
        settle();
        reject(failureOf(errors));
      }
    };
    const startNext = () => {
      cancelDelay();
      const address = addresses[started];
      if (address === undefined) return;
      started += 1;
      const socket = connect({ host: address, port, noDelay: true });
      pending.add(socket);
      socket.once('connect', () => {
        pending.delete(socket);
        settle();
        wire?.emit({ event: 'tcp', address, port, durationMs: sinceStart?.() ?? 0 });
        resolve({ address, socket });
      });
      // Stays on the socket: until a protocol takes it over, a reset must not crash the process.
      socket.on('error', (error) => {
        if (pending.delete(socket)) onFailure(address, error);
      });
      if (started < addresses.length) cancelDelay = after(ATTEMPT_DELAY_MS, startNext);
    };
    if (addresses.length === 0) throw failureOf(errors);
    signal.addEventListener('abort', onAbort, { once: true });
    startNext();
  });
}

/** These say that this machine has no route, and less than the failure of another address. */
const NO_ROUTE = /^(ENETUNREACH|EHOSTUNREACH|EADDRNOTAVAIL|EAFNOSUPPORT|EINVAL)$/;

function failureOf(errors: readonly Error[]): Error {
  const hasRoute = (error: Error) => !NO_ROUTE.test(errorCode(error));
  const sorted = [...errors.filter(hasRoute), ...errors.filter((error) => !hasRoute(error))];
  const [first = new Error('the name has no address')] = sorted;
  return sorted.length < 2 ? first : Object.assign(new AggregateError(sorted), { code: errorCode(first) });
}
