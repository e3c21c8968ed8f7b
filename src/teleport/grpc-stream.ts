/**
 * One gRPC call in both directions over a TLS connection that is already open, for calls that carry bytes in bulk: no
 * message is copied on its way, and a distant server may send a few megabytes before it must hear from us.
 * Sources: "gRPC over HTTP2" of the gRPC project, RFC 9113 section 6.9.
 */
import { type ClientHttp2Stream, connect, constants } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { Code, ConnectError } from '@connectrpc/connect';
import { chunkBatches } from './chunk-batches.ts';
import { lengthOf, MessageCutter, type MessagePieces, PREFIX_BYTES } from './grpc-messages.ts';
import { overhear, type TracedCall, tracedCall } from './traced-call.ts';
import type { WireConnection } from './wire-trace.ts';

export interface BulkCall {
  /** Sends the parts as one message; resolves when more may be sent, and when nobody takes it any more. */
  send(parts: readonly Uint8Array[]): Promise<void>;
  /** No message comes after this; the server's still do. */
  end(): void;
  /**
   * In their order, until the server ends the call with OK.
   * @throws ConnectError with the server's status; any other error when the connection broke
   */
  messages(): AsyncGenerator<MessagePieces>;
  /** Ends the call and the connection. */
  close(): void;
}

/** With Node's 64 KiB, a path of 50 ms there and back would carry 1.3 MB a second at most. */
const WINDOW_BYTES = 8 * 1024 * 1024;
const OK = 0;

/**
 * @param authority host name for `:authority`; Teleport accepts any
 * @param path `/package.Service/Method`
 */
export function openBulkCall(socket: TLSSocket, authority: string, path: string, wire?: WireConnection): BulkCall {
  const call = wire === undefined ? undefined : tracedCall(path, wire);
  const session = connect(`https://${authority}`, {
    createConnection: () => socket,
    settings: { initialWindowSize: WINDOW_BYTES, enablePush: false },
  });
  session.once('connect', () => {
    session.setLocalWindowSize(WINDOW_BYTES);
  });
  // What breaks the connection breaks the call, which tells of it.
  session.on('error', () => undefined);
  const stream = session.request(
    {
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: path,
      [constants.HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
      te: 'trailers',
    },
    { endStream: false },
  );
  // Whoever reads the messages is told; until somebody does, a reset must not end the process.
  stream.on('error', () => undefined);
  const answer = watchAnswer(stream);
  return {
    send: (parts) => send(stream, parts, call),
    end: () => stream.end(),
    messages: () => {
      const all = messages(stream, answer);
      if (call === undefined) return all;
      // Too many to tell of one by one.
      return overhear(
        all,
        (message) => {
          call.count('received', lengthOf(message));
        },
        call.end,
      );
    },
    close: () => {
      call?.end();
      stream.close(constants.NGHTTP2_CANCEL);
      session.destroy();
      socket.destroy();
    },
  };
}

async function send(stream: ClientHttp2Stream, parts: readonly Uint8Array[], call?: TracedCall): Promise<void> {
  if (stream.destroyed || stream.writableEnded) return;
  const prefix = Buffer.alloc(PREFIX_BYTES);
  const length = lengthOf(parts);
  prefix.writeUInt32BE(length, 1);
  call?.count('sent', length);
  stream.cork();
  let more = stream.write(prefix);
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

/** What the server says of the call besides its messages. */
interface Answer {
  status: number | undefined;
  message: string;
  /** Set when what answers is no gRPC server. */
  fault: string | undefined;
}

function watchAnswer(stream: ClientHttp2Stream): Answer {
  const answer: Answer = { status: undefined, message: '', fault: undefined };
  const read = (headers: Readonly<Record<string, unknown>>) => {
    const { 'grpc-message': message, 'grpc-status': status } = headers;
    if (typeof status === 'string' && /^\d{1,2}$/.test(status)) answer.status = Number(status);
    if (typeof message === 'string') answer.message = decoded(message);
  };
  stream.once('response', (headers) => {
    const { ':status': status, 'content-type': type = '' } = headers;
    if (status !== 200 || !type.startsWith('application/grpc')) {
      answer.fault = `HTTP status ${String(status)}, content type "${type}"`;
    }
    read(headers);
  });
  stream.once('trailers', read);
  return answer;
}

/** Percent-encoded, though some servers do not. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function* messages(stream: ClientHttp2Stream, answer: Answer): AsyncGenerator<MessagePieces> {
  const cutter = new MessageCutter();
  for await (const batch of chunkBatches(stream)) {
    if (answer.fault !== undefined) break;
    for (const chunk of batch) yield* cutter.add(chunk);
  }
  if (answer.fault !== undefined) throw new Error(`the answer is not gRPC: ${answer.fault}`);
  if (answer.status === undefined) throw new Error('the connection ended in the midst of the call');
  if (answer.status !== OK) throw new ConnectError(answer.message, codeOf(answer.status));
  if (!cutter.isEmpty) throw new Error('the call ended in the midst of a message');
}

/** Connect's codes have gRPC's numbers. */
const CODES: ReadonlyMap<number, Code> = new Map(
  Object.values(Code).flatMap((value) => (typeof value === 'string' ? [] : [[value, value] as const])),
);

function codeOf(status: number): Code {
  return CODES.get(status) ?? Code.Unknown;
}
