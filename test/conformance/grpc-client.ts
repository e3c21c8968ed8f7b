/**
 * The program that connectrpc/conformance drives: reads calls from stdin, makes each with our gRPC client over its own TLS
 * connection, and writes to stdout what came of it.
 */
import type { ClientHttp2Stream } from 'node:http2';
import { type GrpcConnection, grpcOn } from '../../src/grpc/client.ts';
import { decode, encode } from '../../src/grpc/protobuf.ts';
import { type GrpcSession, grpcSession } from '../../src/grpc/session.ts';
import { GrpcError, GrpcResponseError, grpcStatus } from '../../src/grpc/status.ts';
import { dialTls } from '../../src/net/dial.ts';
import { network } from '../direct-network.ts';
import { callPlan, CallTimedOut } from './grpc-call-plan.ts';
import {
  type CallError,
  type CallResult,
  ErrorDetailsSchema,
  type Header,
  type Instructions,
  InstructionsSchema,
  isUnary,
  methodNamed,
  type Report,
  ReportSchema,
  type Response,
} from './grpc-messages.ts';
import { messagesByLength, withLength } from './messages-by-length.ts';

/** More at once take so long for their handshakes that the short calls of the suite run into its time limits. */
const MAX_CALLS = 8;

const running = new Set<Promise<void>>();
for await (const bytes of messagesByLength(process.stdin, 'big-endian')) {
  if (running.size === MAX_CALLS) await Promise.race(running);
  const call = reportOn(decode(InstructionsSchema, bytes)).then((report) => {
    process.stdout.write(withLength(encode(ReportSchema, report), 'big-endian'));
    running.delete(call);
  });
  running.add(call);
}
await Promise.all(running);

async function reportOn(instructions: Instructions): Promise<Report> {
  const { testName } = instructions;
  try {
    return { testName, result: await resultOf(instructions), error: undefined };
  } catch (error) {
    return { testName, result: undefined, error: { message: String(error) } };
  }
}

async function resultOf(instructions: Instructions): Promise<CallResult> {
  const result: CallResult = { headers: [], payloads: [], error: undefined, trailers: [], unsentRequests: 0 };
  const plan = callPlan(instructions);
  const { signal } = plan;
  let connection: GrpcConnection | undefined;
  try {
    connection = grpcOn(observed(await sessionFor(instructions, signal), result));
    plan.start();
    const method = methodNamed(instructions.method);
    if (isUnary(instructions)) {
      for await (const request of plan.requests(method.input)) {
        add(result, await connection.call(method, request, { signal }));
      }
    } else {
      for await (const response of connection.stream(method, plan.requests(method.input), { signal })) {
        add(result, response);
        plan.onResponse();
        signal.throwIfAborted();
      }
    }
    signal.throwIfAborted();
  } catch (error) {
    result.error = { ...errorOf(error, signal), details: detailsIn(result.trailers) };
    result.unsentRequests = plan.unsent();
  } finally {
    plan.end();
    connection?.close();
  }
  return result;
}

async function sessionFor(instructions: Instructions, signal: AbortSignal): Promise<GrpcSession> {
  const { credentials, headers, host, port, serverCertificate } = instructions;
  const client = credentials && { certificate: pem(credentials.cert), key: pem(credentials.key) };
  const socket = await dialTls({
    network,
    address: { host, port },
    alpn: ['h2'],
    ca: pem(serverCertificate),
    ...(client === undefined ? {} : { client }),
    signal,
  });
  return grpcSession(socket, host, { metadata: Object.fromEntries(headers.map(({ name, value }) => [name, value])) });
}

function pem(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}

/** Notes the headers and trailers of each call, which the client itself does not hand out. */
function observed(session: GrpcSession, result: CallResult): GrpcSession {
  return {
    get acceptsCalls() {
      return session.acceptsCalls;
    },
    answered: session.answered,
    open: async (path, signal) => {
      const stream = await session.open(path, signal);
      note(stream, result);
      return stream;
    },
    onSent: () => {
      session.onSent();
    },
    onResponse: () => {
      session.onResponse();
    },
    onRefusal: () => {
      session.onRefusal();
    },
    close: () => {
      session.close();
    },
  };
}

function note(stream: ClientHttp2Stream, result: CallResult): void {
  const END_STREAM = 1;
  const noteIn = (list: 'headers' | 'trailers', raw: unknown) => {
    result[list] = Array.isArray(raw) ? headersOf(raw) : [];
  };
  stream.once('response', (...[, flags, raw]: unknown[]) => {
    noteIn(Number(flags) & END_STREAM ? 'trailers' : 'headers', raw);
  });
  stream.once('trailers', (...[, , raw]: unknown[]) => {
    noteIn('trailers', raw);
  });
}

/** @param raw names and values by turns */
function headersOf(raw: readonly unknown[]): Header[] {
  const found = new Map<string, string[]>();
  for (let at = 0; at < raw.length; at += 2) {
    const name = String(raw[at]);
    found.set(name, [...(found.get(name) ?? []), String(raw[at + 1])]);
  }
  return [...found].map(([name, value]) => ({ name, value }));
}

function add(result: CallResult, { payload }: Response): void {
  result.payloads.push(payload ?? new Uint8Array());
}

/** Our client ignores the details of errors, which are an encoded google.rpc.Status. */
function detailsIn(trailers: readonly Header[]): Uint8Array[] {
  const [encoded = ''] = trailers.find(({ name }) => name === 'grpc-status-details-bin')?.value ?? [];
  return decode(ErrorDetailsSchema, Buffer.from(encoded, 'base64')).details;
}

/** The statuses of gRPC for Go, as in the trace (`grpc/traced-call.ts`). */
function errorOf(error: unknown, signal: AbortSignal): Omit<CallError, 'details'> {
  if (signal.aborted) {
    return {
      code: numberOf(signal.reason instanceof CallTimedOut ? 'DeadlineExceeded' : 'Canceled'),
      message: undefined,
    };
  }
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof GrpcError) return { code: numberOf(error.status), message };
  const isTooLarge = error instanceof GrpcResponseError && error.problem === 'too-large';
  if (isTooLarge) return { code: numberOf('ResourceExhausted'), message };
  return { code: numberOf(error instanceof GrpcResponseError ? 'Internal' : 'Unavailable'), message };
}

function numberOf(status: string): number {
  for (let number = 0; number <= 16; number += 1) {
    if (grpcStatus(number) === status) return number;
  }
  throw new Error(`no status ${status}`);
}
