/** Carries an SSH connection to a node through the Proxy. */
import { MachineIdError } from '../errors.ts';
import { proxyFailure } from '../teleport/failures.ts';
import { ProxySSHRequestSchema, TransportService } from '../teleport/gen/teleport/transport/v1/transport_service_pb.ts';
import { GrpcError } from '../teleport/grpc-error.ts';
import type { BulkCall } from '../teleport/grpc-stream.ts';
import { encode } from '../teleport/protobuf.ts';
import { type Address, formatAddress } from '../teleport/address.ts';
import { oneLine } from '../teleport/trace-error.ts';
import { framePrefix, payloadOf } from './ssh-frame.ts';

export interface SshTarget {
  readonly cluster: string;
  /** Name of the node, without the cluster's. */
  readonly host: string;
  readonly port: number;
  readonly login: string;
}

/** The two ends of the SSH client: what it sends, and where its answers go. */
export interface SshClientEnds {
  readonly input: AsyncIterable<Uint8Array>;
  /** Resolves when more may be written. */
  write(parts: readonly Uint8Array[]): Promise<void>;
}

export interface SshProxyOptions {
  readonly call: BulkCall;
  readonly proxy: Address;
  readonly signal: AbortSignal;
}

/** Of the service that a call must be opened for. */
export const PROXY_SSH_PATH = TransportService.proxySSH.path;

/**
 * Resolves when the node has closed its side. Each direction waits for its reader, so that nothing piles up in memory;
 * the end of the client's input ends the request stream, and the node's answers still arrive after it.
 * @throws MachineIdError NODE_UNREACHABLE, AUTH_DENIED, PROXY_UNREACHABLE
 */
export async function proxySsh(target: SshTarget, ends: SshClientEnds, options: SshProxyOptions): Promise<void> {
  const { call, proxy, signal } = options;
  const end = () => {
    call.close();
  };
  signal.addEventListener('abort', end, { once: true });
  try {
    // An input that can no longer be read ends the call, which reports it.
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

/** The first request names the node; it carries no bytes, so that the dial does not wait for the client's first ones. */
async function sendAll(target: SshTarget, input: AsyncIterable<Uint8Array>, call: BulkCall): Promise<void> {
  const { cluster, host, port, login: loginName } = target;
  const dialTarget = { hostPort: formatAddress({ host, port }), cluster, loginName };
  await call.send([encode(ProxySSHRequestSchema, { dialTarget })]);
  for await (const payload of input) await call.send([framePrefix(payload.length), payload]);
  call.end();
}

/** With this a Proxy begins its refusals to dial, whichever status they have (`ProxySSH` of Teleport's lib/srv/transport). */
const DIAL_FAILED = 'failed to dial target host';

function failure(cause: unknown, { host, cluster }: SshTarget, proxy: Address): MachineIdError {
  if (!(cause instanceof GrpcError) || isOfProxy(cause)) return proxyFailure(proxy, cause);
  const said = oneLine(cause.message);
  if (cause.status === 'PermissionDenied' || cause.status === 'Unauthenticated') {
    return new MachineIdError('AUTH_DENIED', `the Proxy ${formatAddress(proxy)} refuses this identity: ${said}`, {
      hint: 'Look for a lock with "tctl get locks", and call run again before this step if the certificates have ended.',
      cause,
    });
  }
  return new MachineIdError('NODE_UNREACHABLE', `node "${host}" of ${cluster} cannot be reached: ${said}`, {
    hint: `Compare the name with "tsh ls": ssh wants <node>.${cluster}, with the node's id where several have one name; then check that the node's agent runs.`,
    cause,
  });
}

/** Unavailable is said both of a node that is not there and by a Proxy that goes away; the text tells which. */
function isOfProxy({ status, message }: GrpcError): boolean {
  return status === 'Canceled' || (status === 'Unavailable' && !message.startsWith(DIAL_FAILED));
}
