/**
 * Opens and reads files without ever blocking on another process. A named pipe, device or socket at a path could otherwise
 * block the process or one of its threads, and no signal could end it.
 */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from 'node:fs';
import { errorCode } from './file-error.ts';

/** How long the writer of a pipe may take. */
const PIPE_TIMEOUT_MS = 10_000;
const CHUNK_BYTES = 64 * 1024;
/** Error codes for opening something that is not a plain file. */
const NOT_A_FILE = ['EISDIR', 'ENODEV', 'ENXIO', 'EOPNOTSUPP'];

/**
 * Opens a plain file and returns its descriptor.
 * @throws Node's own error, or one that names what is there instead of a file
 */
export function openPlainFile(path: string, flags: number, mode?: number): number {
  const file = openAnything(path, flags, mode);
  const stats = fstatSync(file);
  if (stats.isFile()) return file;
  closeSync(file);
  throw wrongKind(stats);
}

/** On Windows, these constants are undefined, which counts as 0 here. */
function openAnything(path: string, flags: number, mode?: number): number {
  try {
    return openSync(path, flags | constants.O_NONBLOCK | constants.O_NOCTTY, mode);
  } catch (error) {
    if (!NOT_A_FILE.includes(errorCode(error) ?? '')) throw error;
    const stats = statSync(path, { throwIfNoEntry: false });
    throw stats === undefined || stats.isFile() ? error : wrongKind(stats);
  }
}

/** The error for something that is not a file. */
export function wrongKind(stats: Stats): Error {
  return new Error(`it is ${kindOf(stats)}, expected a file`);
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return 'a directory';
  if (stats.isFIFO()) return 'a pipe';
  if (stats.isSocket()) return 'a socket';
  return stats.isBlockDevice() ? 'a block device' : 'a character device';
}

/** Reads a plain file. */
export function readPlainFile(path: string, maxBytes: number): Buffer {
  const file = openPlainFile(path, constants.O_RDONLY);
  try {
    return readToEnd(file, maxBytes);
  } finally {
    closeSync(file);
  }
}

export interface InputLimits {
  readonly maxBytes: number;
  /** Ends the wait for a pipe. */
  readonly signal: AbortSignal;
}

/** Reads a plain file, a pipe (such as bash's `<(…)`), or a device such as /dev/null. */
export async function readInputFile(path: string, { maxBytes, signal }: InputLimits): Promise<Buffer> {
  const file = openAnything(path, constants.O_RDONLY);
  const stats = fstatSync(file);
  if (stats.isFIFO()) return readPipe(file, { maxBytes, signal });
  try {
    if (!stats.isFile() && (!stats.isCharacterDevice() || (await isTerminal(file)))) throw wrongKind(stats);
    return readToEnd(file, maxBytes);
  } finally {
    closeSync(file);
  }
}

async function isTerminal(file: number): Promise<boolean> {
  const { isatty } = await import('node:tty');
  return isatty(file);
}

/** The socket closes the descriptor. */
async function readPipe(file: number, limits: InputLimits): Promise<Buffer> {
  const { Socket } = await import('node:net');
  const { readChunks } = await import('./streams.ts');
  const socket = new Socket({ fd: file, readable: true, writable: false });
  try {
    return await readChunks(socket, { ...limits, name: 'the pipe', timeoutMs: PIPE_TIMEOUT_MS });
  } finally {
    socket.destroy();
  }
}

function readToEnd(file: number, maxBytes: number): Buffer {
  const chunks: Buffer[] = [];
  // Reads one byte more than allowed to detect a longer file.
  for (let left = maxBytes + 1; left > 0;) {
    const chunk = Buffer.alloc(Math.min(left, CHUNK_BYTES));
    const bytesRead = readSync(file, chunk);
    if (bytesRead === 0) return Buffer.concat(chunks);
    chunks.push(chunk.subarray(0, bytesRead));
    left -= bytesRead;
  }
  throw new Error(`it is longer than ${maxBytes} bytes`);
}
