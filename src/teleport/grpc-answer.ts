/** The server's side of a gRPC call: its messages, and how it ends the call ("gRPC over HTTP2" of the gRPC project). */
import type { ClientHttp2Stream } from 'node:http2';
import { chunkBatches } from './chunk-batches.ts';
import { GrpcError, GrpcReplyError, grpcStatus } from './grpc-error.ts';
import { MessageCutter, type MessagePieces } from './grpc-messages.ts';

const OK = 0;
/** Before the answer (RFC 9113 section 8.1); gRPC has no use for any. */
const MOST_INFORMATIONAL_HEADERS = 10;

/** What the server says of the call besides its messages. */
interface Ending {
  status: number | undefined;
  message: string;
  /** Set when what answers is no gRPC server. */
  fault: string | undefined;
}

/**
 * Watches the stream from now on; the messages are in their order, until the server ends the call with OK.
 * @throws GrpcError with the server's status, GrpcReplyError; any other error when the connection broke
 */
export function answersOf(stream: ClientHttp2Stream): () => AsyncGenerator<MessagePieces> {
  const ending = watchEnding(stream);
  return () => messages(stream, ending);
}

function watchEnding(stream: ClientHttp2Stream): Ending {
  const ending: Ending = { status: undefined, message: '', fault: undefined };
  const read = (headers: Readonly<Record<string, unknown>>) => {
    const { 'grpc-message': message, 'grpc-status': status } = headers;
    if (typeof status === 'string' && /^\d{1,2}$/.test(status)) ending.status = Number(status);
    if (typeof message === 'string') ending.message = decoded(message);
  };
  stream.once('response', (headers) => {
    const { ':status': status, 'content-type': type = '' } = headers;
    if (status !== 200 || !type.startsWith('application/grpc')) {
      ending.fault = `HTTP status ${String(status)}, content type "${type}"`;
    }
    read(headers);
  });
  stream.once('trailers', read);
  let informational = 0;
  stream.on('headers', () => {
    informational += 1;
    if (informational > MOST_INFORMATIONAL_HEADERS) {
      stream.destroy(new GrpcReplyError('unreadable', `more than ${MOST_INFORMATIONAL_HEADERS} informational headers`));
    }
  });
  return ending;
}

/** Percent-encoded, though some servers do not. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function* messages(stream: ClientHttp2Stream, ending: Ending): AsyncGenerator<MessagePieces> {
  const cutter = new MessageCutter();
  for await (const batch of chunkBatches(stream)) {
    if (ending.fault !== undefined) break;
    for (const chunk of batch) yield* cutter.add(chunk);
  }
  if (ending.fault !== undefined) throw new Error(`the answer is not gRPC: ${ending.fault}`);
  if (ending.status === undefined) throw new Error('the connection closed during the call');
  if (ending.status !== OK) throw new GrpcError(grpcStatus(ending.status), ending.message);
  if (!cutter.isEmpty) throw new Error('the call ended inside a message');
}
