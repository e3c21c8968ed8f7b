/**
 * One gRPC call in both directions, for calls that carry bytes in bulk: no message is copied on its way, and a distant
 * server may send a few megabytes before it must hear from us.
 */
import type { TLSSocket } from 'node:tls';
import type { WireConnection } from '../net/trace.ts';
import { GrpcCall } from './call.ts';
import { lengthOf, type MessageChunks } from './frames.ts';
import { grpcSession } from './session.ts';
import { observe, tracedCall } from './traced-call.ts';

export interface BulkCall {
  /** Sends the parts as one message; resolves when more may be sent, and when nobody takes it any more. */
  send(parts: readonly Uint8Array[]): Promise<void>;
  /** No message comes after this; the server's still do. */
  end(): void;
  /**
   * In their order, until the server ends the call with OK.
   * @throws GrpcError with the server's status, GrpcReplyError; any other error when the connection broke
   */
  messages(): AsyncGenerator<MessageChunks>;
  /** Ends the call and the connection. */
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
      // Too many to report one by one.
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
