/** One gRPC call, whatever its number of messages in each direction, which is made again while the server refuses it. */
import { type ClientHttp2Stream, constants } from 'node:http2';
import { chunkBatches, FrameReader, lengthOf, type MessageChunks, messagePrefix } from './frames.ts';
import type { GrpcSession } from './session.ts';
import { GrpcError, GrpcResponseError, grpcStatus } from './status.ts';

/** A server that refuses a call so often does not take it on this connection. */
const MAX_ATTEMPTS = 10;
/** What was sent before any answer is kept, to be sent again; of a call that sends more, a refusal is final. */
const MAX_BUFFERED_BYTES = 256 * 1024;

type Parts = readonly Uint8Array[];

export class GrpcCall {
  readonly #session: GrpcSession;
  readonly #path: string;
  readonly #ended = new AbortController();
  #kept: Parts[] | undefined = [];
  #keptBytes = 0;
  #hasSentAll = false;
  /** Undefined while the call waits for a free stream. */
  #stream: ClientHttp2Stream | undefined;
  #opening: Promise<() => AsyncGenerator<MessageChunks>>;

  /** @param path `/package.Service/Method` */
  constructor(session: GrpcSession, path: string) {
    this.#session = session;
    this.#path = path;
    this.#opening = this.#open();
    // The reader of the answers gets the error.
    this.#opening.catch(() => undefined);
  }

  /** Sends the parts as one message; resolves when more may be sent, and when nobody takes it any more. */
  async send(parts: Parts): Promise<void> {
    if (this.#hasSentAll || this.#ended.signal.aborted) return;
    this.#session.onSent();
    this.#keep(parts);
    const stream = this.#stream;
    if (stream !== undefined) {
      if (!stream.destroyed && !write(stream, parts)) await roomIn(stream);
      return;
    }
    // What is kept is sent once the stream is open.
    await this.#opening.catch(() => undefined);
    await this.#room();
  }

  /** No message comes after this; the server's still do. */
  end(): void {
    this.#hasSentAll = true;
    this.#stream?.end();
  }

  /**
   * In their order, until the server ends the call with OK. To be read once.
   * @throws GrpcError with the server's status, GrpcReplyError; any other error when the connection broke
   */
  async *messages(): AsyncGenerator<MessageChunks> {
    for (let tries = 1; ; tries += 1) {
      const answers = await this.#opening;
      try {
        for await (const message of answers()) {
          this.#session.onResponse();
          yield message;
        }
        return;
      } catch (error) {
        if (this.#stream?.rstCode !== constants.NGHTTP2_REFUSED_STREAM) throw error;
        this.#afterRefusal(tries);
      }
    }
  }

  /** Ends the call alone: the connection carries others. */
  cancel(error?: Error): void {
    this.#ended.abort(error);
    if (error === undefined) this.#stream?.close(constants.NGHTTP2_CANCEL);
    else this.#stream?.destroy(error);
  }

  /** A refused stream has not been processed in any way (RFC 9113 section 8.7), nor has one that GOAWAY leaves out. */
  #afterRefusal(tries: number): void {
    if (!this.#session.acceptsCalls)
      throw new Error('the server closed the connection before it took the call (GOAWAY)');
    if (this.#kept === undefined || tries === MAX_ATTEMPTS) {
      throw new Error(`the server refused the call ${tries === 1 ? 'once' : `${tries} times`} (REFUSED_STREAM)`);
    }
    this.#session.onRefusal();
    this.#stream = undefined;
    this.#opening = this.#open();
    this.#opening.catch(() => undefined);
  }

  async #open(): Promise<() => AsyncGenerator<MessageChunks>> {
    const stream = await this.#session.open(this.#path, this.#ended.signal);
    // From here on without a pause, lest a message that is sent meanwhile be sent twice.
    const answers = responsesOf(stream);
    this.#stream = stream;
    stream.once('response', () => {
      this.#session.onResponse();
      this.#kept = undefined;
    });
    for (const parts of this.#kept ?? []) write(stream, parts);
    if (this.#hasSentAll) stream.end();
    return answers;
  }

  async #room(): Promise<void> {
    if (this.#stream?.writableNeedDrain === true) await roomIn(this.#stream);
  }

  #keep(parts: Parts): void {
    if (this.#kept === undefined) return;
    this.#kept.push(parts);
    this.#keptBytes += lengthOf(parts);
    if (this.#stream !== undefined && this.#keptBytes > MAX_BUFFERED_BYTES) this.#kept = undefined;
  }
}

/** @returns whether more may be written at once */
function write(stream: ClientHttp2Stream, parts: Parts): boolean {
  stream.cork();
  let more = stream.write(messagePrefix(lengthOf(parts)));
  for (const part of parts) more = stream.write(part);
  stream.uncork();
  return more;
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

// The server's side of a gRPC call: its messages, and how it ends the call ("gRPC over HTTP2" of the gRPC project).

const OK = 0;
/** Before the answer (RFC 9113 section 8.1); gRPC has no use for any. */
const MAX_INFORMATIONAL_HEADERS = 10;

/** What the server says of the call besides its messages. */
interface Ending {
  status: number | undefined;
  message: string;
  /** Set when what answers is no gRPC server. */
  problem: string | undefined;
}

/**
 * Watches the stream from now on; the messages are in their order, until the server ends the call with OK.
 * @throws GrpcError with the server's status, GrpcReplyError; any other error when the connection broke
 */
function responsesOf(stream: ClientHttp2Stream): () => AsyncGenerator<MessageChunks> {
  const ending = watchEnding(stream);
  return () => messages(stream, ending);
}

function watchEnding(stream: ClientHttp2Stream): Ending {
  const ending: Ending = { status: undefined, message: '', problem: undefined };
  const read = (headers: Readonly<Record<string, unknown>>) => {
    const { 'grpc-message': message, 'grpc-status': status } = headers;
    if (typeof status === 'string' && /^\d{1,2}$/.test(status)) ending.status = Number(status);
    if (typeof message === 'string') ending.message = decoded(message);
  };
  stream.once('response', (headers) => {
    const { ':status': status, 'content-type': type = '' } = headers;
    if (status !== 200 || !type.startsWith('application/grpc')) {
      ending.problem = `HTTP status ${String(status)}, content type "${type}"`;
    }
    read(headers);
  });
  stream.once('trailers', read);
  let informational = 0;
  stream.on('headers', () => {
    informational += 1;
    if (informational > MAX_INFORMATIONAL_HEADERS) {
      stream.destroy(
        new GrpcResponseError('unreadable', `more than ${MAX_INFORMATIONAL_HEADERS} informational headers`),
      );
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

async function* messages(stream: ClientHttp2Stream, ending: Ending): AsyncGenerator<MessageChunks> {
  const cutter = new FrameReader();
  for await (const batch of chunkBatches(stream)) {
    if (ending.problem !== undefined) break;
    for (const chunk of batch) yield* cutter.add(chunk);
  }
  if (ending.problem !== undefined) throw new Error(`the answer is not gRPC: ${ending.problem}`);
  if (ending.status === undefined) throw new Error('the connection closed during the call');
  if (ending.status !== OK) throw new GrpcError(grpcStatus(ending.status), ending.message);
  if (!cutter.isEmpty) throw new Error('the call ended inside a message');
}
