/** Carries an SSH connection to a node through the Proxy. */
import { Code, createClient, type Transport } from '@connectrpc/connect';
import { create } from '@bufbuild/protobuf';
import { MachineIdError } from '../errors.ts';
import { proxyFailure } from '../teleport/failures.ts';
import {
  type ProxySSHRequest,
  ProxySSHRequestSchema,
  TransportService,
} from '../teleport/gen/teleport/transport/v1/transport_service_pb.ts';
import { asGrpcError } from '../teleport/grpc.ts';
import { type Address, formatAddress } from '../teleport/address.ts';
import { oneLine } from '../teleport/trace-error.ts';

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
  write(bytes: Uint8Array): Promise<void>;
}

export interface SshProxyOptions {
  readonly transport: Transport;
  readonly proxy: Address;
  readonly signal: AbortSignal;
}

/**
 * Resolves when the node has closed its side. Each direction waits for its reader, so that nothing piles up in memory;
 * the end of the client's input ends the request stream, and the node's answers still arrive after it.
 * @throws MachineIdError NODE_UNREACHABLE, NODE_DENIED, PROXY_UNREACHABLE
 */
export async function proxySsh(target: SshTarget, ends: SshClientEnds, options: SshProxyOptions): Promise<void> {
  const { transport, proxy, signal } = options;
  const client = createClient(TransportService, transport);
  try {
    for await (const { ssh } of client.proxySSH(requests(target, ends.input), { signal })) {
      if (ssh !== undefined && ssh.payload.length > 0) await ends.write(ssh.payload);
    }
  } catch (error) {
    signal.throwIfAborted();
    throw failure(error, target, proxy);
  }
}

/** The first request names the node; it carries no bytes, so that the dial does not wait for the client's first ones. */
async function* requests(target: SshTarget, input: AsyncIterable<Uint8Array>): AsyncGenerator<ProxySSHRequest> {
  const { cluster, host, port, login: loginName } = target;
  yield create(ProxySSHRequestSchema, { dialTarget: { hostPort: formatAddress({ host, port }), cluster, loginName } });
  for await (const payload of input) yield create(ProxySSHRequestSchema, { ssh: { payload } });
}

function failure(cause: unknown, { host, cluster, login }: SshTarget, proxy: Address): MachineIdError {
  const grpc = asGrpcError(cause);
  if (
    grpc === undefined ||
    grpc.code === Code.Canceled ||
    (grpc.cause instanceof Error && grpc.code !== Code.NotFound)
  ) {
    return proxyFailure(proxy, cause);
  }
  const said = oneLine(grpc.rawMessage);
  if (grpc.code === Code.PermissionDenied) {
    return new MachineIdError(
      'NODE_DENIED',
      `the cluster does not let this identity reach node "${host}" of ${cluster} as "${login}": ${said}`,
      {
        hint: 'Give the bot a role whose node_labels match the node and whose logins hold the login.',
        cause,
      },
    );
  }
  return new MachineIdError('NODE_UNREACHABLE', `node "${host}" of ${cluster} cannot be reached: ${said}`, {
    hint: `Compare the name with "tsh ls": ssh wants <node>.${cluster}, and the bot's roles must let it see the node.`,
    cause,
  });
}
