/** Carries an SSH connection to a node through the Proxy's transport service. */
import { withDeadline } from '../effects/time.ts';
import type { Retries } from '../effects/retry.ts';
import type { Secret } from '../effects/secret.ts';
import { MachineIdError } from '../errors.ts';
import { type BulkCall, openBulkCall } from '../grpc/bulk.ts';
import { lengthOf, type MessageChunks } from '../grpc/frames.ts';
import {
  ProxySSHRequestSchema,
  ProxySSHResponseSchema,
  TransportService,
} from '../grpc/gen/teleport/transport/v1/transport_service_pb.ts';
import { decode, encode } from '../grpc/protobuf.ts';
import { GrpcError } from '../grpc/status.ts';
import { type Address, formatAddress } from '../net/address.ts';
import { dialTls } from '../net/dial.ts';
import { proxyFailure, transportFailure } from '../net/failures.ts';
import { oneLine } from '../net/network-error.ts';
import type { Network } from '../net/network.ts';
import type { WireTrace } from '../net/trace.ts';
import { API_DOMAIN } from './names.ts';

export interface SshTarget {
  readonly cluster: string;
  /** Name of the node, without the cluster name. */
  readonly host: string;
  readonly port: number;
  readonly login: string;
}

/** The SSH client: what it sends, and where to write what it receives. */
interface SshClientEnds {
  readonly input: AsyncIterable<Uint8Array>;
  /** Resolves when more may be written. */
  write(parts: readonly Uint8Array[]): Promise<void>;
}

interface SshProxyOptions {
  readonly call: BulkCall;
  readonly proxy: Address;
  readonly signal: AbortSignal;
}

/** The method to dial the transport service for. */
export const PROXY_SSH_PATH = TransportService.proxySSH.path;

/**
 * Resolves when the node has closed its side. Each direction waits for its reader, so nothing piles up in memory. The end of
 * the client's input ends the request stream; responses from the node still arrive after that.
 * @throws MachineIdError NODE_UNREACHABLE, AUTH_DENIED, PROXY_UNREACHABLE
 */
export async function proxySsh(target: SshTarget, ends: SshClientEnds, options: SshProxyOptions): Promise<void> {
  const { call, proxy, signal } = options;
  const end = () => {
    call.close();
  };
  signal.addEventListener('abort', end, { once: true });
  try {
    // If the input fails, the call is closed and reports it.
    sendAll(target, ends.input, call).catch(end);
    for await (const message of call.messages()) {
      await ends.write(payloadOf(message));
    }
  } catch (error) {
    signal.throwIfAborted();
    throw failure(error, target, proxy);
  } finally {
    signal.removeEventListener('abort', end);
  }
}

/** The first request names the node. It has no payload, so the Proxy dials before the client sends anything. */
async function sendAll(target: SshTarget, input: AsyncIterable<Uint8Array>, call: BulkCall): Promise<void> {
  const { cluster, host, port, login: loginName } = target;
  const dialTarget = { hostPort: formatAddress({ host, port }), cluster, loginName };
  await call.send([encode(ProxySSHRequestSchema, { dialTarget })]);
  for await (const payload of input) await call.send([framePrefix(payload.length), payload]);
  call.end();
}

/** Prefix of a Proxy's dial errors, whatever their status (`ProxySSH` of Teleport's lib/srv/transport). */
const DIAL_FAILED = 'failed to dial target host';

function failure(cause: unknown, { host, cluster }: SshTarget, proxy: Address): MachineIdError {
  if (!(cause instanceof GrpcError) || isProxyFailure(cause)) return proxyFailure(proxy, cause);
  const text = oneLine(cause.message);
  if (cause.status === 'PermissionDenied' || cause.status === 'Unauthenticated') {
    return new MachineIdError('AUTH_DENIED', `the Proxy ${formatAddress(proxy)} refused this identity: ${text}`, {
      hint: 'Check for a lock with "tctl get locks". If the certificates have expired, call "run" again before this step.',
      cause,
    });
  }
  return new MachineIdError('NODE_UNREACHABLE', `cannot reach node "${host}" of ${cluster}: ${text}`, {
    hint: `Compare the name with "tsh ls": ssh needs <node>.${cluster}, or the node's id if several nodes share a name. Then check that the node's agent is running.`,
    cause,
  });
}

