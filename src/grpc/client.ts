/** A gRPC client over a TLS connection that is already open. */
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

/** Calls fail with GrpcError, GrpcResponseError, or any other error if the connection breaks. */
export interface GrpcConnection {
  /** One request, one response. */
  call<I, O>(method: Method<I, O>, request: Init<NoInfer<I>>, options: CallOptions): Promise<O>;
  /** Any number of requests and responses. */
  stream<I, O>(
    method: Method<I, O>,
    requests: AsyncIterable<Init<NoInfer<I>>> | Iterable<Init<NoInfer<I>>>,
    options: CallOptions,
  ): AsyncGenerator<O>;
  /** Closes the connection; calls in progress fail. */
  close(): void;
}

/** @param authority host name or address for `:authority`; Teleport accepts any */
export async function grpcOver(socket: TLSSocket, authority: string, wire?: WireConnection): Promise<GrpcConnection> {
  return grpcOn(await grpcSession(socket, authority), wire);
}

export function grpcOn(session: GrpcSession, wire?: WireConnection): GrpcConnection {
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
      const observer = { end: call?.end, received: (bytes: Uint8Array) => call?.count('received', bytes.length) };
      return only(exchange(session, method, send, observer, signal));
    },
    stream: (method, requests, { signal }) => {
      const call = trace(method.path);
      const report =
        <T>(direction: Direction, schema: MessageSchema<T>) =>
        (bytes: Uint8Array) =>
          call?.report(direction, bytes.length, kindOf(schema, bytes));
      const send = (to: GrpcCall) => {
        sendAll(to, method.input, requests, report('sent', method.input)).catch((error: unknown) => {
          to.cancel(error instanceof Error ? error : new Error(String(error)));
        });
      };
      const observer = { end: call?.end, received: report('received', method.output) };
      return exchange(session, method, send, observer, signal);
    },
    close: () => {
      for (const call of traced) call.end();
      session.close();
    },
  };
}

/** Receives each message and the end of a call. */
interface CallObserver {
  readonly received: (message: Uint8Array) => void;
  readonly end: TracedCall['end'] | undefined;
}

async function* exchange<I, O>(
  session: GrpcSession,
  { output, path }: Method<I, O>,
  send: (call: GrpcCall) => void,
  observer: CallObserver,
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
    for await (const chunks of call.messages()) {
      const bytes = Buffer.concat(chunks);
      observer.received(bytes);
      yield read(output, bytes);
    }
    observer.end?.('OK');
  } catch (error) {
    observer.end?.(error);
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

/** The one response. Stops at a second message: a server could send them forever. */
async function only<O>(responses: AsyncIterable<O>): Promise<O> {
  const found: O[] = [];
  for await (const response of responses) {
    if (found.push(response) > 1)
      throw new GrpcResponseError('unreadable', 'received 2 or more messages, expected one');
  }
  const [response] = found;
  if (response === undefined) throw new GrpcResponseError('unreadable', 'received 0 messages, expected one');
  return response;
}
