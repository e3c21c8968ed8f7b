/**
 * The file system, as far as this program uses it. Operations that take microseconds are synchronous: in the thread pool,
 * each of the hundred small steps of an output would take ten times as long, and wait behind key generation.
 */
import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  type Stats,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { errorCode } from './file-error.ts';
import { appendAll } from './append-file.ts';
import { type InputLimits, readInputFile, readPlainFile, wrongKind } from './open-file.ts';
import { mayStillRun, processMark } from './processes.ts';

export interface FileEntry {
  readonly kind: 'file' | 'directory' | 'symlink' | 'other';
  /** Permission bits, for example 0o700. */
  readonly mode: number;
  /** The owner's numeric id. */
  readonly userId: number;
  /** When its contents last changed, in milliseconds since the Unix epoch. */
  readonly modifiedMs: number;
}

export interface EraseOptions {
  readonly maxBytes: number;
  readonly accepts: (contents: Uint8Array) => boolean;
  readonly keepsHardLinked?: boolean;
}

export interface Rename {
  readonly from: string;
  readonly to: string;
}

/** Methods reject with Node's own errors, whose `code` is the reason. */
export interface Files {
  /** `linux`, `darwin`, `win32`. */
  readonly platform: string;
  /** Numeric id of the user that this process runs as; undefined on systems without such ids. */
  readonly userId: number | undefined;
  /** Identifies this process: letters, digits, `-` and `_`. */
  readonly processMark: string;
  /** Whether the process with that mark may still use a file that was last changed at that time. */
  mayStillRun(processMark: string, changedAtMs: number): boolean;
  /** Reads a plain file; rejects if it is something else, longer than `maxBytes`, or not UTF-8. */
  readText(path: string, limits: { readonly maxBytes: number }): Promise<string>;
  /** The same for a file that the user named; it may also be a pipe, which must end within ten seconds. */
  readInput(path: string, limits: InputLimits): Promise<string>;
  /** Appends the whole text to a plain file, or nothing. Creates a missing file with mode 0600. */
  appendText(path: string, text: string): Promise<void>;
  /**
   * Rejects if the file could not be created or appended to, or no file could be created in the directory. Checks kinds and
   * permissions only, without changing anything.
   */
  mayWrite(path: string, kind: 'file' | 'directory'): Promise<void>;
  /** What is at the path, without following links; undefined if nothing. */
  entry(path: string): Promise<FileEntry | undefined>;
  /** Names of the entries of a directory. */
  names(directory: string): Promise<readonly string[]>;
  /** The same with their kinds, without following links. */
  list(directory: string): Promise<readonly { readonly name: string; readonly kind: FileEntry['kind'] }[]>;
  /** The target of a link, as stored in it. */
  readLink(path: string): Promise<string>;
  /** Creates one directory with mode 0700; rejects if something is there. */
  makeDirectory(path: string): Promise<void>;
  /** Creates a file with mode 0600; rejects if anything is there, even a link. */
  createFile(path: string, contents: string | Uint8Array): Promise<void>;
  /** Creates a hard link: a second name for a file. */
  link(existing: string, path: string): Promise<void>;
  /** Replaces the file at the new path atomically. */
  rename(from: string, to: string): Promise<void>;
  /**
   * Renames in sequence, with no other work of this process in between. Skips a rename that another process has already
   * done (the old name is gone, the new one exists).
   */
  renameAll(renames: readonly Rename[]): Promise<void>;
  /** Removes a file; succeeds if it is already missing. */
  remove(path: string): Promise<void>;
  /**
   * Overwrites a file with zeros on the disk and removes it, if `accepts` approves its contents. Refuses anything longer
   * than `maxBytes` or not a plain file, such as a link. With `keepsHardLinked`, a file that has another name keeps its
   * contents and only loses this name.
   */
  erase(path: string, options: EraseOptions): Promise<'erased' | 'missing' | 'refused'>;
  /** Removes an empty directory; false if it is missing or not empty. */
  removeDirectory(path: string): Promise<boolean>;
  setMode(path: string, mode: number): Promise<void>;
  /** Calls `create`, which makes a file or socket before it returns: from its first moment, that is for this user alone. */
  privately(create: () => void): void;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const PRIVATE_FILE = 0o600;
const PRIVATE_DIRECTORY = 0o700;
/** What others, and execution, do not get. */
const PRIVATE_UMASK = 0o177;

export const systemFiles: Files = {
  platform: process.platform,
  userId: process.getuid?.(),
  get processMark() {
    return processMark();
  },
  mayStillRun,
  readText: toAsync((path, { maxBytes }) => UTF8.decode(readPlainFile(path, maxBytes))),
  readInput: async (path, limits) => UTF8.decode(await readInputFile(path, limits)),
  appendText: toAsync((path, text) => {
    appendAll(path, text);
  }),
  mayWrite: toAsync(mayWrite),
  entry: toAsync(entry),
  names: toAsync((directory) => readdirSync(directory)),
  list: toAsync((directory) =>
    readdirSync(directory, { withFileTypes: true }).map((entry) => ({ name: entry.name, kind: kindOf(entry) })),
  ),
  readLink: toAsync((path) => readlinkSync(path)),
  makeDirectory: toAsync((path) => {
    mkdirSync(path, { mode: PRIVATE_DIRECTORY });
  }),
  createFile: toAsync(createFile),
  link: toAsync(linkSync),
  rename: toAsync(renameSync),
  renameAll: toAsync(renameAll),
  remove: toAsync(remove),
  erase,
  removeDirectory: toAsync(removeDirectory),
  setMode: toAsync(chmodSync),
  privately: (create) => {
    const before = process.umask(PRIVATE_UMASK);
    try {
      create();
    } finally {
      process.umask(before);
    }
  },
};

/** Turns exceptions into rejections. */
function toAsync<A extends unknown[], R>(work: (...args: A) => R): (...args: A) => Promise<R> {
  // eslint-disable-next-line @typescript-eslint/require-await -- a failure must be a rejection
  return async (...args) => work(...args);
}

function entry(path: string): FileEntry | undefined {
  const stats = statsOf(path);
  return stats && { kind: kindOf(stats), mode: stats.mode & 0o7777, userId: stats.uid, modifiedMs: stats.mtimeMs };
}

function statsOf(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    // A parent in the path is a file.
    if (errorCode(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

function kindOf(stats: Pick<Stats, 'isDirectory' | 'isFile' | 'isSymbolicLink'>): FileEntry['kind'] {
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isDirectory()) return 'directory';
  return stats.isFile() ? 'file' : 'other';
}

function mayWrite(path: string, kind: 'file' | 'directory'): void {
  const { W_OK, X_OK } = constants;
  const stats = statSync(path, { throwIfNoEntry: false });
  if (kind === 'directory') {
    accessSync(path, W_OK | X_OK);
    if (stats?.isDirectory() !== true) throw Object.assign(new Error('not a directory'), { code: 'ENOTDIR' });
  } else if (stats === undefined) mayWrite(dirname(path), 'directory');
  else if (stats.isFile()) accessSync(path, W_OK);
  else throw wrongKind(stats);
}

function createFile(path: string, contents: string | Uint8Array): void {
  const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
  // On Windows O_NOFOLLOW is undefined, which counts as 0 here; O_EXCL alone rejects a link.
  const file = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, PRIVATE_FILE);
  try {
    writeFileSync(file, contents);
  } finally {
    closeSync(file);
  }
}

function renameAll(renames: readonly Rename[]): void {
  for (const { from, to } of renames) {
    try {
      renameSync(from, to);
    } catch (error) {
      if (errorCode(error) !== 'ENOENT' || statsOf(to) === undefined) throw error;
    }
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

async function erase(
  path: string,
  { maxBytes, accepts, keepsHardLinked = false }: EraseOptions,
): Promise<'erased' | 'missing' | 'refused'> {
  const { open } = await import('node:fs/promises');
  let file;
  try {
    // O_NONBLOCK: opening a pipe must not wait for its other end.
    file = await open(path, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return 'missing';
    if (code === 'ELOOP' || code === 'EISDIR' || code === 'ENXIO') return 'refused';
    throw error;
  }
  try {
    const { nlink, size } = await file.stat().then((stats) => (stats.isFile() ? stats : { nlink: 1, size: Infinity }));
    if (size > maxBytes) return 'refused';
    const contents = Buffer.alloc(size);
    await file.read(contents, 0, size, 0);
    if (!accepts(contents)) return 'refused';
    if (nlink === 1 || !keepsHardLinked) {
      await file.write(Buffer.alloc(size), 0, size, 0);
      await file.sync();
    }
  } finally {
    await file.close();
  }
  remove(path);
  return 'erased';
}

function removeDirectory(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ENOTEMPTY', 'EEXIST'].includes(errorCode(error) ?? '')) return false;
    throw error;
  }
}
