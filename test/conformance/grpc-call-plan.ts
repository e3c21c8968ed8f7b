/** When a call of the suite sends its requests, and when it is cancelled. */
import { setTimeout as pause } from 'node:timers/promises';
import { decode, type MessageSchema } from '../../src/grpc/protobuf.ts';
import { type Instructions, isFullDuplex, isUnary } from './grpc-messages.ts';

/** The reason of the signal after the time of the call is over. */
export class CallTimedOut extends Error {}

export interface CallPlan {
  readonly signal: AbortSignal;
  /** Starts the time of the call. */
  start(): void;
  /** Yields each request when it is due; ends when the sending side shall be closed. */
  requests<I>(schema: MessageSchema<I>): AsyncGenerator<I>;
  /** Call it for each response. */
  onResponse(): void;
  /** How many requests were not asked for. */
  unsent(): number;
  end(): void;
}

export function callPlan(instructions: Instructions): CallPlan {
  const { cancel, delayMs, requests, timeoutMs } = instructions;
  const controller = new AbortController();
  const timers: NodeJS.Timeout[] = [];
  const after = (ms: number, reason: Error) => {
    timers.push(
      setTimeout(() => {
        controller.abort(reason);
      }, ms),
    );
  };
  let sent = 0;
  let responses = 0;
  let onResponse: () => void = () => undefined;
  const nextResponse = async () => {
    while (responses < sent) {
      await new Promise<void>((resolve) => {
        onResponse = resolve;
      });
    }
  };
  const cancelLater = () => {
    if (cancel === undefined || cancel.afterResponses !== undefined) return;
    after(cancel.afterCloseSendMs ?? 0, new Error('cancelled after the end of the requests'));
  };
  return {
    signal: controller.signal,
    start: () => {
      if (timeoutMs !== undefined) after(timeoutMs, new CallTimedOut());
    },
    requests: async function* (schema) {
      for (const { value } of requests) {
        if (delayMs > 0) await pause(delayMs, undefined, { signal: controller.signal });
        const request = decode(schema, value);
        sent += 1;
        if (isUnary(instructions)) cancelLater();
        yield request;
        if (isFullDuplex(instructions)) await nextResponse();
      }
      if (cancel?.beforeCloseSend !== undefined)
        controller.abort(new Error('cancelled before the end of the requests'));
      else if (!isUnary(instructions)) cancelLater();
    },
    onResponse: () => {
      responses += 1;
      if (responses === cancel?.afterResponses) controller.abort(new Error('cancelled after responses'));
      onResponse();
    },
    unsent: () => requests.length - sent,
    end: () => {
      for (const timer of timers) clearTimeout(timer);
    },
  };
}