/** The Proxy returns Unavailable for a missing node as well as when it shuts down; only the text tells them apart. */
function isProxyFailure({ status, message }: GrpcError): boolean {
  return status === 'Canceled' || (status === 'Unavailable' && !message.startsWith(DIAL_FAILED));
}

// Writes and reads the payload of messages without copying it.

/** Field number and the wire type for bytes (Protocol Buffers, "Encoding"): `ssh` of both messages, and `payload` inside it. */
const SSH_TAG = (2 << 3) | 2;
const PAYLOAD_TAG = (1 << 3) | 2;
/** Enough for lengths below 256 MiB; messages are far shorter. */
const MAX_LENGTH_BYTES = 4;

/** The bytes before the payload in a request. */
export function framePrefix(length: number): Uint8Array {
  const frame = [PAYLOAD_TAG, ...varint(length)];
  return Uint8Array.from([SSH_TAG, ...varint(frame.length + length), ...frame]);
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

/**
 * The payload of a response; empty if the response carries something else. If it has nothing but the payload, and its
 * header is in one chunk, the chunks are returned without copying.
 */
export function payloadOf(message: MessageChunks): readonly Uint8Array[] {
  const [first, ...others] = message;
  const start = first && payloadStart(first, lengthOf(message));
  const parts = start === undefined ? [readInFull(message)] : [first?.subarray(start) ?? new Uint8Array(), ...others];
  return parts.filter((part) => part.length > 0);
}

function readInFull(message: MessageChunks): Uint8Array {
  return decode(ProxySSHResponseSchema, Buffer.concat(message)).ssh?.payload ?? new Uint8Array();
}

/** @param end of the message; both fields must end there */
function payloadStart(bytes: Uint8Array, end: number): number | undefined {
  const frame = valueStart(bytes, 0, SSH_TAG, end);
  return frame === undefined ? undefined : valueStart(bytes, frame, PAYLOAD_TAG, end);
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

// Dials the transport service.

export interface TransportDial {
  /** The web address with TLS routing, otherwise the Proxy's SSH listener: both serve gRPC for `ALPN`. */
  readonly address: Address;
  readonly network: Network;
  /** PEM, exactly one certificate. */
  readonly certificatePem: string;
  readonly privateKeyPem: Secret;
  /** PEM of the host authorities: here the Proxy presents its Teleport certificate, not the web certificate. */
  readonly hostAuthoritiesPem: readonly string[];
  readonly retries: Retries;
  readonly signal: AbortSignal;
  readonly trace?: WireTrace | undefined;
}

/**
 * The Proxy routes by the first value. Versions 15 and 16 then choose none, later ones `h2` (gravitational/teleport
 * 41500, 43473); HTTP/2 follows either way. The server name is the Proxy's host, as tbot sends it.
 */
export const ALPN = ['teleport-proxy-ssh-grpc', 'h2'];

/**
 * Retries according to the policy.
 * @param path of the call: `/package.Service/Method`
 * @throws MachineIdError PROXY_UNREACHABLE, PROXY_UNTRUSTED, TIMEOUT
 */
export function dialTransport(dial: TransportDial, path: string): Promise<BulkCall> {
  return dial.retries.run(() => dialOnce(dial, path));
}

async function dialOnce(dial: TransportDial, path: string): Promise<BulkCall> {
  const { address, retries, signal: outer } = dial;
  const waitingFor = `the Proxy ${formatAddress(address)}`;
  const wire = dial.trace?.connection('transport service');
  const socket = await withDeadline(
    { waitingFor, unreached: address, timeoutMs: retries.attemptMs(), signal: outer },
    async (signal) => {
      try {
        return await dialTls({
          network: dial.network,
          address,
          certificateName: API_DOMAIN,
          alpn: ALPN,
          ca: dial.hostAuthoritiesPem,
          client: { certificate: dial.certificatePem, key: dial.privateKeyPem.reveal() },
          signal,
          wire,
        });
      } catch (error) {
        signal.throwIfAborted();
        throw transportFailure(address, error);
      }
    },
  );
  return openBulkCall(socket, API_DOMAIN, path, wire);
}
