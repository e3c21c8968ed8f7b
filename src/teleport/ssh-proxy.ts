/** Carries an SSH connection to a node through the Proxy's transport service. */
import { MachineIdError } from '../errors.ts';
import type { BulkCall } from '../grpc/bulk.ts';
import {
  ProxySSHRequestSchema,
  ProxySSHResponseSchema,
  TransportService,
} from '../grpc/gen/teleport/transport/v1/transport_service_pb.ts';
import { decode, encode } from '../grpc/protobuf.ts';
import { GrpcError } from '../grpc/status.ts';
import { type Address, formatAddress } from '../net/address.ts';
import { proxyFailure } from '../net/failures.ts';
import { oneLine } from '../net/network-error.ts';
import { framePrefix, payloadReader } from './transport.ts';

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

/** The payload of a response; empty if the response carries something else. */
export const payloadOf = payloadReader(2, (message) => decode(ProxySSHResponseSchema, message).ssh);
