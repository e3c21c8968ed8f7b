/** Traces one gRPC call: its messages, and how it ended. */
import type { Direction, WireConnection } from '../net/trace.ts';
import { GrpcError, GrpcResponseError, type GrpcStatus } from './status.ts';

export interface TracedCall {
  /** Adds a message to the totals only. */
  count(direction: Direction, bytes: number): void;
  /** Adds a message to the totals and reports it. */
  report(direction: Direction, bytes: number, kind: string | undefined): void;
  /** Pass `OK`, the error that ended the call, or nothing if this side ended it. Only the first call counts. */
  readonly end: (outcome?: unknown) => void;
}

/** @param method `/package.Service/Method` */
export function tracedCall(method: string, wire: WireConnection): TracedCall {
  const sinceStart = wire.stopwatch();
  const totals = { sentMessages: 0, receivedMessages: 0, sentBytes: 0, receivedBytes: 0 };
  let hasEnded = false;
  const count = (direction: Direction, bytes: number) => {
    totals[`${direction}Messages`] += 1;
    totals[`${direction}Bytes`] += bytes;
  };
  return {
    count,
    report: (direction, bytes, kind) => {
      count(direction, bytes);
      wire.emit({ event: 'grpc-message', method, direction, kind, bytes });
    },
    end: (outcome) => {
      if (hasEnded) return;
      hasEnded = true;
      wire.emit({ event: 'grpc', method, code: codeOf(outcome), ...totals, durationMs: sinceStart() });
    },
  };
}

/** Passes the messages through, and reports each one and the end. */
export async function* observe<T>(
  messages: AsyncIterable<T>,
  onMessage: (message: T) => void,
  onEnd: (outcome: unknown) => void = () => undefined,
): AsyncGenerator<T> {
  try {
    for await (const message of messages) {
      onMessage(message);
      yield message;
    }
    onEnd('OK');
  } catch (error) {
    onEnd(error);
    throw error;
  }
}

/** Only the name of the status: the server's text may quote what was sent. */
function codeOf(outcome: unknown): string {
  if (outcome === undefined) return 'ended here';
  return outcome === 'OK' ? outcome : statusOf(outcome);
}

/** Errors of this side get the status that gRPC for Go gives them. */
function statusOf(error: unknown): GrpcStatus {
  if (error instanceof GrpcError) return error.status;
  if (error instanceof GrpcResponseError) return error.problem === 'too-large' ? 'ResourceExhausted' : 'Internal';
  return 'Unavailable';
}
