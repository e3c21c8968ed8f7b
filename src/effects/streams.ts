/** Standard output and standard error, whose other end may be slow, full or gone. */
import { fstatSync, writeSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { MachineIdError } from '../errors.ts';
import { errorCode } from './file-error.ts';

/** A stream of this process with the number of its file. */
interface OutputStream {
  readonly stream: Writable;
  readonly descriptor: number;
}

/** Lets every later write fail without ending the process: only the call that writes learns of it. */
export function ignoreStreamErrors({ stream }: OutputStream): void {
  stream.on('error', () => undefined);
}

/** Drops what cannot be written: nothing is left to report it to. */
export function writeOrDrop({ stream }: OutputStream, text: string): void {
  try {
    stream.write(text);
  } catch {
    // Node 18 throws what a later version hands to the stream.
  }
}

/** Resolves when the stream has taken all the parts and has room for more; rejects when it has failed. */
export function writeAll({ stream, descriptor }: OutputStream, parts: readonly Uint8Array[]): Promise<void> {
  const last = parts.at(-1);
  if (last === undefined) return Promise.resolve();
  return new Promise((resolve, reject) => {
    if (isFile(descriptor)) {
      for (const part of parts) writeWhole(descriptor, part);
      resolve();
      return;
    }
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

/** Node's stream for files takes a write for done of which a full disk has taken a part. */
function writeWhole(descriptor: number, part: Uint8Array): void {
  for (let at = 0; at < part.length;) at += writeSync(descriptor, part, at);
}

function isFile(descriptor: number): boolean {
  const file = fstatSync(descriptor);
  return file.isFile();
}

/** Whether the error means that the reader of a pipe has gone. */
export function isReaderGone(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'EPIPE' || code === 'ECONNRESET';
}

/** @param cause what the stream rejected with */
export function stdoutUnwritable(cause: unknown): MachineIdError {
  const reason = isReaderGone(cause) ? 'its reader has gone' : 'it does not take what is written';
  return new MachineIdError(
    'STDOUT_UNWRITABLE',
    `the result could not be written to the standard output: ${reason} (${errorCode(cause) ?? String(cause)})`,
    {
      hint: 'Everything else was done, such as writing files and exports. Check the program or file that takes the output.',
      cause,
    },
  );
}

// Reads a stream to its end, with a limit on its bytes and on the time that it takes.

interface ReadLimits {
  /** For messages: `the pipe`. */
  readonly name: string;
  readonly maxBytes: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * What is left of the stream afterwards is the caller's to close.
 * @throws Error when there is more than `maxBytes` or the time is up; the reason of the signal
 */
export async function readChunks(
  source: AsyncIterable<Uint8Array>,
  { name, maxBytes, timeoutMs, signal }: ReadLimits,
): Promise<Buffer> {
  signal.throwIfAborted();
  const portions: Uint8Array[] = [];
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
      if (next.done === true) return Buffer.concat(portions);
      bytes += next.value.length;
      if (bytes > maxBytes) throw new Error(`${name} gave more than ${maxBytes} bytes`);
      portions.push(next.value);
    }
  } finally {
    clearTimeout(timer);
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort);
  }
}
