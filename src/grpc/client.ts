/** gRPC over a TLS connection that is already open. */
import type { TLSSocket } from 'node:tls';
import type { Direction, WireConnection } from '../net/trace.ts';
import { GrpcCall } from './call.ts';
import { decode, encode, type Init, kindOf, type MessageSchema, type Method } from './protobuf.ts';
import { type GrpcSession, grpcSession } from './session.ts';
import { GrpcResponseError } from './status.ts';
import { type TracedCall, tracedCall } from './traced-call.ts';

export interface CallOptions {
  readonly signal: AbortSignal;
}

/** Calls fail with GrpcError, with GrpcReplyError, and with any other error when the connection breaks. */
export interface GrpcConnection {
  /** One request, one answer. */
  call<I, O>(method: Method<I, O>, request: Init<NoInfer<I>>, options: CallOptions): Promise<O>;
  /** Any number of requests and answers. */
  stream<I, O>(
    method: Method<I, O>,
    requests: AsyncIterable<Init<NoInfer<I>>> | Iterable<Init<NoInfer<I>>>,
    options: CallOptions,
  ): AsyncGenerator<O>;
  /** Ends the connection; calls that are under way fail. */
  close(): void;
}

/** @param authority host name or address for `:authority`; Teleport accepts any */
export function grpcOver(socket: TLSSocket, authority: string, wire?: WireConnection): GrpcConnection {
  const session = grpcSession(socket, authority);
  const traced: TracedCall[] = [];
  const trace = (path: string) => {
    if (wire === undefined) return undefined;
    const call = tracedCall(path, wire);
    traced.push(call);
    return call;
  };
  return {
    call: async (method, request, { signal }) => {
      const bytes = encode(method.input, request);
      const call = trace(method.path);
      call?.count('sent', bytes.length);
      const send = (to: GrpcCall) => {
        void to.send([bytes]);
        to.end();
      };
      const told = { end: call?.end, received: (answer: Uint8Array) => call?.count('received', answer.length) };
      return only(exchange(session, method, send, told, signal));
    },
    stream: (method, requests, { signal }) => {
      const call = trace(method.path);
      const tell =
        <T>(direction: Direction, schema: MessageSchema<T>) =>
        (bytes: Uint8Array) =>
          call?.report(direction, bytes.length, kindOf(schema, bytes));
      const send = (to: GrpcCall) => {
        sendAll(to, method.input, requests, tell('sent', method.input)).catch((error: unknown) => {
          to.cancel(error instanceof Error ? error : new Error(String(error)));
        });
      };
      const told = { end: call?.end, received: tell('received', method.output) };
      return exchange(session, method, send, told, signal);
    },
    close: () => {
      for (const call of traced) call.end();
      session.close();
    },
  };
}

/** Observes a call, if set. */
interface CallObserver {
  readonly received: (answer: Uint8Array) => void;
  readonly end: TracedCall['end'] | undefined;
}

async function* exchange<I, O>(
  session: GrpcSession,
  { output, path }: Method<I, O>,
  send: (call: GrpcCall) => void,
  told: CallObserver,
  signal: AbortSignal,
): AsyncGenerator<O> {
  signal.throwIfAborted();
  const call = new GrpcCall(session, path);
  const cancel = () => {
    call.cancel();
  };
  signal.addEventListener('abort', cancel, { once: true });
  try {
    send(call);
    for await (const pieces of call.messages()) {
      const bytes = Buffer.concat(pieces);
      told.received(bytes);
      yield read(output, bytes);
    }
    told.end?.('OK');
  } catch (error) {
    told.end?.(error);
    throw error;
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

async function sendAll<I>(
  call: GrpcCall,
  schema: MessageSchema<I>,
  requests: AsyncIterable<Init<I>> | Iterable<Init<I>>,
  sent: (bytes: Uint8Array) => void,
): Promise<void> {
  for await (const request of requests) {
    const bytes = encode(schema, request);
    sent(bytes);
    await call.send([bytes]);
  }
  call.end();
}

function read<O>(schema: MessageSchema<O>, bytes: Uint8Array): O {
  try {
    return decode(schema, bytes);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new GrpcResponseError('unreadable', reason, { cause });
  }
}

/** Reads no further than to a second message: a server could go on with them for ever. */
async function only<O>(answers: AsyncIterable<O>): Promise<O> {
  const found: O[] = [];
  for await (const answer of answers) {
    if (found.push(answer) > 1) throw new GrpcResponseError('unreadable', '2 or more messages came, expected one');
  }
  const [answer] = found;
  if (answer === undefined) throw new GrpcResponseError('unreadable', '0 messages came, expected one');
  return answer;
}
