/** A byte stream in the binary frames of a WebSocket (RFC 6455), as Teleport's connection upgrade uses it (protocol reference 1.4). */
import { createHash, randomBytes } from 'node:crypto';
import { Duplex } from 'node:stream';

export interface WebSocketRequest {
  /** For the `Host` header: `host:port`. */
  readonly host: string;
  readonly path: string;
  /** The only one that is offered. */
  readonly subprotocol: string;
  /** Ends the wait for the response. */
  readonly signal: AbortSignal;
}

/** The server's response is not the expected `101 Switching Protocols`. */
export class WebSocketRefused extends Error {
  /** Undefined if the response is not HTTP, or is a malformed 101. */
  readonly status: number | undefined;
  /** The header `Server` of the response. */
  readonly server: string | undefined;

  constructor(message: string, status?: number, server?: string) {
    super(message);
    this.status = status;
    this.server = server;
  }
}

/** RFC 6455 section 1.3. */
const ACCEPT_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/**
 * Sends the request over a connection that is already open and owned by the caller until this resolves. Closing the stream
 * closes the connection without a Close frame, as Teleport's clients do.
 * @throws WebSocketRefused, or Node's own error or the abort reason
 */
export async function openWebSocket(connection: Duplex, request: WebSocketRequest): Promise<Duplex> {
  const key = randomBytes(16).toString('base64');
  connection.write(requestText(request, key));
  checkResponse(await readHead(connection, request.signal), key, request.subprotocol);
  return byteStream(connection);
}

function requestText({ host, path, subprotocol }: WebSocketRequest, key: string): string {
  return [
    `GET ${path} HTTP/1.1`,
    `Host: ${host}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${key}`,
    `Sec-WebSocket-Protocol: ${subprotocol}`,
    '',
    '',
  ].join('\r\n');
}

const MAX_HEAD_BYTES = 16 * 1024;
const HEAD_END = '\r\n\r\n';

/** Leaves the bytes after the head in the connection: the server may send frames at once. */
function readHead(connection: Duplex, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const settle = (act: () => void) => {
      connection.off('data', onData).off('error', onError).off('close', onClose).pause();
      signal.removeEventListener('abort', onAbort);
      act();
    };
    const onError = (error: Error) => {
      settle(() => {
        reject(error);
      });
    };
    const onData = (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      const end = received.indexOf(HEAD_END);
      if (end === -1 && received.length <= MAX_HEAD_BYTES) return;
      settle(() => {
        if (end === -1) reject(new WebSocketRefused(`the response has a header of more than ${MAX_HEAD_BYTES} bytes`));
        const rest = received.subarray(end + HEAD_END.length);
        if (rest.length > 0) connection.unshift(rest);
        resolve(received.toString('latin1', 0, end));
      });
    };
    const onClose = () => {
      onError(new Error('the connection was closed before a response to the upgrade'));
    };
    const onAbort = () => {
      onError(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
    };
    if (signal.aborted) {
      reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
      return;
    }
    signal.addEventListener('abort', onAbort, { once: true });
    connection.on('error', onError).on('close', onClose).on('end', onClose).on('data', onData);
  });
}

function checkResponse(head: string, key: string, subprotocol: string): void {
  const [statusLine = '', ...lines] = head.split('\r\n');
  const [, code] = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(statusLine) ?? [];
  if (code === undefined) throw new WebSocketRefused('the response is not HTTP');
  const header = (name: string) => headerValue(lines, name);
  if (code !== '101') {
    throw new WebSocketRefused(`the response has status ${code}, expected 101`, Number(code), header('server'));
  }
  const accept = createHash('sha1').update(`${key}${ACCEPT_SUFFIX}`).digest('base64');
  if (header('upgrade')?.toLowerCase() !== 'websocket' || header('sec-websocket-accept') !== accept)
    throw new WebSocketRefused('the response with status 101 does not answer the request for a WebSocket');
  const chosen = header('sec-websocket-protocol');
  if (chosen === subprotocol) return;
  const got = chosen === undefined ? 'none' : JSON.stringify(chosen);
  throw new WebSocketRefused(`the WebSocket has the subprotocol ${got}, expected "${subprotocol}"`);
}

function headerValue(lines: readonly string[], name: string): string | undefined {
  const line = lines.find((one) => one.toLowerCase().startsWith(`${name}:`));
  return line?.slice(name.length + 1).trim();
}

// Frames.

const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
const FINAL = 0x80;
const MASKED = 0x80;
/** Two bytes of length follow, or eight. */
const LENGTH_IN_2_BYTES = 126;
const LENGTH_IN_8_BYTES = 127;
const MASK_BYTES = 4;
const MAX_CONTROL_BYTES = 125;

function byteStream(connection: Duplex): Duplex {
  let [isEnded, isOver] = [false, false];
  const stream = new Duplex({
    read: () => {
      connection.resume();
    },
    write: (chunk: Buffer, _encoding, done) => {
      send(connection, OPCODE.binary, chunk, done);
    },
    // There is no half-closed WebSocket. The TLS inside has told the other end, which may still have something to send.
    final: (done) => {
      isEnded = true;
      if (isOver) connection.end(done);
      else done();
    },
    destroy: (error, done) => {
      connection.destroy();
      done(error);
    },
  });
  const end = () => {
    if (isOver) return;
    isOver = true;
    stream.push(null);
    if (isEnded) connection.end();
  };
  const frames = new FrameReader({
    onData: (bytes) => {
      if (!stream.push(bytes)) connection.pause();
    },
    // A peer that does not read its pongs gets no more of them, so that they cannot pile up.
    onPing: (payload) => {
      if (!connection.writableNeedDrain) send(connection, OPCODE.pong, payload);
    },
    onClose: end,
  });
  connection.on('data', (chunk: Buffer) => {
    if (isOver) return;
    try {
      frames.read(chunk);
    } catch (error) {
      stream.destroy(error instanceof Error ? error : undefined);
    }
  });
  connection.once('end', end);
  connection.on('error', (error) => stream.destroy(error));
  connection.once('close', () => stream.destroy());
  return stream;
}

