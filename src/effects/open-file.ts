/**
 * Opens files without ever waiting for another process. A named pipe, a device or a socket at a path would otherwise block
 * the process or one of its threads, and no signal could end it.
 */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from 'node:fs';
import { Socket } from 'node:net';
import { isatty } from 'node:tty';
import { readPortions } from './read-portions.ts';
import { errorCode } from './file-error.ts';

/** How long the other end of a pipe may take to write everything. */
const PIPE_TIMEOUT_MS = 10_000;
const PORTION_BYTES = 64 * 1024;
/** The system's answers to opening what cannot be opened in this way. */
const NOT_OPENED = ['EISDIR', 'ENODEV', 'ENXIO', 'EOPNOTSUPP'];

/**
 * The descriptor of a plain file.
 * @throws Node's own error, or one that names the kind of what is there
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
    if (!NOT_OPENED.includes(errorCode(error) ?? '')) throw error;
    const stats = statSync(path, { throwIfNoEntry: false });
    throw stats === undefined || stats.isFile() ? error : wrongKind(stats);
  }
}

/** Of what is not a file. */
export function wrongKind(stats: Stats): Error {
  return new Error(`it is ${kindOf(stats)}, expected a file`);
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return 'a directory';
  if (stats.isFIFO()) return 'a pipe';
  if (stats.isSocket()) return 'a socket';
  return stats.isBlockDevice() ? 'a block device' : 'a character device';
}

/** The contents of a plain file. */
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

/** The contents of a plain file, of a pipe (as bash makes it of `<(…)`), or of a device like /dev/null. */
export async function readInputFile(path: string, { maxBytes, signal }: InputLimits): Promise<Buffer> {
  const file = openAnything(path, constants.O_RDONLY);
  const stats = fstatSync(file);
  if (stats.isFIFO()) return readPipe(file, { maxBytes, signal });
  try {
    if (!stats.isFile() && (!stats.isCharacterDevice() || isatty(file))) throw wrongKind(stats);
    return readToEnd(file, maxBytes);
  } finally {
    closeSync(file);
  }
}

/** The socket closes the descriptor. */
async function readPipe(file: number, limits: InputLimits): Promise<Buffer> {
  const socket = new Socket({ fd: file, readable: true, writable: false });
  try {
    return await readPortions(socket, { ...limits, name: 'the pipe', timeoutMs: PIPE_TIMEOUT_MS });
  } finally {
    socket.destroy();
  }
}

function readToEnd(file: number, maxBytes: number): Buffer {
  const portions: Buffer[] = [];
  // One byte more than allowed shows that there is too much.
  for (let left = maxBytes + 1; left > 0;) {
    const portion = Buffer.alloc(Math.min(left, PORTION_BYTES));
    const bytesRead = readSync(file, portion);
    if (bytesRead === 0) return Buffer.concat(portions);
    portions.push(portion.subarray(0, bytesRead));
    left -= bytesRead;
  }
  throw new Error(`it is longer than ${maxBytes} bytes`);
}
