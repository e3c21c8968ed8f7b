/** Appends a text to a file as a whole, or not at all. */
import { closeSync, constants, fstatSync, ftruncateSync, readSync, writeSync } from 'node:fs';
import { openPlainFile } from './open-file.ts';

const PRIVATE_FILE = 0o600;
const NEWLINE = 0x0a;

/** Writes to an open file; returns the number of bytes written. */
type WriteBytes = (file: number, bytes: Uint8Array) => number;

/**
 * On a full disk the system writes as much as fits. That part is removed again, because a shell would read half a line as a
 * command. Text that other processes append in the meantime stays.
 * @throws Node's own error, or one that names what is there instead of a file
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
        writes.push({ intended: rest, written: rest.subarray(0, bytes) });
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
  readonly intended: Buffer;
  readonly written: Buffer;
}

/** @param before the file, and its size before the first write */
function rollBack(
  path: string,
  before: { readonly file: number; readonly size: number },
  writes: readonly Write[],
): void {
  const bytes = writes.reduce((sum, { written }) => sum + written.length, 0);
  if (bytes === 0) return;
  if (fstatSync(before.file).size === before.size + bytes) ftruncateSync(before.file, before.size);
  else blankOut(path, before.size, writes);
}

/** If another process has appended too, our bytes cannot be cut off: overwrites them with newlines, which mean nothing. */
function blankOut(path: string, from: number, writes: readonly Write[]): void {
  // If a file is open for appending, Linux ignores the position and appends.
  const file = openPlainFile(path, constants.O_RDWR);
  try {
    const tail = Buffer.alloc(Math.max(0, fstatSync(file).size - from));
    readSync(file, tail, 0, tail.length, from);
    for (const write of writes) {
      const at = positionOf(write, tail);
      const { length } = write.written;
      if (at !== -1) writeSync(file, Buffer.alloc(length, NEWLINE), 0, length, from + at);
    }
  } finally {
    closeSync(file);
  }
}

/** The written part, not followed by the rest: another run may have appended the same text completely. */
function positionOf({ intended, written }: Write, tail: Buffer): number {
  let at = tail.indexOf(written);
  while (at !== -1 && tail.subarray(at, at + intended.length).equals(intended)) at = tail.indexOf(written, at + 1);
  return at;
}
