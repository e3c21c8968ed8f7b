/** One traced gRPC call. */
import type { Direction, WireConnection } from '../net/trace.ts';
import { GrpcError, GrpcResponseError, type GrpcStatus } from './status.ts';

export interface TracedCall {
  /** A message that is only part of the sums. */
  count(direction: Direction, bytes: number): void;
  /** A message that is also reported on its own. */
  report(direction: Direction, bytes: number, kind: string | undefined): void;
  /** `OK`, the error that the call ended with, or nothing when this side has ended it; only the first end counts. */
  readonly end: (outcome?: unknown) => void;
}

/** @param method `/package.Service/Method` */
export function tracedCall(method: string, wire: WireConnection): TracedCall {
  const sinceStart = wire.stopwatch();
  const sums = { sentMessages: 0, receivedMessages: 0, sentBytes: 0, receivedBytes: 0 };
  let hasEnded = false;
  const count = (direction: Direction, bytes: number) => {
    sums[`${direction}Messages`] += 1;
    sums[`${direction}Bytes`] += bytes;
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
      wire.emit({ event: 'grpc', method, code: codeOf(outcome), ...sums, durationMs: sinceStart() });
    },
  };
}

/** Hands on the messages, and the end that they come to. */
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

/** The name alone: what the server says beside it may quote what was sent. */
function codeOf(outcome: unknown): string {
  if (outcome === undefined) return 'ended here';
  return outcome === 'OK' ? outcome : statusOf(outcome);
}

/** What failed on this side has the status that gRPC for Go gives it. */
function statusOf(error: unknown): GrpcStatus {
  if (error instanceof GrpcError) return error.status;
  if (error instanceof GrpcResponseError) return error.problem === 'too-large' ? 'ResourceExhausted' : 'Internal';
  return 'Unavailable';
}
