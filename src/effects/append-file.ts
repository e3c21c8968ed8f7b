/** Adds to the end of a file all of a text or nothing of it. */
import { closeSync, constants, fstatSync, ftruncateSync, readSync, writeSync } from 'node:fs';
import { openPlainFile } from './open-file.ts';

const PRIVATE_FILE = 0o600;
const LINE_BREAK = 0x0a;

/** Writes to an open file; returns how many bytes the system took. */
type WriteBytes = (file: number, bytes: Uint8Array) => number;

/**
 * On a full disk the system writes what still fits. That is taken back: a shell would read half a line as a command. What
 * other processes append meanwhile stays.
 * @throws Node's own error, or one that names the kind of what is there
 */
export function appendWhole(path: string, text: string, write: WriteBytes = writeSync): void {
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
      takeBack(path, { file, size }, writes);
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
function takeBack(
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
