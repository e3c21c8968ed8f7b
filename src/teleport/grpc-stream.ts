/**
 * One gRPC call in both directions, for calls that carry bytes in bulk: no message is copied on its way, and a distant
 * server may send a few megabytes before it must hear from us.
 */
import { type ClientHttp2Stream, constants } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { answersOf } from './grpc-answer.ts';
import { lengthOf, type MessagePieces, messagePrefix } from './grpc-messages.ts';
import { grpcSession } from './grpc-session.ts';
import { overhear, type TracedCall, tracedCall } from './traced-call.ts';
import type { WireConnection } from './wire-trace.ts';

export interface BulkCall {
  /** Sends the parts as one message; resolves when more may be sent, and when nobody takes it any more. */
  send(parts: readonly Uint8Array[]): Promise<void>;
  /** No message comes after this; the server's still do. */
  end(): void;
  /**
   * In their order, until the server ends the call with OK.
   * @throws GrpcError with the server's status, GrpcReplyError; any other error when the connection broke
   */
  messages(): AsyncGenerator<MessagePieces>;
  /** Ends the call and the connection. */
  close(): void;
}

/**
 * @param authority host name for `:authority`; Teleport accepts any
 * @param path `/package.Service/Method`
 */
export function openBulkCall(socket: TLSSocket, authority: string, path: string, wire?: WireConnection): BulkCall {
  const call = wire === undefined ? undefined : tracedCall(path, wire);
  const session = grpcSession(socket, authority);
  const stream = session.open(path);
  const answers = answersOf(stream);
  return {
    send: (parts) => send(stream, parts, call),
    end: () => stream.end(),
    messages: () => {
      if (call === undefined) return answers();
      // Too many to tell of one by one.
      return overhear(
        answers(),
        (message) => {
          call.count('received', lengthOf(message));
        },
        call.end,
      );
    },
    close: () => {
      call?.end();
      stream.close(constants.NGHTTP2_CANCEL);
      session.close();
    },
  };
}

async function send(stream: ClientHttp2Stream, parts: readonly Uint8Array[], call?: TracedCall): Promise<void> {
  if (stream.destroyed || stream.writableEnded) return;
  const length = lengthOf(parts);
  call?.count('sent', length);
  stream.cork();
  let more = stream.write(messagePrefix(length));
  for (const part of parts) more = stream.write(part);
  stream.uncork();
  if (!more) await roomIn(stream);
}

/** Resolves for a closed stream as well. Leaves no listeners behind: a long upload waits here thousands of times. */
function roomIn(stream: ClientHttp2Stream): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      stream.off('drain', settle);
      stream.off('close', settle);
      resolve();
    };
    stream.on('drain', settle);
    stream.on('close', settle);
  });
}
