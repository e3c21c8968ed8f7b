/** The Proxy's transport service: dials it, and writes and reads the payloads of its messages without copying them. */
import { withDeadline } from '../effects/time.ts';
import type { Retries } from '../effects/retry.ts';
import type { Secret } from '../effects/secret.ts';
import type { TLSSocket } from 'node:tls';
import { type BulkCall, type BulkConnection, openBulkCall, openBulkConnection } from '../grpc/bulk.ts';
import { lengthOf, type MessageChunks } from '../grpc/frames.ts';
import { loadHttp2 } from '../grpc/session.ts';
import { type Address, formatAddress } from '../net/address.ts';
import { dialTls } from '../net/dial.ts';
import { isTlsTerminated, transportFailure } from '../net/failures.ts';
import type { Network } from '../net/network.ts';
import type { WireConnection, WireTrace } from '../net/trace.ts';
import { type Upgrades, upgradeNote } from './connection-upgrade.ts';
import { API_DOMAIN } from './names.ts';

export interface TransportTarget {
  /** The web address with TLS routing, otherwise the Proxy's SSH listener: both serve gRPC for `TRANSPORT_ALPN`. */
  readonly address: Address;
  readonly network: Network;
  /** Undefined at an SSH listener, which has no connection upgrade. */
  readonly upgrades: Upgrades | undefined;
  /** PEM, exactly one certificate. */
  readonly certificatePem: string;
  readonly privateKeyPem: Secret;
  /** PEM of the host authorities: here the Proxy presents its Teleport certificate, not the web certificate. */
  readonly hostAuthoritiesPem: readonly string[];
  readonly signal: AbortSignal;
  readonly trace?: WireTrace | undefined;
}

export interface TransportDial extends TransportTarget {
  readonly retries: Retries;
}

/**
 * The Proxy routes by the first value. Versions 15 and 16 then choose none, later ones `h2` (gravitational/teleport
 * 41500, 43473); HTTP/2 follows either way. The server name is the Proxy's host, as tbot sends it.
 */
export const TRANSPORT_ALPN = ['teleport-proxy-ssh-grpc', 'h2'];

/**
 * Retries according to the policy.
 * @param path of the call: `/package.Service/Method`
 * @throws MachineIdError PROXY_UNREACHABLE, PROXY_UNTRUSTED, UPGRADE_REFUSED, TIMEOUT
 */
export function dialTransport(dial: TransportDial, path: string): Promise<BulkCall> {
  const { address, retries, signal } = dial;
  const waitingFor = `the Proxy ${formatAddress(address)}`;
  return retries.run(() =>
    withDeadline({ waitingFor, unreached: address, timeoutMs: retries.attemptMs(), signal }, (until) =>
      openTransport({ ...dial, signal: until }, path),
    ),
  );
}

/**
 * Dials once, within the time of the signal.
 * @throws MachineIdError as `dialTransport` does; the signal's reason
 */
export function openTransport(target: TransportTarget, path: string): Promise<BulkCall> {
  return opened(target, (socket, wire) => openBulkCall(socket, API_DOMAIN, path, wire));
}

/**
 * The same for a connection that carries many calls.
 * @throws MachineIdError as `dialTransport` does; the signal's reason
 */
export function openTransportConnection(target: TransportTarget): Promise<BulkConnection> {
  return opened(target, async (socket, wire) => {
    const connection = await openBulkConnection(socket, API_DOMAIN, wire);
    // With TLS 1.3, a refused client certificate shows here first.
    await connection.answered;
    return connection;
  });
}

async function opened<T>(
  target: TransportTarget,
  use: (socket: TLSSocket, wire: WireConnection | undefined) => T | Promise<T>,
): Promise<T> {
  const { address, signal, trace } = target;
  const wire = trace?.connection('transport service');
  let socket: TLSSocket | undefined;
  const onAbort = () => socket?.destroy();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    socket = await dialSocket(target, wire);
    return await use(socket, wire);
  } catch (error) {
    socket?.destroy();
    signal.throwIfAborted();
    throw transportFailure(address, error, upgradeNote(target.upgrades?.finding(address)));
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

async function dialSocket(target: TransportTarget, wire: WireConnection | undefined) {
  const { address, certificatePem: certificate, hostAuthoritiesPem: ca, network, signal, upgrades } = target;
  const handshake = {
    address,
    certificateName: API_DOMAIN,
    alpn: TRANSPORT_ALPN,
    ca,
    client: { certificate, key: target.privateKeyPem.reveal() },
    signal,
    wire,
    onConnect: () => void loadHttp2(),
  };
  const dialUpgraded = async (through: Upgrades) =>
    dialTls({ ...handshake, over: await through.open(address, { signal, wire }) });
  if (upgrades?.known(address) === true) return dialUpgraded(upgrades);
  try {
    return await dialTls({ ...handshake, network });
  } catch (error) {
    signal.throwIfAborted();
    // The test costs a round trip, so it waits for a reason.
    if (upgrades === undefined || !isTlsTerminated(error) || !(await upgrades.needed(address, signal))) throw error;
    return dialUpgraded(upgrades);
  }
}

// The frames of its messages.

/** Field number and the wire type for bytes (Protocol Buffers, "Encoding"). */
const bytesTag = (field: number) => (field << 3) | 2;
/** The frame in the requests of all its methods. */
const REQUEST_TAG = bytesTag(2);
/** Inside a frame. */
const PAYLOAD_TAG = bytesTag(1);

/** Enough for lengths below 256 MiB; messages are far shorter. */
const MAX_LENGTH_BYTES = 4;

/** The bytes before the payload in a request. */
export function framePrefix(length: number): Uint8Array {
  const frame = [PAYLOAD_TAG, ...varint(length)];
  return Uint8Array.from([REQUEST_TAG, ...varint(frame.length + length), ...frame]);
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

/**
 * Reads the payload of a response, which has its frame in the given field: empty if the response has something else. If it
 * has nothing but the payload, and its header is in one chunk, the chunks are returned without copying.
 */
export function payloadReader(
  field: number,
  readFrame: (message: Uint8Array) => { readonly payload: Uint8Array } | undefined,
): (message: MessageChunks) => readonly Uint8Array[] {
  const tag = bytesTag(field);
  /** @param end of the message; both fields must end there */
  const payloadStart = (bytes: Uint8Array, end: number) => {
    const frame = valueStart(bytes, 0, tag, end);
    return frame === undefined ? undefined : valueStart(bytes, frame, PAYLOAD_TAG, end);
  };
  return (message) => {
    const [first, ...others] = message;
    const start = first && payloadStart(first, lengthOf(message));
    const parts =
      start === undefined
        ? [readFrame(Buffer.concat(message))?.payload ?? new Uint8Array()]
        : [first?.subarray(start) ?? new Uint8Array(), ...others];
    return parts.filter((part) => part.length > 0);
  };
}

function valueStart(bytes: Uint8Array, at: number, tag: number, end: number): number | undefined {
  if (bytes[at] !== tag) return undefined;
  let length = 0;
  for (let read = 0; read < MAX_LENGTH_BYTES; read += 1) {
    const byte = bytes[at + 1 + read];
    if (byte === undefined) return undefined;
    length |= (byte & 0x7f) << (7 * read);
    const start = at + 2 + read;
    if (byte < 0x80) return start + length === end ? start : undefined;
  }
  return undefined;
}
