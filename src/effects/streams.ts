/** Reads and writes streams whose other end may be slow, full or gone. */
import { fstatSync, writeSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { MachineIdError } from '../errors.ts';
import { errorCode } from './file-error.ts';

/** Standard output or standard error of this process. */
export interface OutputStream {
  readonly descriptor: number;
  /** Node's stream, which is created by the first call. */
  readonly open: () => Writable;
  readonly isOpen: () => boolean;
}

/** @param create Node's own stream for the descriptor */
export function outputStream(descriptor: number, create: () => Writable): OutputStream {
  let stream: Writable | undefined;
  return {
    descriptor,
    // Without a listener, an error would end the process; the call that writes gets it, too.
    open: () => (stream ??= create().on('error', () => undefined)),
    isOpen: () => stream !== undefined,
  };
}

/** Drops text that cannot be written: there is nowhere to report it. */
export function writeOrDrop({ open }: OutputStream, text: string): void {
  try {
    open().write(text);
  } catch {
    // Node 18 throws errors that later versions emit on the stream.
  }
}

/** What an empty pipe takes at once. */
const SHORT_BYTES = 16 * 1024;

/** Like `writeAll`, but without Node's stream for a short text that nothing precedes: to create one takes milliseconds. */
export function writeText(output: OutputStream, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  const isShort = bytes.length <= SHORT_BYTES && !output.isOpen();
  const rest = bytes.subarray(isShort ? writtenAtOnce(output.descriptor, bytes) : 0);
  return rest.length === 0 ? Promise.resolve() : writeAll(output, [rest]);
}

/** How many bytes the system takes; none after an error, which the next attempt reports. */
function writtenAtOnce(descriptor: number, bytes: Uint8Array): number {
  try {
    return writeSync(descriptor, bytes);
  } catch {
    return 0;
  }
}

/** Resolves once the stream has taken all parts and has room for more; rejects if it fails. */
export function writeAll({ descriptor, open }: OutputStream, parts: readonly Uint8Array[]): Promise<void> {
  const last = parts.at(-1);
  if (last === undefined) return Promise.resolve();
  return new Promise((resolve, reject) => {
    if (isFile(descriptor)) {
      for (const part of parts) writeWhole(descriptor, part);
      resolve();
      return;
    }
    const stream = open();
    const onError = (error: Error) => {
      reject(error);
    };
    stream.once('error', onError);
    stream.cork();
    for (const part of parts.slice(0, -1)) stream.write(part);
    stream.write(last, (error) => {
      stream.off('error', onError);
      if (error) reject(error);
      else resolve();
    });
    stream.uncork();
  });
}

/** Node's file stream treats a partial write to a full disk as complete. */
function writeWhole(descriptor: number, part: Uint8Array): void {
  for (let at = 0; at < part.length;) at += writeSync(descriptor, part, at);
}

function isFile(descriptor: number): boolean {
  const file = fstatSync(descriptor);
  return file.isFile();
}

/** Whether the error means that the reader of a pipe is gone. */
export function isReaderGone(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'EPIPE' || code === 'ECONNRESET';
}

/** @param cause what the stream rejected with */
export function stdoutUnwritable(cause: unknown): MachineIdError {
  const reason = isReaderGone(cause) ? 'the program that reads it has ended' : 'it accepts no data';
  return new MachineIdError(
    'STDOUT_UNWRITABLE',
    `cannot write the result to standard output: ${reason} (${errorCode(cause) ?? String(cause)})`,
    {
      hint: 'Check the program or file that receives the output. Everything else is done, such as writing files and exports.',
      cause,
    },
  );
}

interface ReadLimits {
  /** For messages: `the pipe`. */
  readonly name: string;
  readonly maxBytes: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Reads a stream to its end. The caller must close the stream.
 * @throws Error if there are more than `maxBytes` or the time is up; the signal's reason
 */
export async function readChunks(
  source: AsyncIterable<Uint8Array>,
  { name, maxBytes, timeoutMs, signal }: ReadLimits,
): Promise<Buffer> {
  signal.throwIfAborted();
  const chunks: Uint8Array[] = [];
  const iterator = source[Symbol.asyncIterator]();
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  const stopped = new Promise<never>((_resolve, reject) => {
    const late = `${name} did not end within ${timeoutMs / 1000} s`;
    timer = setTimeout(reject, timeoutMs, new Error(late));
    onAbort = () => {
      reject(signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason)));
    };
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    for (let bytes = 0; ;) {
      const next = await Promise.race([iterator.next(), stopped]);
      if (next.done === true) return Buffer.concat(chunks);
      bytes += next.value.length;
      if (bytes > maxBytes) throw new Error(`${name} contains more than ${maxBytes} bytes`);
      chunks.push(next.value);
    }
  } finally {
    clearTimeout(timer);
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort);
  }
}
