/**
 * One bidirectional gRPC call for bulk data. Messages are not copied, and the flow-control window lets a distant server
 * send several megabytes before it must wait for us.
 */
import type { TLSSocket } from 'node:tls';
import type { WireConnection } from '../net/trace.ts';
import { GrpcCall } from './call.ts';
import { lengthOf, type MessageChunks } from './frames.ts';
import { grpcSession } from './session.ts';
import { observe, tracedCall } from './traced-call.ts';

export interface BulkCall {
  /** Sends the parts as one message; resolves when more may be sent, or when the call has ended. */
  send(parts: readonly Uint8Array[]): Promise<void>;
  /** Ends our side; the server may still send messages. */
  end(): void;
  /**
   * Yields the messages in order, until the server ends the call with OK.
   * @throws GrpcError with the server's status; GrpcResponseError; any other error if the connection broke
   */
  messages(): AsyncGenerator<MessageChunks>;
  /** Closes the call and the connection. */
  close(): void;
}

/**
 * @param authority host name for `:authority`; Teleport accepts any
 * @param path `/package.Service/Method`
 */
export function openBulkCall(socket: TLSSocket, authority: string, path: string, wire?: WireConnection): BulkCall {
  const traced = wire === undefined ? undefined : tracedCall(path, wire);
  const session = grpcSession(socket, authority);
  const call = new GrpcCall(session, path);
  return {
    send: (parts) => {
      traced?.count('sent', lengthOf(parts));
      return call.send(parts);
    },
    end: () => {
      call.end();
    },
    messages: () => {
      if (traced === undefined) return call.messages();
      // Counted only: there are too many messages to report each one.
      return observe(
        call.messages(),
        (message) => {
          traced.count('received', lengthOf(message));
        },
        traced.end,
      );
    },
    close: () => {
      traced?.end();
      call.cancel();
      session.close();
    },
  };
}