/** One frame each: the server drops fragments. The mask is zero, as Teleport's own client sends it. */
function send(connection: Duplex, opcode: number, payload: Buffer, done?: (error?: Error | null) => void): void {
  connection.cork();
  connection.write(frameHeader(opcode, payload.length));
  connection.write(payload, done);
  connection.uncork();
}

function frameHeader(opcode: number, length: number): Buffer {
  const lengthBytes = length < LENGTH_IN_2_BYTES ? 0 : length < 0x10000 ? 2 : 8;
  const header = Buffer.alloc(2 + lengthBytes + MASK_BYTES);
  header[0] = FINAL | opcode;
  header[1] = MASKED | (lengthBytes === 0 ? length : lengthBytes === 2 ? LENGTH_IN_2_BYTES : LENGTH_IN_8_BYTES);
  if (lengthBytes === 2) header.writeUInt16BE(length, 2);
  if (lengthBytes === 8) header.writeBigUInt64BE(BigInt(length), 2);
  return header;
}

interface FrameEvents {
  /** Part of a binary message. */
  readonly onData: (bytes: Buffer) => void;
  readonly onPing: (payload: Buffer) => void;
  readonly onClose: () => void;
}

interface FrameStart {
  readonly opcode: number;
  /** Of the header. */
  readonly size: number;
  /** Of the payload. */
  readonly length: number;
}

/** Passes payloads on in the chunks they arrive in. */
class FrameReader {
  readonly #events: FrameEvents;
  /** An incomplete header. */
  #waiting: Buffer = Buffer.alloc(0);
  #frame: FrameStart | undefined;
  /** Bytes of the frame that have not arrived. */
  #left = 0;
  #control: Buffer = Buffer.alloc(0);
  /** Of the message that was begun last, to which continuation frames belong. Messages of text are ignored, as upstream does. */
  #isBinary = false;

  constructor(events: FrameEvents) {
    this.#events = events;
  }

  /** Not to be called after a Close frame. @throws Error for bytes that a server must not send */
  read(chunk: Buffer): void {
    let bytes = this.#waiting.length === 0 ? chunk : Buffer.concat([this.#waiting, chunk]);
    this.#waiting = Buffer.alloc(0);
    for (;;) {
      const frame = this.#frame ?? this.#begin(bytes);
      if (frame === undefined) {
        this.#waiting = bytes;
        return;
      }
      if (this.#frame === undefined) bytes = bytes.subarray(frame.size);
      this.#frame = frame;
      const part = bytes.subarray(0, this.#left);
      bytes = bytes.subarray(part.length);
      this.#take(part, frame);
      if (this.#left > 0) return;
      this.#finish(frame);
      if (frame.opcode === OPCODE.close) return;
    }
  }

  #begin(bytes: Buffer): FrameStart | undefined {
    const start = frameStart(bytes);
    if (start === undefined) return undefined;
    const { length, opcode } = start;
    this.#left = length;
    this.#control = Buffer.alloc(0);
    if (opcode === OPCODE.binary || opcode === OPCODE.text) this.#isBinary = opcode === OPCODE.binary;
    return start;
  }

  #take(part: Buffer, { opcode }: FrameStart): void {
    this.#left -= part.length;
    if (opcode >= OPCODE.close) this.#control = Buffer.concat([this.#control, part]);
    else if (this.#isBinary && part.length > 0) this.#events.onData(part);
  }

  #finish({ opcode }: FrameStart): void {
    this.#frame = undefined;
    if (opcode === OPCODE.ping) this.#events.onPing(this.#control);
    if (opcode === OPCODE.close) this.#events.onClose();
  }
}

/** @returns undefined if the header is incomplete */
function frameStart(bytes: Buffer): FrameStart | undefined {
  const [first, second] = bytes;
  if (first === undefined || second === undefined) return undefined;
  const opcode = first & 0x0f;
  const short = second & 0x7f;
  const size = 2 + (short === LENGTH_IN_8_BYTES ? 8 : short === LENGTH_IN_2_BYTES ? 2 : 0);
  if ((first & 0x70) !== 0 || (second & MASKED) !== 0) throw malformed('reserved bits or a mask');
  const isKnown = opcode <= OPCODE.binary || (opcode >= OPCODE.close && opcode <= OPCODE.pong);
  if (!isKnown) throw malformed(`the opcode ${opcode}`);
  const isControl = opcode >= OPCODE.close;
  if (isControl && ((first & FINAL) === 0 || short > MAX_CONTROL_BYTES)) throw malformed('a long control message');
  if (bytes.length < size) return undefined;
  const length = size === 2 ? short : size === 4 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if (!Number.isSafeInteger(length)) throw malformed('an impossible length');
  return { opcode, size, length };
}

function malformed(what: string): Error {
  return new Error(`received a WebSocket frame with ${what}`);
}
