/** The file system, as far as this program touches it. */
import { constants } from 'node:fs';
import { appendFile, link, lstat, mkdir, open, realpath, rename, rm } from 'node:fs/promises';

export interface FileEntry {
  readonly kind: 'file' | 'directory' | 'symlink' | 'other';
  /** Permission bits, for example 0o700. */
  readonly mode: number;
  /** The owner's number. */
  readonly userId: number;
}

/** Methods reject with Node's own errors, whose `code` tells the reason. */
export interface Files {
  /** `linux`, `darwin`, `win32`. */
  readonly platform: string;
  /** The whole file as UTF-8; rejects when it is longer than `maxBytes`. */
  readText(path: string, limits: { readonly maxBytes: number }): Promise<string>;
  /** Adds to the end; a file that is missing is made with mode 0600. */
  appendText(path: string, text: string): Promise<void>;
  /** What stands at the path itself, links not followed; undefined when nothing does. */
  entry(path: string): Promise<FileEntry | undefined>;
  /** The path without any link in it. */
  realPath(path: string): Promise<string>;
  /** Makes one directory with mode 0700; rejects when something stands there. */
  makeDirectory(path: string): Promise<void>;
  /** Makes a file with mode 0600; rejects when anything stands there, a link included. */
  createFile(path: string, contents: string | Uint8Array): Promise<void>;
  /** A second name for a file. */
  link(existing: string, path: string): Promise<void>;
  /** Replaces what stands at the new path in one step. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file; one that is missing already is no failure. */
  remove(path: string): Promise<void>;
}

const PRIVATE_FILE = 0o600;
const PRIVATE_DIRECTORY = 0o700;

export const systemFiles: Files = {
  platform: process.platform,
  readText,
  appendText: (path, text) => appendFile(path, text, { mode: PRIVATE_FILE }),
  entry,
  realPath: (path) => realpath(path),
  makeDirectory: (path) => mkdir(path, { mode: PRIVATE_DIRECTORY }),
  createFile,
  link: (existing, path) => link(existing, path),
  rename: (from, to) => rename(from, to),
  remove: (path) => rm(path, { force: true }),
};

async function readText(path: string, { maxBytes }: { readonly maxBytes: number }): Promise<string> {
  const file = await open(path, 'r');
  try {
    const bytes = Buffer.alloc(maxBytes + 1);
    let length = 0;
    // A pipe has no size to ask for and gives its bytes in portions.
    for (;;) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length, null);
      length += bytesRead;
      if (bytesRead === 0) break;
      if (length > maxBytes) throw new Error(`${path} is longer than ${maxBytes} bytes`);
    }
    return bytes.toString('utf8', 0, length);
  } finally {
    await file.close();
  }
}

async function entry(path: string): Promise<FileEntry | undefined> {
  let stats;
  try {
    stats = await lstat(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  const kind = stats.isSymbolicLink()
    ? 'symlink'
    : stats.isDirectory()
      ? 'directory'
      : stats.isFile()
        ? 'file'
        : 'other';
  return { kind, mode: stats.mode & 0o7777, userId: stats.uid };
}

async function createFile(path: string, contents: string | Uint8Array): Promise<void> {
  const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
  // On Windows O_NOFOLLOW is undefined, which counts as 0 here; O_EXCL refuses a link by itself.
  const file = await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, PRIVATE_FILE);
  try {
    await file.writeFile(contents);
  } finally {
    await file.close();
  }
}

/** The `code` of one of Node's errors, or undefined. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
