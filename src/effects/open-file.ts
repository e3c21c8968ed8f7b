/**
 * Opens files without ever waiting for another process. A named pipe, a device or a socket at a path would otherwise block
 * the process or one of its threads, and no signal could end it.
 */
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  type Stats,
  statSync,
  writeSync,
} from 'node:fs';
import { Socket } from 'node:net';
import { isatty } from 'node:tty';
import { errorCode } from './file-error.ts';
import { readChunks } from './streams.ts';

/** How long the other end of a pipe may take to write everything. */
const PIPE_TIMEOUT_MS = 10_000;
const CHUNK_BYTES = 64 * 1024;
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
    return await readChunks(socket, { ...limits, name: 'the pipe', timeoutMs: PIPE_TIMEOUT_MS });
  } finally {
    socket.destroy();
  }
}

function readToEnd(file: number, maxBytes: number): Buffer {
  const portions: Buffer[] = [];
  // One byte more than allowed shows that there is too much.
  for (let left = maxBytes + 1; left > 0;) {
    const portion = Buffer.alloc(Math.min(left, CHUNK_BYTES));
    const bytesRead = readSync(file, portion);
    if (bytesRead === 0) return Buffer.concat(portions);
    portions.push(portion.subarray(0, bytesRead));
    left -= bytesRead;
  }
  throw new Error(`it is longer than ${maxBytes} bytes`);
}

// Adds to the end of a file all of a text or nothing of it.

const PRIVATE_FILE = 0o600;
const LINE_BREAK = 0x0a;

/** Writes to an open file; returns how many bytes the system took. */
type WriteBytes = (file: number, bytes: Uint8Array) => number;

/**
 * On a full disk the system writes what still fits. That is taken back: a shell would read half a line as a command. What
 * other processes append meanwhile stays.
 * @throws Node's own error, or one that names the kind of what is there
 */
export function appendAll(path: string, text: string, write: WriteBytes = writeSync): void {
  const { O_APPEND, O_CREAT, O_WRONLY } = constants;
  const file = openPlainFile(path, O_WRONLY | O_APPEND | O_CREAT, PRIVATE_FILE);
  try {
    const { size } = fstatSync(file);
    let rest = Buffer.from(text, 'utf8');
    const writes: Write[] = [];
    try {
      while (rest.length > 0) {
        const bytes = write(file, rest);
        writes.push({ meant: rest, part: rest.subarray(0, bytes) });
        rest = rest.subarray(bytes);
      }
    } catch (error) {
      rollBack(path, { file, size }, writes);
      throw error;
    }
  } finally {
    closeSync(file);
  }
}

interface Write {
  readonly meant: Buffer;
  /** What the system took of it. */
  readonly part: Buffer;
}

/** @param before the file, and its size before anything was written */
function rollBack(
  path: string,
  before: { readonly file: number; readonly size: number },
  writes: readonly Write[],
): void {
  const bytes = writes.reduce((sum, { part }) => sum + part.length, 0);
  if (bytes === 0) return;
  if (fstatSync(before.file).size === before.size + bytes) ftruncateSync(before.file, before.size);
  else blankOut(path, before.size, writes);
}

/** Another process has written there too: ours becomes line breaks, which take no room and mean nothing. */
function blankOut(path: string, from: number, writes: readonly Write[]): void {
  // Where a file is open for appending, Linux appends whatever the position is.
  const file = openPlainFile(path, constants.O_RDWR);
  try {
    const tail = Buffer.alloc(Math.max(0, fstatSync(file).size - from));
    readSync(file, tail, 0, tail.length, from);
    for (const write of writes) {
      const at = placeOf(write, tail);
      if (at !== -1) writeSync(file, Buffer.alloc(write.part.length, LINE_BREAK), 0, write.part.length, from + at);
    }
  } finally {
    closeSync(file);
  }
}

/** Where the part is not followed by the rest: another run may have appended the same text in full. */
function placeOf({ meant, part }: Write, tail: Buffer): number {
  let at = tail.indexOf(part);
  while (at !== -1 && tail.subarray(at, at + meant.length).equals(meant)) at = tail.indexOf(part, at + 1);
  return at;
}
