/** One gRPC call with any number of messages in each direction, sent again while the server refuses the stream. */
import type { ClientHttp2Stream } from 'node:http2';
import { chunkBatches, FrameReader, lengthOf, type MessageChunks, messagePrefix } from './frames.ts';
import type { GrpcSession } from './session.ts';
import { GrpcError, GrpcResponseError, grpcStatus } from './status.ts';

/** Error codes of HTTP/2 (RFC 9113 section 7). */
const REFUSED_STREAM = 7;
const CANCEL = 8;

/** After so many refusals, the server does not accept the call on this connection. */
const MAX_ATTEMPTS = 10;
/** Messages sent before the first response are kept, to be sent again. If a call sends more than this, a refusal is final. */
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
    // The reader of the messages gets the error.
    this.#opening.catch(() => undefined);
  }

  /** Sends the parts as one message; resolves when more may be sent, or when the call has ended. */
  async send(parts: Parts): Promise<void> {
    if (this.#hasSentAll || this.#ended.signal.aborted) return;
    this.#session.onSent();
    this.#keep(parts);
    const stream = this.#stream;
    if (stream !== undefined) {
      if (!stream.destroyed && !write(stream, parts)) await drained(stream);
      return;
    }
    // The kept messages are sent once the stream is open.
    await this.#opening.catch(() => undefined);
    await this.#drained();
  }

  /** Ends our side; the server may still send messages. */
  end(): void {
    this.#hasSentAll = true;
    this.#stream?.end();
  }

  /**
   * Yields the messages in order, until the server ends the call with OK. Can be read only once.
   * @throws GrpcError with the server's status; GrpcResponseError; any other error if the connection broke
   */
  async *messages(): AsyncGenerator<MessageChunks> {
    for (let tries = 1; ; tries += 1) {
      const responses = await this.#opening;
      try {
        for await (const message of responses()) {
          this.#session.onResponse();
          yield message;
        }
        return;
      } catch (error) {
        if (this.#stream?.rstCode !== REFUSED_STREAM) throw error;
        this.#afterRefusal(tries);
      }
    }
  }

  /** Ends only this call: the connection carries others. */
  cancel(error?: Error): void {
    this.#ended.abort(error);
    if (error === undefined) this.#stream?.close(CANCEL);
    else this.#stream?.destroy(error);
  }

  /** The server has not processed a refused stream at all (RFC 9113 section 8.7), nor one above the last id in a GOAWAY. */
  #afterRefusal(tries: number): void {
    if (!this.#session.acceptsCalls)
      throw new Error('the server closed the connection before it accepted the call (GOAWAY)');
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
    // No `await` from here on: a message sent in between would be sent twice.
    const responses = responsesOf(stream);
    this.#stream = stream;
    stream.once('response', () => {
      this.#session.onResponse();
      this.#kept = undefined;
    });
    for (const parts of this.#kept ?? []) write(stream, parts);
    if (this.#hasSentAll) stream.end();
    return responses;
  }

  async #drained(): Promise<void> {
    if (this.#stream?.writableNeedDrain === true) await drained(this.#stream);
  }

  #keep(parts: Parts): void {
    if (this.#kept === undefined) return;
    this.#kept.push(parts);
    this.#keptBytes += lengthOf(parts);
    if (this.#stream !== undefined && this.#keptBytes > MAX_BUFFERED_BYTES) this.#kept = undefined;
  }
}

/** @returns whether more may be written right away */
function write(stream: ClientHttp2Stream, parts: Parts): boolean {
  stream.cork();
  let more = stream.write(messagePrefix(lengthOf(parts)));
  for (const part of parts) more = stream.write(part);
  stream.uncork();
  return more;
}

/** Also resolves if the stream closes. Leaves no listeners behind: a long upload waits here thousands of times. */
function drained(stream: ClientHttp2Stream): Promise<void> {
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

// The server's side of the call: its messages and its status ("gRPC over HTTP2" of the gRPC project).

const OK = 0;
/** Header blocks before the response (RFC 9113 section 8.1); gRPC does not use them. */
const MAX_INFORMATIONAL_HEADERS = 10;

/** How the server ended the call. */
interface Ending {
  status: number | undefined;
  message: string;
  /** Set if the response is not gRPC. */
  problem: string | undefined;
}

/** Starts watching the stream at once; the returned generator is that of `GrpcCall.messages`. */
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

/** The text should be percent-encoded, but some servers do not encode it. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function* messages(stream: ClientHttp2Stream, ending: Ending): AsyncGenerator<MessageChunks> {
  const frames = new FrameReader();
  for await (const batch of chunkBatches(stream)) {
    if (ending.problem !== undefined) break;
    for (const chunk of batch) yield* frames.add(chunk);
  }
  if (ending.problem !== undefined) throw new Error(`the response is not gRPC: ${ending.problem}`);
  if (ending.status === undefined) throw new Error('the connection closed during the call');
  if (ending.status !== OK) throw new GrpcError(grpcStatus(ending.status), ending.message);
  if (!frames.isEmpty) throw new Error('the call ended inside a message');
}
