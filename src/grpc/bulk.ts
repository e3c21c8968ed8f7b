/**
 * One bidirectional gRPC call for bulk data. Messages are not copied, and the flow-control window lets a distant server
 * send several megabytes before it must wait for us.
 */
import type { TLSSocket } from 'node:tls';
import type { WireConnection } from '../net/trace.ts';
import { GrpcCall } from './call.ts';
import { lengthOf, type MessageChunks } from './frames.ts';
import { type GrpcSession, grpcSession, type Windows } from './session.ts';
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
  /** Closes the call, and the connection if it is for this call alone. */
  close(): void;
}

/** A connection for many calls, none of which can keep the others from receiving. */
export interface BulkConnection {
  /** Whether another call may be opened. */
  readonly acceptsCalls: boolean;
  /** Resolves when the server has accepted the connection; rejects if it ends before. */
  readonly answered: Promise<void>;
  /** @param path `/package.Service/Method`; closing the call leaves the connection open */
  open(path: string): BulkCall;
  /** Ends its calls. */
  close(): void;
}

/** @param authority host name for `:authority`; Teleport accepts any */
export async function openBulkConnection(
  socket: TLSSocket,
  authority: string,
  wire?: WireConnection,
): Promise<BulkConnection> {
  const session = await grpcSession(socket, authority, { windows: MANY_CALLS });
  return {
    get acceptsCalls() {
      return session.acceptsCalls;
    },
    answered: session.answered,
    open: (path) => callOn(session, path, wire),
    close: () => {
      session.close();
    },
  };
}

/** Calls share the window of the connection: a hundred that no one reads leave room for others. */
const MANY_CALLS: Windows = { callBytes: 512 * 1024, connectionBytes: 64 * 1024 * 1024 };

/**
 * @param authority host name for `:authority`; Teleport accepts any
 * @param path `/package.Service/Method`
 */
export async function openBulkCall(
  socket: TLSSocket,
  authority: string,
  path: string,
  wire?: WireConnection,
): Promise<BulkCall> {
  const session = await grpcSession(socket, authority);
  const call = callOn(session, path, wire);
  return {
    ...call,
    close: () => {
      call.close();
      session.close();
    },
  };
}

function callOn(session: GrpcSession, path: string, wire: WireConnection | undefined): BulkCall {
  const traced = wire === undefined ? undefined : tracedCall(path, wire);
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
    },
  };
}
